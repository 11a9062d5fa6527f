// Compiles the kernel of a plan for every target, runs it on made-up inputs, and compares with the reference evaluator.
#ifndef MOEC_TEST_LOWERING_KERNEL_KERNELRUN_H
#define MOEC_TEST_LOWERING_KERNEL_KERNELRUN_H

#include "CompiledKernel.h"

#include "dialects/plan/Plan.h"
#include "passes/evaluator/Evaluator.h"
#include "runtime/devices/emulator/Counters.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace moec::test {

using evaluator::Sequence;
using evaluator::Tensor;

/// Rows of a result, as the kernel left them.
using Bits = std::vector<uint32_t>;

class KernelRun {
public:
  /// Compiles `text`, one plan.kernel; a failure is a failure of the test.
  explicit KernelRun(const std::string &text, Tiles tiles = Tiles::early);
  ~KernelRun();

  /// What the step consists of; afterwards inputs are made up from `seed`, except those of `given` (by argument).
  void setStep(std::vector<Sequence> sequences, std::vector<int64_t> outputs = {});
  void give(unsigned argument, std::optional<Tensor> value); ///< nothing: it is made up again
  void makeUp(uint64_t seed);
  const Tensor &input(unsigned argument) const;
  /// Multiplies what was made up for an argument.
  void scale(unsigned argument, double factor);
  /// Puts something in place of every number that was made up for caches, rounded to their type.
  void changeCaches(llvm::function_ref<double(double)> change);

  /// What runs for every target leave, in order of the targets: the results' elements as they are in memory.
  std::vector<std::vector<Bits>> runAll();

  /// Runs for every target in one piece and in several, expects the same bits, and values as the evaluator's up to `tolerance`
  /// times the largest.
  void expectAsEvaluated(double tolerance);
  /// Expects that every token's row comes out the same to the bit when the step has no other token than those of its sequence up
  /// to it (attention) or no other token at all (anything else).
  void expectSameRowsAlone();
  /// What a run for the GPU target of that name does, as the emulator counts it.
  runtime::emulator::Counters count(const std::string &target);

private:
  /// Runs the kernel, its work cut into `pieces`; the results' elements as they are in memory.
  std::vector<Bits> run(CompiledKernel &kernel, int64_t pieces);
  /// The rows that a run left in cache `index`, of all sequences' positions, in f32.
  std::vector<float> cacheRows(unsigned index) const;

  struct Implementation;
  std::unique_ptr<Implementation> self;
};

} // namespace moec::test

#endif // MOEC_TEST_LOWERING_KERNEL_KERNELRUN_H
