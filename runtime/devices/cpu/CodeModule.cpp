// Machine code of an artifact, loaded into the process.
#include "runtime/devices/cpu/CodeModule.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace moec::runtime;

Result<std::unique_ptr<CodeModule>> CodeModule::load(std::span<const std::byte> sharedObject, const std::string &name) {
  int descriptor = memfd_create("moec-code", MFD_CLOEXEC);
  if (descriptor < 0)
    return Status::ioError(name + ": cannot create memory for code: " + std::strerror(errno));
  std::unique_ptr<CodeModule> module(new CodeModule(descriptor));
  for (size_t done = 0; done < sharedObject.size();) {
    ssize_t written = write(descriptor, sharedObject.data() + done, sharedObject.size() - done);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return Status::ioError(name + ": cannot write code to memory: " + std::strerror(errno));
    done += size_t(written);
  }
  module->handle = dlopen(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!module->handle)
    return Status::invalidData(name + ": cannot load the code: " + dlerror());
  return module;
}

CodeModule::~CodeModule() {
  if (handle)
    dlclose(handle);
  close(descriptor);
}

void *CodeModule::address(const char *symbol) const { return dlsym(handle, symbol); }
