// The stand-in driver, loaded as the cuda device loads it, with the functions that steer it.
#ifndef MOEC_TEST_RUNTIME_CUDA_LOADEDSTANDIN_H
#define MOEC_TEST_RUNTIME_CUDA_LOADEDSTANDIN_H

#include "test/runtime/cuda/StandIn.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

namespace moec::test {

struct LoadedStandIn {
  decltype(&standInReset) reset;
  decltype(&standInFail) fail;
  decltype(&standInCalls) calls;
  decltype(&standInComplaints) complaints;

  static const LoadedStandIn &get() {
    static const LoadedStandIn standIn = [] {
      void *library = dlopen(MOEC_TEST_STAND_IN, RTLD_NOW | RTLD_LOCAL);
      EXPECT_NE(library, nullptr) << dlerror();
      auto find = [&]<typename T>(T &function, const char *name) { function = reinterpret_cast<T>(dlsym(library, name)); };
      LoadedStandIn found;
      find(found.reset, "standInReset");
      find(found.fail, "standInFail");
      find(found.calls, "standInCalls");
      find(found.complaints, "standInComplaints");
      return found;
    }();
    return standIn;
  }
};

} // namespace moec::test

#endif // MOEC_TEST_RUNTIME_CUDA_LOADEDSTANDIN_H
