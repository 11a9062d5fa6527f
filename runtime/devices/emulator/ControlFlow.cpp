// Post-dominators by the iterative algorithm of Cooper, Harvey and Kennedy on the reversed graph.
#include "runtime/devices/emulator/ControlFlow.h"

#include <algorithm>

using namespace moec::runtime::emulator;

namespace {
class PostDominators {
public:
  PostDominators(const Module &module, const Function &function) : module(module), begin(function.begin), end(function.end) {
    cutBlocks();
    connect();
    order();
    solve();
  }

  /// The first instruction of the block that the paths from a branch meet at.
  uint32_t after(uint32_t branch) const {
    uint32_t meeting = dominator[blockOf[branch - begin]];
    return meeting == unknown || meeting == exitBlock() ? noTarget : starts[meeting];
  }

private:
  static constexpr uint32_t unknown = ~uint32_t(0);

  uint32_t exitBlock() const { return uint32_t(starts.size()); }
  const Instruction &at(uint32_t index) const { return module.instructions[index]; }

  template <class Body> void forEachTarget(const Instruction &i, Body body) const {
    if (!i.isIndexedBranch)
      return body(i.target);
    for (uint32_t target : module.branchTables[i.target])
      body(target);
  }

  void cutBlocks() {
    std::vector<bool> leads(end - begin + 1);
    leads[0] = true;
    for (uint32_t index = begin; index < end; ++index) {
      if (isBranch(at(index)))
        forEachTarget(at(index), [&](uint32_t target) { leads[target - begin] = true; });
      if (isBranch(at(index)) || isExit(at(index)))
        leads[index + 1 - begin] = true;
    }
    blockOf.resize(end - begin);
    for (uint32_t index = begin; index < end; ++index) {
      if (leads[index - begin])
        starts.push_back(index);
      blockOf[index - begin] = uint32_t(starts.size() - 1);
    }
  }

  void connect() {
    successors.resize(starts.size() + 1);
    predecessors.resize(starts.size() + 1);
    auto join = [&](uint32_t from, uint32_t to) {
      successors[from].push_back(to);
      predecessors[to].push_back(from);
    };
    for (uint32_t block = 0; block < starts.size(); ++block) {
      uint32_t next = block + 1 < starts.size() ? starts[block + 1] : end;
      const Instruction &last = at(next - 1);
      if (isBranch(last))
        forEachTarget(last, [&](uint32_t target) { join(block, blockOf[target - begin]); });
      if (isExit(last))
        join(block, exitBlock());
      bool goesOn = last.guarded || (!isBranch(last) && !isExit(last));
      if (goesOn)
        join(block, block + 1); // the last block ends in a return, so this is one
    }
  }

  /// Reverse post-order of the reversed graph, without recursion.
  void order() {
    position.assign(starts.size() + 1, unknown);
    std::vector<std::pair<uint32_t, size_t>> stack{{exitBlock(), 0}};
    std::vector<bool> seen(starts.size() + 1);
    seen[exitBlock()] = true;
    while (!stack.empty()) {
      auto &[block, next] = stack.back();
      if (next == predecessors[block].size()) {
        sequence.push_back(block);
        stack.pop_back();
        continue;
      }
      uint32_t before = predecessors[block][next++];
      if (!seen[before]) {
        seen[before] = true;
        stack.push_back({before, 0});
      }
    }
    std::reverse(sequence.begin(), sequence.end());
    for (uint32_t k = 0; k < sequence.size(); ++k)
      position[sequence[k]] = k;
  }

  uint32_t intersect(uint32_t a, uint32_t b) const {
    while (a != b) {
      while (position[a] > position[b])
        a = dominator[a];
      while (position[b] > position[a])
        b = dominator[b];
    }
    return a;
  }

  void solve() {
    dominator.assign(starts.size() + 1, unknown);
    dominator[exitBlock()] = exitBlock();
    for (bool changed = true; changed;) {
      changed = false;
      for (uint32_t block : sequence) {
        if (block == exitBlock())
          continue;
        uint32_t found = unknown;
        for (uint32_t after : successors[block])
          if (dominator[after] != unknown)
            found = found == unknown ? after : intersect(found, after);
        if (found != dominator[block]) {
          dominator[block] = found;
          changed = true;
        }
      }
    }
  }

  const Module &module;
  const uint32_t begin, end;
  std::vector<uint32_t> starts;  ///< first instruction of each block
  std::vector<uint32_t> blockOf; ///< by instruction
  std::vector<std::vector<uint32_t>> successors, predecessors;
  std::vector<uint32_t> sequence, position, dominator;
};
} // namespace

void moec::runtime::emulator::findReconvergence(Module &module, const Function &function) {
  PostDominators dominators(module, function);
  for (uint32_t index = function.begin; index < function.end; ++index)
    if (isBranch(module.instructions[index]))
      module.instructions[index].reconvergence = dominators.after(index);
}
