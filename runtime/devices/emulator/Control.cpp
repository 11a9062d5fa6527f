// Branches, calls, returns, and what ends a kernel.
#include "runtime/devices/emulator/Access.h"
#include "runtime/devices/emulator/Block.h"
#include "runtime/devices/emulator/ControlFlow.h"
#include "runtime/devices/emulator/Decoder.h"

#include <bit>

using namespace moec::runtime::emulator;

namespace {
void branch(Warp &warp, const Instruction &i) {
  const Path &path = warp.path();
  LaneMask others = path.lanes & ~warp.active;
  if (!others)
    warp.path().pc = i.target;
  else
    warp.part(
        std::array{Path{path.pc, i.reconvergence, others, path.frame}, Path{i.target, i.reconvergence, warp.active, path.frame}});
}

/// brx.idx: the lanes of each target part in turn.
void branchIndexed(Warp &warp, const Instruction &i) {
  const std::vector<uint32_t> &table = warp.launch.module.branchTables[i.target];
  const uint32_t *index = warp.source<uint32_t>(i, 0);
  LaneMask rest = warp.active;
  forEachLane(warp.active, [&](unsigned lane) {
    if (index[lane] >= table.size())
      rest &= ~(LaneMask(1) << lane);
  });
  if (rest != warp.active)
    return warp.abort(ReportKind::trap, unsigned(std::countr_zero(warp.active & ~rest)),
                      "the index of the branch is not below " + std::to_string(table.size()));
  std::vector<Path> ways;
  while (rest) {
    uint32_t wanted = index[std::countr_zero(rest)];
    LaneMask taken = 0;
    forEachLane(rest, [&](unsigned lane) { taken |= LaneMask(index[lane] == wanted) << lane; });
    rest &= ~taken;
    ways.push_back({table[wanted], i.reconvergence, taken, warp.path().frame});
  }
  if (LaneMask others = warp.path().lanes & ~warp.active)
    ways.push_back({warp.path().pc, i.reconvergence, others, warp.path().frame});
  warp.part(ways);
}

void leave(Warp &warp, const Instruction &) { warp.leave(); }
void exitThreads(Warp &warp, const Instruction &) { warp.exit(warp.active); }
void trap(Warp &warp, const Instruction &) {
  warp.abort(ReportKind::trap, unsigned(std::countr_zero(warp.active)), "the kernel gives up here");
}
void nothing(Warp &, const Instruction &) {}

void call(Warp &warp, const Instruction &i) { warp.call(i.target); }

/// Copies `reconvergence` bytes of each lane's local memory from `offset` to `target`: arguments, and what functions return, whose
/// places are fixed.
void copyArgument(Warp &warp, const Instruction &i) {
  forEachLane(warp.active, [&](unsigned lane) {
    size_t from = warp.localIndex(lane, uint64_t(i.offset)), to = warp.localIndex(lane, i.target);
    std::memcpy(&warp.local[to], &warp.local[from], i.reconvergence);
    std::memcpy(&warp.localWritten[to], &warp.localWritten[from], i.reconvergence);
  });
}

void decodeBranch(Decoder &d) {
  d.take("uni");
  d.expectOperands(1, 1);
  d.jumpTo(0);
  d.executeWith(&branch);
}
void decodeBranchIndexed(Decoder &d) {
  if (!d.take("idx"))
    d.fail("expected .idx");
  d.take("uni");
  d.expectOperands(2, 2);
  d.source(0, Type::u32);
  d.instruction.strict = 1;
  d.instruction.isIndexedBranch = true;
  d.jumpTo(1);
  d.executeWith(&branchIndexed);
}
/// Copies between the variables that a call names and the parameters of its callee.
void copyArguments(Decoder &d, const SyntaxOperand &list, const std::vector<Parameter> &parameters, bool into) {
  if (list.elements.size() != parameters.size())
    return d.fail("expected " + std::to_string(parameters.size()) + " parameters, got " + std::to_string(list.elements.size()));
  for (size_t k = 0; k < parameters.size(); ++k) {
    Symbol *argument = d.symbols.find(list.elements[k].name);
    if (!argument || argument->kind != Symbol::Kind::local || argument->bytes != parameters[k].bytes)
      return d.fail("expected '" + std::string(list.elements[k].name) + "' to be a parameter of " +
                    std::to_string(parameters[k].bytes) + " bytes");
    Instruction copy;
    copy.execute = &copyArgument;
    copy.offset = int64_t(into ? argument->address : parameters[k].offset);
    copy.target = uint32_t(into ? parameters[k].offset : argument->address);
    copy.reconvergence = parameters[k].bytes;
    (into ? d.before : d.after).push_back(copy);
  }
}

/// call (result), function, (arguments)
void decodeCall(Decoder &d) {
  d.take("uni");
  d.expectOperands(1, 3);
  static const SyntaxOperand none;
  size_t k = d.syntax(0).kind == SyntaxOperand::Kind::list;
  const SyntaxOperand &results = k ? d.syntax(0) : none, &callee = d.syntax(k);
  const SyntaxOperand &arguments = k + 1 < d.operands() ? d.syntax(k + 1) : none;
  Symbol *symbol = d.symbols.find(callee.name);
  if (!symbol || symbol->kind != Symbol::Kind::function)
    return d.fail("'" + std::string(callee.name) + "' is no function declared before");
  const Function &function = d.module.functions[symbol->address];
  copyArguments(d, arguments, function.parameters, true);
  copyArguments(d, results, function.returns, false);
  d.instruction.target = uint32_t(symbol->address);
  d.function().callees.push_back(uint32_t(symbol->address));
  d.executeWith(&call);
}

void decodeReturn(Decoder &d) {
  d.take("uni");
  d.expectOperands(0, 0);
  d.executeWith(&leave);
}
template <Execute execute> void decodePlain(Decoder &d) {
  d.expectOperands(0, 0);
  d.executeWith(execute);
}
} // namespace

bool moec::runtime::emulator::isBranch(const Instruction &i) { return i.execute == &branch || i.execute == &branchIndexed; }
bool moec::runtime::emulator::isExit(const Instruction &i) {
  return i.execute == &leave || i.execute == &exitThreads || i.execute == &trap;
}

std::span<const Mnemonic> moec::runtime::emulator::controlMnemonics() {
  static constexpr Mnemonic mnemonics[] = {
      {"bra", decodeBranch},
      {"brx", decodeBranchIndexed},
      {"call", decodeCall},
      {"ret", decodeReturn},
      {"exit", decodePlain<&exitThreads>},
      {"trap", decodePlain<&trap>},
      {"brkpt", decodePlain<&nothing>},
  };
  return mnemonics;
}
