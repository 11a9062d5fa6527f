// What the stand-in driver knows: objects, memory, work that waits on streams, and the rules that calls must keep.
#ifndef MOEC_TEST_RUNTIME_CUDA_STATE_H
#define MOEC_TEST_RUNTIME_CUDA_STATE_H

#include "runtime/devices/emulator/Emulator.h"
#include "test/runtime/cuda/StandIn.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace moec::test::standin {

// Codes of the driver's public interface.
enum Code : int {
  success = 0,
  invalidValue = 1,
  tooLargeForCooperation = 720,
  outOfMemory = 2,
  notInitialized = 3,
  invalidDevice = 101,
  invalidContext = 201,
  noBinary = 209,
  invalidPtx = 218,
  invalidHandle = 400,
  notFound = 500,
  illegalAddress = 700,
  firstSticky = 700,
  captureUnsupported = 900,
  captureInvalidated = 901,
};

enum class Kind { context, module, function, stream, event, graph, graphExec };
const char *nameOf(Kind kind);

/// Something that a stream will do; gives a code.
using Work = std::function<int()>;

struct Context;

struct Object {
  Kind kind;
  Context *owner = nullptr; ///< the context that was current when it was made
};
struct Context : Object {
  static constexpr Kind ofKind = Kind::context;
  int sticky = 0; ///< the fault that ended it
};
struct Allocation {
  size_t bytes = 0;
  Context *owner = nullptr;
};
using Allocations = std::map<uint64_t, Allocation>; ///< by address
struct Module : Object {
  static constexpr Kind ofKind = Kind::module;
  const runtime::emulator::Module *decoded = nullptr; ///< null for assembled code, which is not executed
};
struct Function : Object {
  static constexpr Kind ofKind = Kind::function;
  Module *module = nullptr;
  std::string name;
  const runtime::emulator::Function *entry = nullptr;
  unsigned mostDynamicSharedBytes = 48 << 10;
};
struct Graph : Object {
  static constexpr Kind ofKind = Kind::graph;
  std::vector<Work> works;
};
struct GraphExec : Object {
  static constexpr Kind ofKind = Kind::graphExec;
  std::vector<Work> works;
};
struct Stream : Object {
  static constexpr Kind ofKind = Kind::stream;
  std::deque<Work> waiting;
  uint64_t enqueued = 0, executed = 0;
  std::unique_ptr<Graph> capturing;
  bool invalidated = false;
};
struct Event : Object {
  static constexpr Kind ofKind = Kind::event;
  bool isTimed = false;
  Stream *stream = nullptr;
  uint64_t after = 0; ///< so many works of the stream
};

/// What a function needs before it may be called.
enum class Needs { nothing, driver, context };
/// Whether a failure that is injected keeps the call from doing anything: what gives things back does so all the same.
enum class Injected { replaces, accompanies };

struct State {
  StandInMachine machine;
  uint64_t calls = 0, failAt = ~uint64_t(0);
  int failWith = 0;
  bool initialised = false, pushFailed = false;
  std::map<std::string, uint64_t> callsOf;
  std::vector<std::string> complaints;
  std::map<const void *, std::unique_ptr<Object, void (*)(Object *)>> objects;
  std::vector<Context *> current; ///< the last is on top
  Allocations device, pinned;
  size_t usedBytes = 0;
  std::unique_ptr<runtime::emulator::Emulator> emulator;

  /// Does what every call has in common, and `body` when nothing speaks against it.
  int call(const char *name, Needs needs, Injected injected, const std::function<int()> &body);
  int complain(int code, const std::string &what);

  template <typename T> T *make() {
    T *object = new T;
    object->kind = T::ofKind;
    object->owner = context();
    objects.emplace(object,
                    std::unique_ptr<Object, void (*)(Object *)>(object, [](Object *held) { delete static_cast<T *>(held); }));
    return object;
  }
  /// The live object of a handle, or null and a complaint.
  template <typename T> T *find(const void *handle) {
    auto found = objects.find(handle);
    if (found != objects.end() && found->second->kind == T::ofKind)
      return static_cast<T *>(found->second.get());
    complain(invalidHandle, std::string("no such ") + nameOf(T::ofKind) + ": never made, or given back already");
    return nullptr;
  }
  template <typename T> int release(const void *handle) {
    if (!find<T>(handle))
      return invalidHandle;
    objects.erase(handle);
    return success;
  }

  /// The current context, or null.
  Context *context() const { return current.empty() ? nullptr : current.back(); }

  /// Whether [address, address + bytes) lies in one allocation of the map.
  static bool holds(const Allocations &allocations, uint64_t address, size_t bytes);
  void freeDevice(Allocations::iterator allocation);
  void freePinned(Allocations::iterator allocation);

  /// To the stream's queue, or to the graph that it records.
  int enqueue(Stream &stream, Work work);
  /// Executes the first works of a stream, up to number `until`; gives the fault of its context.
  int execute(Stream &stream, uint64_t until);
  /// Executes whatever waits on the streams of a context.
  void executeAll(Context *context);
  /// Calls that may not be made while a stream records spoil the recording.
  int refuseWhileCapturing();
  /// What a context still has, or everybody when it is null; a line for each kind.
  std::string held(const Context *owner) const;
  void removeAllOf(Context *owner);
};

State &state();

} // namespace moec::test::standin

#endif // MOEC_TEST_RUNTIME_CUDA_STATE_H
