// The stand-in driver's machine, contexts, modules and kernels.
#include "test/runtime/cuda/State.h"

#include <cstdio>
#include <cstring>

using namespace moec::test::standin;
using namespace moec::runtime;

// Handles are passed as pointers, and nothing of the driver's headers is known here: the parameters are those of its public
// interface.
extern "C" {
int cuInit(unsigned flags) {
  return state().call(__func__, Needs::nothing, Injected::replaces, [&] {
    state().initialised = true;
    return flags == 0 ? success : invalidValue;
  });
}

int cuDeviceGetCount(int *count) {
  return state().call(__func__, Needs::driver, Injected::replaces, [&] {
    *count = state().machine.devices;
    return success;
  });
}

int cuDeviceGet(int *device, int ordinal) {
  return state().call(__func__, Needs::driver, Injected::replaces, [&]() -> int {
    if (ordinal < 0 || ordinal >= state().machine.devices)
      return invalidDevice;
    *device = ordinal;
    return success;
  });
}

int cuDeviceGetName(char *name, int length, int device) {
  return state().call(__func__, Needs::driver, Injected::replaces, [&] {
    std::snprintf(name, size_t(length), "stand-in %d", device);
    return success;
  });
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  return state().call(__func__, Needs::driver, Injected::replaces, [&]() -> int {
    const StandInMachine &machine = state().machine;
    switch (attribute) {
    case 16:
      *value = machine.multiprocessors;
      return success;
    case 75:
      *value = machine.capability / 10;
      return success;
    case 76:
      *value = machine.capability % 10;
      return success;
    case 95:
      *value = machine.isCooperative;
      return success;
    case 97:
      *value = machine.sharedBytes;
      return success;
    }
    return state().complain(invalidValue, "unknown attribute " + std::to_string(attribute));
  });
}

int cuCtxCreate_v2(void **context, unsigned flags, int device) {
  return state().call(__func__, Needs::driver, Injected::replaces, [&] {
    Context *made = state().make<Context>();
    made->owner = nullptr;
    state().current.push_back(made);
    *context = made;
    return success;
  });
}

int cuCtxDestroy_v2(void *context) {
  return state().call(__func__, Needs::driver, Injected::accompanies, [&]() -> int {
    State &s = state();
    Context *found = s.find<Context>(context);
    if (!found)
      return invalidHandle;
    if (s.context() == found)
      s.current.pop_back();
    s.executeAll(found);
    if (std::string held = s.held(found); !held.empty() && !s.pushFailed)
      s.complain(success, "the context still has objects\n" + held);
    s.removeAllOf(found); // the driver gives back whatever a context still has
    return success;
  });
}

int cuCtxPushCurrent_v2(void *context) {
  return state().call(__func__, Needs::driver, Injected::replaces, [&]() -> int {
    Context *found = state().find<Context>(context);
    if (!found)
      return invalidHandle;
    state().current.push_back(found);
    return success;
  });
}

int cuCtxPopCurrent_v2(void **context) {
  return state().call(__func__, Needs::driver, Injected::accompanies, [&]() -> int {
    if (state().current.empty())
      return state().complain(invalidContext, "no context is current");
    *context = state().current.back();
    state().current.pop_back();
    return success;
  });
}

int cuModuleLoadDataEx(void **module, const void *image, unsigned count, int *options, void **values) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    const char *text = static_cast<const char *>(image);
    const emulator::Module *decoded = nullptr;
    bool isAssembled = std::strncmp(text, "\177ELF", 4) == 0;
    if (isAssembled && !state().machine.loadsAssembled)
      return noBinary;
    if (!isAssembled) {
      Result<const emulator::Module *> loaded = state().emulator->load(text, "module");
      if (!loaded.ok()) {
        char *log = nullptr;
        size_t bytes = 0;
        for (unsigned i = 0; i < count; ++i) {
          if (options[i] == 5)
            log = static_cast<char *>(values[i]);
          if (options[i] == 6)
            bytes = reinterpret_cast<size_t>(values[i]);
        }
        if (log && bytes)
          std::snprintf(log, bytes, "%s\n", loaded.status().message().c_str());
        return invalidPtx;
      }
      decoded = *loaded;
    }
    Module *made = state().make<Module>();
    made->decoded = decoded;
    *module = made;
    return success;
  });
}

int cuModuleUnload(void *module) {
  return state().call(__func__, Needs::context, Injected::accompanies, [&]() -> int {
    Module *found = state().find<Module>(module);
    if (!found)
      return invalidHandle;
    state().executeAll(state().context());
    std::erase_if(state().objects, [&](const auto &entry) {
      return entry.second->kind == Kind::function && static_cast<Function &>(*entry.second).module == found;
    });
    return state().release<Module>(module);
  });
}

int cuModuleGetFunction(void **function, void *module, const char *name) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    Module *found = state().find<Module>(module);
    if (!found)
      return invalidHandle;
    const emulator::Function *entry = found->decoded ? found->decoded->entry(name) : nullptr;
    if (found->decoded && !entry)
      return notFound;
    Function *made = state().make<Function>();
    made->module = found;
    made->name = name;
    made->entry = entry;
    *function = made;
    return success;
  });
}

int cuFuncGetAttribute(int *value, int attribute, void *function) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    Function *found = state().find<Function>(function);
    if (!found)
      return invalidHandle;
    if (attribute != 0)
      return state().complain(invalidValue, "unknown attribute " + std::to_string(attribute));
    *value = found->entry && found->entry->maximumThreads[0] ? int(found->entry->maximumThreads[0]) : 1024;
    return success;
  });
}

int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *function, int threads, size_t shared) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    if (!state().find<Function>(function))
      return invalidHandle;
    if (threads < 1 || threads > 1024 || shared > size_t(state().machine.sharedBytes))
      return state().complain(invalidValue, "blocks that no multiprocessor holds");
    *blocks = state().machine.blocksOfMultiprocessor;
    return success;
  });
}

int cuFuncSetAttribute(void *function, int attribute, int value) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    Function *found = state().find<Function>(function);
    if (!found)
      return invalidHandle;
    if (attribute != 8 || value < 0 || value > state().machine.sharedBytes)
      return state().complain(invalidValue, "attribute " + std::to_string(attribute) + " of " + std::to_string(value));
    found->mostDynamicSharedBytes = unsigned(value);
    return success;
  });
}
}
