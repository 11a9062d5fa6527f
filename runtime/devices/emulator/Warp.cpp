// The execution loop of a warp, and how its threads part and meet.
#include "runtime/devices/emulator/Warp.h"

#include "runtime/devices/emulator/Block.h"
#include "runtime/devices/emulator/SpecialRegisters.h"
#include "runtime/devices/emulator/Symbols.h"

#include <bit>

using namespace moec::runtime::emulator;

void Warp::start(unsigned newNumber, unsigned threads) {
  number = newNumber;
  const Module &module = launch.module;
  constants = module.constants.data();
  slots = module.slots.data();
  existing = threads >= laneCount ? allLanes : (LaneMask(1) << threads) - 1;
  exited = 0;
  executed = 0;
  state = State::ready;
  registerFile.resize(launch.entry.depthRegisterBytes);
  writtenFile.resize(launch.entry.depthSlotCount);
  localBytes = module.functionLocalBytes + launch.entry.localBytes;
  local.assign(size_t(localBytes) * laneCount, std::byte(0));
  localWritten.assign(size_t(localBytes) * laneCount, 0);
  clock = Clock(launch.warps(), block.firstStamp);
  clock.set(number, block.firstStamp + 1);
  fences = {};
  lastRead.clear();
  copies = {};
  frames.clear();
  paths.assign(1, {launch.entry.begin, noTarget, existing, 0});
  enter(uint32_t(&launch.entry - module.functions.data()), 0, 0);
}

void Warp::enter(uint32_t function, uint32_t registerOffset, uint32_t maskOffset) {
  frames.push_back({function, registerOffset, maskOffset});
  useFrame(frames.back());
  const Function &entered = launch.module.functions[function];
  std::fill_n(written, entered.slotCount, 0);
  written[0] = allLanes;
  for (const SpecialUse &use : entered.specials) {
    writeSpecialRegister(*this, SpecialRegister(use.special), reinterpret_cast<uint32_t *>(registers + use.slot.offset));
    written[use.slot.index] = allLanes;
  }
}

void Warp::useFrame(const Frame &frame) {
  registers = registerFile.data() + frame.registers;
  written = writtenFile.data() + frame.masks;
}

void Warp::run(uint32_t budget) {
  while (budget-- && state == State::ready)
    step();
}

void Warp::step() {
  while (paths.back().pc == paths.back().reconvergence)
    paths.pop_back();
  Path &path = paths.back();
  const Instruction &i = launch.module.instructions[path.pc++];
  current = &i;
  active = path.lanes;
  ++executed;
  ++counters.instructions;
  if (i.guarded) {
    LaneMask holds;
    std::memcpy(&holds, at(i.guard), sizeof holds);
    if (LaneMask unknown = active & ~written[i.guard.index])
      report(ReportKind::uninitialised, unsigned(std::countr_zero(unknown)), "the guard has not been written");
    active &= i.negated ? ~holds : holds;
    if (!active)
      return;
  }
  const Slot *sources = slots + i.firstOperand + i.results; // null where no instruction of the module has operands
  known = allLanes;
  for (unsigned k = 0; k < i.sources; ++k) {
    known &= written[sources[k].index];
    if (k < i.strict && (active & ~known))
      report(ReportKind::uninitialised, unsigned(std::countr_zero(active & ~known)),
             "operand " + std::to_string(i.results + k + 1) + " has not been written");
  }
  i.execute(*this, i);
  if (!i.ownShadow)
    for (unsigned k = 0; k < i.results; ++k)
      setWritten(i, k, known);
}

void Warp::part(std::span<const Path> ways) {
  Path &path = paths.back();
  uint32_t meeting = ways[0].reconvergence;
  if (meeting == noTarget || meeting == path.reconvergence)
    paths.pop_back(); // a path below waits there for all of these
  else
    path.pc = meeting;
  for (const Path &way : ways)
    if (way.pc != meeting) // those that are there already wait
      paths.push_back(way);
}

void Warp::call(uint32_t function) {
  const Frame caller = frames[paths.back().frame];
  const Function &from = launch.module.functions[caller.function];
  uint32_t depth = paths.back().frame + 1;
  frames.resize(depth);
  paths.push_back({launch.module.functions[function].begin, noTarget, active, depth});
  enter(function, caller.registers + from.registerBytes, caller.masks + from.slotCount);
}

void Warp::leave() {
  uint32_t depth = paths.back().frame;
  if (depth == 0) {
    exit(active);
    return;
  }
  for (Path &path : paths)
    if (path.frame == depth)
      path.lanes &= ~active;
  while (!paths.back().lanes)
    paths.pop_back();
  useFrame(frames[paths.back().frame]);
}

void Warp::exit(LaneMask lanes) {
  exited |= lanes;
  for (Path &path : paths)
    path.lanes &= ~lanes;
  while (!paths.empty() && !paths.back().lanes)
    paths.pop_back();
  if (paths.empty())
    state = State::finished;
  else
    useFrame(frames[paths.back().frame]);
}

void Warp::noteRead(uint64_t digest) {
  auto [last, isNew] = lastRead.try_emplace(current, digest);
  if (!isNew && last->second == digest && state == State::ready)
    state = State::watching;
  last->second = digest;
}

size_t Warp::localIndex(unsigned lane, uint64_t address) const {
  size_t index = address < entryLocalStart ? address : address - entryLocalStart + launch.module.functionLocalBytes;
  return size_t(lane) * localBytes + index;
}

void Warp::report(ReportKind kind, unsigned lane, std::string message) {
  if (!launch.reports.count(current->line, kind))
    return;
  Report found;
  found.kind = kind;
  found.kernel = launch.entry.name;
  found.line = current->line;
  found.text = launch.module.lineText(current->line);
  found.block = block.at;
  found.thread = launch.blockSize.at(number * laneCount + lane);
  found.message = std::move(message);
  launch.reports.add(std::move(found));
}

void Warp::abort(ReportKind kind, unsigned lane, std::string message) {
  report(kind, lane, std::move(message));
  block.aborted = true;
  state = State::finished;
}
