// The stand-in driver's streams, events, launches and graphs. Work is done when somebody waits for it, not before.
#include "test/runtime/cuda/State.h"

#include <cstring>

using namespace moec::test::standin;
using namespace moec::runtime;

namespace {
/// A launch with the values that its parameters have now.
int launch(State &s, Stream &stream, Function &function, const emulator::Dimensions &grid, const emulator::Dimensions &block,
           unsigned shared, void **parameters, bool isCooperative) {
  if (!function.entry) // assembled code is not executed
    return s.enqueue(stream, [] { return success; });
  std::vector<std::byte> values(function.entry->parameterBytes);
  for (size_t i = 0; i < function.entry->parameters.size(); ++i) {
    const emulator::Parameter &parameter = function.entry->parameters[i];
    if (parameter.bytes != 8)
      return s.complain(invalidValue, function.name + ": parameter " + std::to_string(i) + " is no address");
    uint64_t address;
    std::memcpy(&address, parameters[i], sizeof address);
    if (address && !State::holds(s.device, address, 1))
      return s.complain(invalidValue, function.name + ": parameter " + std::to_string(i) + " lies in no allocation");
    std::memcpy(values.data() + parameter.offset, &address, sizeof address);
  }
  const emulator::Module *module = function.module->decoded;
  return s.enqueue(stream, [=, name = function.name, values = std::move(values)]() -> int {
    emulator::LaunchArguments arguments{.grid = grid, .block = block, .dynamicSharedBytes = shared, .parameters = values};
    arguments.cooperative = isCooperative;
    Status status = state().emulator->launch(*module, name, arguments);
    return status.ok() ? success : state().complain(illegalAddress, status.message());
  });
}

/// The same for handles, after what every launch is held to.
int launch(void *function, const emulator::Dimensions &grid, const emulator::Dimensions &block, unsigned shared, void *stream,
           void **parameters, bool isCooperative) {
  State &s = state();
  Function *found = s.find<Function>(function);
  Stream *on = s.find<Stream>(stream);
  if (!found || !on)
    return invalidHandle;
  if (!grid.count() || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535 || !block.count() || block.count() > 1024)
    return s.complain(invalidValue, found->name + ": grid or block out of range");
  if (shared > found->mostDynamicSharedBytes)
    return s.complain(invalidValue, found->name + ": more dynamic shared memory than its attribute allows");
  if (!parameters)
    return s.complain(invalidValue, found->name + ": expected parameters");
  return launch(s, *on, *found, grid, block, shared, parameters, isCooperative);
}
} // namespace

extern "C" {
int cuStreamCreate(void **stream, unsigned flags) {
  return state().call(__func__, Needs::context, Injected::replaces, [&] {
    *stream = state().make<Stream>();
    return success;
  });
}

int cuStreamDestroy_v2(void *stream) {
  return state().call(__func__, Needs::context, Injected::accompanies, [&]() -> int {
    Stream *found = state().find<Stream>(stream);
    if (!found)
      return invalidHandle;
    state().execute(*found, found->enqueued);
    return state().release<Stream>(stream);
  });
}

int cuStreamSynchronize(void *stream) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    Stream *found = state().find<Stream>(stream);
    if (!found)
      return invalidHandle;
    if (int code = state().refuseWhileCapturing())
      return code;
    return state().execute(*found, found->enqueued);
  });
}

int cuEventCreate(void **event, unsigned flags) {
  return state().call(__func__, Needs::context, Injected::replaces, [&] {
    Event *made = state().make<Event>();
    made->isTimed = flags == 0;
    *event = made;
    return success;
  });
}

int cuEventDestroy_v2(void *event) {
  return state().call(__func__, Needs::context, Injected::accompanies, [&] { return state().release<Event>(event); });
}

int cuEventRecordWithFlags(void *event, void *stream, unsigned flags) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    Event *found = state().find<Event>(event);
    Stream *on = state().find<Stream>(stream);
    if (!found || !on)
      return invalidHandle;
    if (flags > 1 || (flags == 1) != bool(on->capturing))
      return state().complain(invalidValue, "expected the event to belong to a graph while the stream records one, and not else");
    if (flags == 1)
      return state().enqueue(*on, [=] {
        found->stream = on;
        found->after = on->executed;
        return success;
      });
    found->stream = on;
    found->after = on->enqueued;
    return success;
  });
}

int cuEventElapsedTime(float *milliseconds, void *start, void *end) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    for (void *event : {start, end}) {
      Event *found = state().find<Event>(event);
      if (!found)
        return invalidHandle;
      if (!found->isTimed)
        return state().complain(invalidValue, "the event takes no time");
      if (!found->stream || found->after > found->stream->executed)
        return state().complain(invalidValue, "the event was never recorded, or nobody waited for it");
    }
    const Event *first = state().find<Event>(start), *last = state().find<Event>(end);
    if (first->stream != last->stream || first->after > last->after)
      return state().complain(invalidValue, "expected the later event of a stream behind the earlier one");
    *milliseconds = 0.5f * float(last->after - first->after); // half of one for each work between them
    return success;
  });
}

int cuEventSynchronize(void *event) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    Event *found = state().find<Event>(event);
    if (!found)
      return invalidHandle;
    if (!found->stream)
      return state().complain(invalidValue, "the event was never recorded");
    if (int code = state().refuseWhileCapturing())
      return code;
    return state().execute(*found->stream, found->after);
  });
}

int cuLaunchKernel(void *function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                   unsigned blockZ, unsigned shared, void *stream, void **parameters, void **extra) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    if (extra)
      return state().complain(invalidValue, "expected nothing extra");
    return launch(function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, shared, stream, parameters, false);
  });
}

int cuLaunchCooperativeKernel(void *function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                              unsigned blockZ, unsigned shared, void *stream, void **parameters) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    const StandInMachine &machine = state().machine;
    emulator::Dimensions grid{gridX, gridY, gridZ};
    if (!machine.isCooperative || grid.count() > uint64_t(machine.multiprocessors) * machine.blocksOfMultiprocessor)
      return state().complain(tooLargeForCooperation, "more blocks than can wait for each other");
    return launch(function, grid, {blockX, blockY, blockZ}, shared, stream, parameters, true);
  });
}

int cuStreamBeginCapture_v2(void *stream, int mode) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    Stream *found = state().find<Stream>(stream);
    if (!found)
      return invalidHandle;
    if (found->capturing || mode < 0 || mode > 2)
      return state().complain(invalidValue, "the stream records already, or an unknown mode");
    found->capturing = std::make_unique<Graph>();
    found->invalidated = false;
    return success;
  });
}

int cuStreamEndCapture(void *stream, void **graph) {
  return state().call(__func__, Needs::context, Injected::accompanies, [&]() -> int {
    State &s = state();
    Stream *found = s.find<Stream>(stream);
    if (!found)
      return invalidHandle;
    if (!found->capturing)
      return s.complain(invalidValue, "the stream does not record");
    std::unique_ptr<Graph> captured = std::move(found->capturing);
    *graph = nullptr;
    if (found->invalidated)
      return captureInvalidated;
    if (s.context()->sticky || s.failAt + 1 == s.calls) // the recording is lost with the call that ends it
      return s.context()->sticky;
    Graph *made = s.make<Graph>();
    made->works = std::move(captured->works);
    *graph = made;
    return success;
  });
}

int cuGraphDestroy(void *graph) {
  return state().call(__func__, Needs::context, Injected::accompanies, [&] { return state().release<Graph>(graph); });
}

int cuGraphInstantiateWithFlags(void **exec, void *graph, unsigned long long flags) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    Graph *found = state().find<Graph>(graph);
    if (!found)
      return invalidHandle;
    GraphExec *made = state().make<GraphExec>();
    made->works = found->works;
    *exec = made;
    return success;
  });
}

int cuGraphLaunch(void *exec, void *stream) {
  return state().call(__func__, Needs::context, Injected::replaces, [&]() -> int {
    GraphExec *found = state().find<GraphExec>(exec);
    Stream *on = state().find<Stream>(stream);
    if (!found || !on)
      return invalidHandle;
    for (const Work &work : found->works)
      state().enqueue(*on, work);
    return success;
  });
}

int cuGraphExecDestroy(void *exec) {
  return state().call(__func__, Needs::context, Injected::accompanies, [&]() -> int {
    state().executeAll(state().context());
    return state().release<GraphExec>(exec);
  });
}
}
