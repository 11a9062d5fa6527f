// What the driver's error codes mean, and what to do about each.
#include "runtime/devices/cuda/Driver.h"

#include <algorithm>
#include <iterator>

using namespace moec::runtime;

namespace {
struct Failure {
  int code;
  const char *name;
  StatusCode status;
  const char *remedy;
};

constexpr const char *kernelFault =
    "a kernel failed and the GPU's context has ended; make a new session, and report the model and input";
constexpr const char *restart = "check the GPU with nvidia-smi; it may need a reset or a restart of the machine";
constexpr const char *newerDriver = "install a newer driver for the GPU";

constexpr Failure failures[] = {
    {1, "CUDA_ERROR_INVALID_VALUE", StatusCode::ioError, "the driver did not accept the call; report the model and the GPU"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", StatusCode::resourceExhausted,
     "end other programs on the GPU, or compile with a smaller --max-sequence or --max-batch"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", StatusCode::unavailable, restart},
    {4, "CUDA_ERROR_DEINITIALIZED", StatusCode::unavailable, "the driver is shutting down; end sessions before the program ends"},
    {34, "CUDA_ERROR_STUB_LIBRARY", StatusCode::unavailable, "a stub stands in for the driver; install the NVIDIA driver"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", StatusCode::unavailable, "another program has the GPU for itself; wait for it or end it"},
    {100, "CUDA_ERROR_NO_DEVICE", StatusCode::unavailable, "this machine shows no GPU; check nvidia-smi and CUDA_VISIBLE_DEVICES"},
    {101, "CUDA_ERROR_INVALID_DEVICE", StatusCode::invalidArgument, "choose a GPU that nvidia-smi lists"},
    {200, "CUDA_ERROR_INVALID_IMAGE", StatusCode::invalidData, "the artifact's GPU code is not usable; compile the model again"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", StatusCode::ioError, "the GPU's context is gone; make a new session"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", StatusCode::unavailable, "the artifact has no code for this GPU; compile for its target"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", StatusCode::ioError, "the GPU's memory is faulty; check it with nvidia-smi"},
    {218, "CUDA_ERROR_INVALID_PTX", StatusCode::invalidData,
     "the driver did not accept the artifact's PTX; compile the model again"},
    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", StatusCode::unavailable, newerDriver},
    {500, "CUDA_ERROR_NOT_FOUND", StatusCode::invalidData, "the artifact's GPU code lacks a kernel; compile the model again"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", StatusCode::ioError, kernelFault},
    {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", StatusCode::unavailable,
     "a kernel needs more registers or shared memory than there are"},
    {702, "CUDA_ERROR_LAUNCH_TIMEOUT", StatusCode::ioError,
     "a kernel ran too long for a GPU that also has a display; use another GPU"},
    {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", StatusCode::ioError, "the GPU's context is gone; make a new session"},
    {710, "CUDA_ERROR_ASSERT", StatusCode::ioError, kernelFault},
    {714, "CUDA_ERROR_HARDWARE_STACK_ERROR", StatusCode::ioError, kernelFault},
    {715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", StatusCode::ioError, kernelFault},
    {716, "CUDA_ERROR_MISALIGNED_ADDRESS", StatusCode::ioError, kernelFault},
    {717, "CUDA_ERROR_INVALID_ADDRESS_SPACE", StatusCode::ioError, kernelFault},
    {718, "CUDA_ERROR_INVALID_PC", StatusCode::ioError, kernelFault},
    {719, "CUDA_ERROR_LAUNCH_FAILED", StatusCode::ioError, kernelFault},
    {720, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", StatusCode::unavailable,
     "other programs take the GPU's multiprocessors; end them, or let the model have the GPU for itself"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", StatusCode::unavailable, newerDriver},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", StatusCode::unavailable, "start the machine's fabric manager"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", StatusCode::unavailable,
     "the driver's library and kernel module differ; restart the machine"},
    {804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", StatusCode::unavailable, newerDriver},
    {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", StatusCode::ioError, newerDriver},
    {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", StatusCode::ioError,
     "a step could not be recorded; report the model and the GPU"},
    {999, "CUDA_ERROR_UNKNOWN", StatusCode::ioError, restart},
};
} // namespace

Status moec::runtime::cuda::failureOf(const char *call, int code) {
  const Failure *failure = std::ranges::find(failures, code, &Failure::code);
  std::string name = failure == std::end(failures) ? "error" : failure->name;
  return {failure == std::end(failures) ? StatusCode::ioError : failure->status,
          std::string(call) + ": " + name + " (" + std::to_string(code) + "); " +
              (failure == std::end(failures) ? restart : failure->remedy)};
}
