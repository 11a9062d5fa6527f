// What the stand-in driver knows, and the rules that calls must keep.
#include "test/runtime/cuda/State.h"

#include <cstdlib>

using namespace moec::test::standin;
using namespace moec::runtime;

namespace {
std::string &callInProgress() {
  static std::string name;
  return name;
}

void reset(State &state, const StandInMachine &machine) {
  state.removeAllOf(nullptr);
  state = State();
  state.machine = machine;
  state.emulator = std::make_unique<emulator::Emulator>();
}
} // namespace

State &moec::test::standin::state() {
  static State state = [] {
    State made;
    reset(made, {});
    // For programs that know nothing of the stand-in: "CALL:CODE".
    if (const char *fail = std::getenv("MOEC_STAND_IN_FAIL")) {
      char *end = nullptr;
      made.failAt = std::strtoull(fail, &end, 10);
      made.failWith = *end == ':' ? std::atoi(end + 1) : 999;
    }
    return made;
  }();
  return state;
}

const char *moec::test::standin::nameOf(Kind kind) {
  const char *names[] = {"context", "module", "function", "stream", "event", "graph", "executable graph"};
  return names[size_t(kind)];
}

int State::complain(int code, const std::string &what) {
  complaints.push_back(callInProgress() + ": " + what);
  return code;
}

int State::call(const char *name, Needs needs, Injected injected, const std::function<int()> &body) {
  callInProgress() = name;
  ++callsOf[name];
  int failure = calls++ == failAt ? failWith : 0;
  if (failure >= firstSticky && failure < captureUnsupported && context())
    context()->sticky = failure;
  if (needs != Needs::nothing && !initialised)
    return complain(notInitialized, "cuInit was not called");
  if (failure && injected == Injected::replaces) {
    pushFailed |= callInProgress() == "cuCtxPushCurrent_v2";
    return failure;
  }
  if (needs == Needs::context && current.empty())
    return pushFailed ? invalidContext : complain(invalidContext, "no context is current");
  if (needs == Needs::context && injected == Injected::replaces && context()->sticky)
    return context()->sticky;
  int code = body();
  if (failure)
    return failure;
  return needs == Needs::context && context()->sticky ? context()->sticky : code;
}

bool State::holds(const Allocations &allocations, uint64_t address, size_t bytes) {
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin())
    return false;
  auto [begin, allocation] = *std::prev(after);
  return address - begin <= allocation.bytes && bytes <= allocation.bytes - (address - begin);
}

void State::freeDevice(Allocations::iterator allocation) {
  void *memory = reinterpret_cast<void *>(allocation->first);
  (void)emulator->memory().remove(memory);
  usedBytes -= allocation->second.bytes;
  device.erase(allocation);
  std::free(memory);
}

void State::freePinned(Allocations::iterator allocation) {
  void *memory = reinterpret_cast<void *>(allocation->first);
  pinned.erase(allocation);
  std::free(memory);
}

void State::removeAllOf(Context *owner) {
  for (auto next = device.begin(); next != device.end();)
    if (auto allocation = next++; !owner || allocation->second.owner == owner)
      freeDevice(allocation);
  for (auto next = pinned.begin(); next != pinned.end();)
    if (auto allocation = next++; !owner || allocation->second.owner == owner)
      freePinned(allocation);
  std::erase_if(objects, [&](const auto &entry) { return !owner || entry.second->owner == owner || entry.second.get() == owner; });
}

int State::enqueue(Stream &stream, Work work) {
  if (stream.capturing) {
    stream.capturing->works.push_back(std::move(work));
    return success;
  }
  stream.waiting.push_back(std::move(work));
  ++stream.enqueued;
  return success;
}

int State::execute(Stream &stream, uint64_t until) {
  while (stream.executed < until) {
    Work work = std::move(stream.waiting.front());
    stream.waiting.pop_front();
    ++stream.executed;
    if (!stream.owner->sticky)
      stream.owner->sticky = work();
  }
  return stream.owner->sticky;
}

void State::executeAll(Context *context) {
  for (auto &[handle, object] : objects)
    if (object->kind == Kind::stream && object->owner == context) {
      Stream &stream = static_cast<Stream &>(*object);
      execute(stream, stream.enqueued);
    }
}

int State::refuseWhileCapturing() {
  for (auto &[handle, object] : objects)
    if (object->kind == Kind::stream && object->owner == context() && static_cast<Stream &>(*object).capturing) {
      static_cast<Stream &>(*object).invalidated = true;
      return complain(captureUnsupported, "not allowed while a stream records");
    }
  return success;
}

std::string State::held(const Context *owner) const {
  std::map<std::string, int> counts;
  for (const auto &[handle, object] : objects)
    if (object->kind != Kind::function && (!owner || object->owner == owner)) // functions belong to their modules
      ++counts[nameOf(object->kind)];
  for (const auto &[address, allocation] : device)
    if (!owner || allocation.owner == owner)
      ++counts["allocation of device memory"];
  for (const auto &[address, allocation] : pinned)
    if (!owner || allocation.owner == owner)
      ++counts["allocation of pinned memory"];
  if (!owner && !current.empty())
    counts["current context"] = int(current.size());
  std::string text;
  for (auto &[name, count] : counts)
    text += "still held: " + std::to_string(count) + " x " + name + "\n";
  return text;
}

void standInReset(const StandInMachine *machine) { reset(state(), *machine); }

void standInFail(uint64_t call, int code) {
  state().failAt = call;
  state().failWith = code;
}

uint64_t standInCalls(const char *name) { return name ? state().callsOf[name] : state().calls; }

const char *standInComplaints() {
  static std::string text;
  text.clear();
  for (const std::string &complaint : state().complaints)
    text += complaint + "\n";
  text += state().held(nullptr);
  return text.c_str();
}
