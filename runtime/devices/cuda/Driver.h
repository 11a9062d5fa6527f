// The driver's interface as far as it is used: declared here, found at run time, each failure a status that says what to do.
#ifndef MOEC_RUNTIME_DEVICES_CUDA_DRIVER_H
#define MOEC_RUNTIME_DEVICES_CUDA_DRIVER_H

#include "runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace moec::runtime::cuda {

// The driver's handles and numbers, as its public interface has them.
using Address = uint64_t; ///< of device memory
using Context = struct ContextHandle *;
using Module = struct ModuleHandle *;
using Function = struct FunctionHandle *;
using Stream = struct StreamHandle *;
using Event = struct EventHandle *;
using Graph = struct GraphHandle *;
using GraphExec = struct GraphExecHandle *;

enum DeviceAttribute : int {
  multiprocessorCount = 16,
  capabilityMajor = 75,
  capabilityMinor = 76,
  cooperativeLaunch = 95,
  maxSharedBytesPerBlock = 97
};
enum FunctionAttribute : int { maxThreadsPerBlock = 0, maxDynamicSharedBytes = 8 };
enum JitOption : int { errorLog = 5, errorLogBytes = 6 };
enum StreamFlags : unsigned { nonBlocking = 1 };
enum EventFlags : unsigned { withTiming = 0, disableTiming = 2 };
enum RecordFlags : unsigned {
  passedByStream = 0,
  passedByGraph = 1, ///< that the stream records, whenever it is launched
};
enum CaptureMode : int { threadLocal = 1 };

/// The status of a call that returned `code`, which is not 0.
Status failureOf(const char *call, int code);

/// A function of the driver under the versioned name that its library exports.
template <typename... Parameters> struct EntryPoint {
  const char *name;
  int (*function)(Parameters...) = nullptr;

  Status operator()(std::type_identity_t<Parameters>... arguments) const {
    int code = function(arguments...);
    return code == 0 ? Status() : failureOf(name, code);
  }
};

/// The functions of one driver library.
struct Driver {
  /// Opens the library `path` (empty: the system's driver), finds every function, and initialises the driver.
  static Result<std::unique_ptr<Driver>> load(const std::string &path);

  EntryPoint<unsigned> init{"cuInit"};
  EntryPoint<int *> deviceGetCount{"cuDeviceGetCount"};
  EntryPoint<int *, int> deviceGet{"cuDeviceGet"};
  EntryPoint<char *, int, int> deviceGetName{"cuDeviceGetName"};
  EntryPoint<int *, int, int> deviceGetAttribute{"cuDeviceGetAttribute"};

  EntryPoint<Context *, unsigned, int> contextCreate{"cuCtxCreate_v2"};
  EntryPoint<Context> contextDestroy{"cuCtxDestroy_v2"};
  EntryPoint<Context> contextPush{"cuCtxPushCurrent_v2"};
  EntryPoint<Context *> contextPop{"cuCtxPopCurrent_v2"};

  EntryPoint<Module *, const void *, unsigned, int *, void **> moduleLoad{"cuModuleLoadDataEx"};
  EntryPoint<Module> moduleUnload{"cuModuleUnload"};
  EntryPoint<Function *, Module, const char *> moduleGetFunction{"cuModuleGetFunction"};
  EntryPoint<int *, int, Function> functionGetAttribute{"cuFuncGetAttribute"};
  EntryPoint<Function, int, int> functionSetAttribute{"cuFuncSetAttribute"};

  EntryPoint<size_t *, size_t *> memoryGetInfo{"cuMemGetInfo_v2"};
  EntryPoint<Address *, size_t> memoryAllocate{"cuMemAlloc_v2"};
  EntryPoint<Address> memoryFree{"cuMemFree_v2"};
  EntryPoint<void **, size_t> pinnedAllocate{"cuMemAllocHost_v2"};
  EntryPoint<void *> pinnedFree{"cuMemFreeHost"};
  EntryPoint<Address, const void *, size_t, Stream> copyToDevice{"cuMemcpyHtoDAsync_v2"};
  EntryPoint<void *, Address, size_t, Stream> copyToHost{"cuMemcpyDtoHAsync_v2"};
  EntryPoint<Address, unsigned char, size_t, Stream> fill{"cuMemsetD8Async"};

  EntryPoint<Stream *, unsigned> streamCreate{"cuStreamCreate"};
  EntryPoint<Stream> streamDestroy{"cuStreamDestroy_v2"};
  EntryPoint<Stream> streamSynchronize{"cuStreamSynchronize"};
  EntryPoint<Event *, unsigned> eventCreate{"cuEventCreate"};
  EntryPoint<Event> eventDestroy{"cuEventDestroy_v2"};
  EntryPoint<Event, Stream, unsigned> eventRecord{"cuEventRecordWithFlags"};
  EntryPoint<Event> eventSynchronize{"cuEventSynchronize"};
  EntryPoint<float *, Event, Event> eventElapsedTime{"cuEventElapsedTime"}; ///< in milliseconds

  EntryPoint<Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Stream, void **, void **> launchKernel{
      "cuLaunchKernel"};
  EntryPoint<Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Stream, void **>
      launchCooperativeKernel{"cuLaunchCooperativeKernel"};
  EntryPoint<int *, Function, int, size_t> blocksOfMultiprocessor{"cuOccupancyMaxActiveBlocksPerMultiprocessor"};
  EntryPoint<Stream, int> beginCapture{"cuStreamBeginCapture_v2"};
  EntryPoint<Stream, Graph *> endCapture{"cuStreamEndCapture"};
  EntryPoint<Graph> graphDestroy{"cuGraphDestroy"};
  EntryPoint<GraphExec *, Graph, unsigned long long> graphInstantiate{"cuGraphInstantiateWithFlags"};
  EntryPoint<GraphExec, Stream> graphLaunch{"cuGraphLaunch"};
  EntryPoint<GraphExec> graphExecDestroy{"cuGraphExecDestroy"};
};

} // namespace moec::runtime::cuda

#endif // MOEC_RUNTIME_DEVICES_CUDA_DRIVER_H
