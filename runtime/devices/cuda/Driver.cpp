// The driver's interface as far as it is used: declared here, found at run time.
#include "runtime/devices/cuda/Driver.h"

#include <dlfcn.h>

using namespace moec::runtime;
using namespace moec::runtime::cuda;

namespace {
class Finder {
public:
  Finder(void *library, const std::string &name) : library(library), name(name) {}

  template <typename... Parameters> void find(EntryPoint<Parameters...> &entry) {
    entry.function = reinterpret_cast<int (*)(Parameters...)>(dlsym(library, entry.name));
    if (!entry.function && missing.ok())
      missing = Status::unavailable(name + " has no function " + entry.name + "; install a newer driver for the GPU");
  }

  Status missing;

private:
  void *library;
  const std::string &name;
};
} // namespace

Result<std::unique_ptr<Driver>> Driver::load(const std::string &path) {
  std::string name = path.empty() ? "libcuda.so.1" : path;
  // Never closed: the driver has threads of its own.
  void *library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    return Status::unavailable("cannot load the GPU's driver: " + std::string(why ? why : name.c_str()) +
                               "; install the NVIDIA driver, or run with --device cpu");
  }
  auto driver = std::make_unique<Driver>();
  Driver &d = *driver;
  Finder finder(library, name);
  auto findAll = [&](auto &...entries) { (finder.find(entries), ...); };
  findAll(d.init, d.deviceGetCount, d.deviceGet, d.deviceGetName, d.deviceGetAttribute);
  findAll(d.contextCreate, d.contextDestroy, d.contextPush, d.contextPop);
  findAll(d.moduleLoad, d.moduleUnload, d.moduleGetFunction, d.functionGetAttribute, d.functionSetAttribute);
  findAll(d.memoryGetInfo, d.memoryAllocate, d.memoryFree, d.pinnedAllocate, d.pinnedFree, d.copyToDevice, d.copyToHost, d.fill);
  findAll(d.streamCreate, d.streamDestroy, d.streamSynchronize);
  findAll(d.eventCreate, d.eventDestroy, d.eventRecord, d.eventSynchronize, d.eventElapsedTime);
  findAll(d.launchKernel, d.launchCooperativeKernel, d.blocksOfMultiprocessor);
  findAll(d.beginCapture, d.endCapture, d.graphDestroy, d.graphInstantiate, d.graphLaunch, d.graphExecDestroy);
  MOEC_RETURN_IF_ERROR(finder.missing);
  MOEC_RETURN_IF_ERROR(d.init(0));
  return driver;
}
