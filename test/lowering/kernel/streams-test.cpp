// Residual streams side by side against the reference evaluator.
#include "KernelRun.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

using namespace moec::test;

static void check(const std::string &text, double tolerance = 1e-5) {
  SCOPED_TRACE(text);
  KernelRun run(text);
  run.setStep({{0, 3}, {61, 9}});
  run.makeUp(11);
  run.expectAsEvaluated(tolerance);
  run.expectSameRowsAlone();
}

static std::string weights(int64_t streams, int64_t columns, int64_t parts, int64_t iterations) {
  return llvm::formatv(
      "plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64: {1}>, array<i64: {0}>] {{\n"
      "^bb0(%x: tensor<?x{0}xf32>, %scale: tensor<{1}xf32>, %base: tensor<{0}xbf16>):\n"
      "  %w = moe.stream_weights %x, %scale, %base {{streams = {2} : i64, iterations = {3} : i64, epsilon = 1.0e-6 : "
      "f64} : tensor<?x{0}xf32>, tensor<{1}xf32>, tensor<{0}xbf16>\n"
      "  plan.return %w : tensor<?x{0}xf32>\n}\n",
      columns, parts, streams, iterations);
}

TEST(StreamWeights, OfLayersAndHeads) {
  for (int64_t iterations : {1, 2, 20})
    check(weights(4, 24, 3, iterations));
  check(weights(3, 15, 3, 5));
  check(weights(1, 3, 3, 5));
  check(weights(4, 4, 1, 20));
}

/// Around a layer: what it reads and what it leaves, in one group as fusing makes it.
TEST(Streams, MergeAndMix) {
  for (auto [streams, width] : {std::pair(4, 64), std::pair(3, 37), std::pair(1, 16)})
    check(
        llvm::formatv("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>, array<i64>] {{\n"
                      "^bb0(%y: tensor<?x{0}xf32>, %streams: tensor<?x{1}xf32>, %w: tensor<?x{2}xf32>):\n"
                      "  %next = moe.mix_streams %y into %streams by %w : tensor<?x{0}xf32>, tensor<?x{1}xf32>, tensor<?x{2}xf32>\n"
                      "  %x = moe.merge_streams %next by %w : tensor<?x{1}xf32>, tensor<?x{2}xf32> -> tensor<?x{0}xf32>\n"
                      "  plan.return %next, %x : tensor<?x{1}xf32>, tensor<?x{0}xf32>\n}\n",
                      width, streams * width, streams * (streams + 2)));
}

/// An embedding begins every stream.
TEST(Streams, Embedding) {
  KernelRun run("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64: 5>] {\n"
                "^bb0(%ids: tensor<?xi32>, %table: tensor<5x21xbf16>):\n"
                "  %x = moe.embed %ids, %table : tensor<5x21xbf16> -> tensor<?x63xf32>\n"
                "  plan.return %x : tensor<?x63xf32>\n}\n");
  run.setStep({{0, 4}});
  run.give(0, Tensor({4}, {4, 0, 3, 3}));
  run.makeUp(1);
  run.expectAsEvaluated(0);
}
