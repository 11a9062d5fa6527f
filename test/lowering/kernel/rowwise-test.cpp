// Row-wise groups, embedding and the choice of outputs against the reference evaluator.
#include "KernelRun.h"

#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

using namespace moec::test;

static void check(const std::string &text, double tolerance = 1e-5, std::vector<Sequence> step = {{0, 3}, {61, 9}}) {
  SCOPED_TRACE(text);
  KernelRun run(text);
  run.setStep(step);
  run.makeUp(11);
  run.expectAsEvaluated(tolerance);
  run.expectSameRowsAlone();
}

TEST(RMSNorm, Widths) {
  for (int64_t width : {1, 7, 16, 33, 256})
    check(llvm::formatv("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64: {0}>] {{\n"
                        "^bb0(%x: tensor<?x{0}xf32>, %w: tensor<{0}xbf16>):\n"
                        "  %y = moe.rms_norm %x, %w {{epsilon = 1.0e-6 : f64} : tensor<?x{0}xf32>, tensor<{0}xbf16>\n"
                        "  plan.return %y : tensor<?x{0}xf32>\n}\n",
                        width));
}

TEST(RMSNorm, HeadsWithoutWeight) {
  check("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>] {\n^bb0(%x: tensor<?x60xf32>):\n"
        "  %y = moe.rms_norm %x {epsilon = 1.0e-5 : f64, group = 20 : i64} : tensor<?x60xf32>\n"
        "  plan.return %y : tensor<?x60xf32>\n}\n");
}

TEST(LayerNorm, Groups) {
  for (int64_t width : {1, 7, 16, 33, 128})
    check(llvm::formatv("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64: {0}>, array<i64: {0}>] {{\n"
                        "^bb0(%x: tensor<?x{1}xf32>, %w: tensor<{0}xbf16>, %b: tensor<{0}xf32>):\n"
                        "  %y = moe.layer_norm %x, %w, %b {{epsilon = 1.0e-6 : f64}"
                        " : tensor<?x{1}xf32>, tensor<{0}xbf16>, tensor<{0}xf32>\n"
                        "  plan.return %y : tensor<?x{1}xf32>\n}\n",
                        width, 2 * width));
}

TEST(LayerNorm, WithoutBias) {
  for (int64_t width : {7, 33})
    check(llvm::formatv("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64: {0}>] {{\n"
                        "^bb0(%x: tensor<?x{1}xf32>, %w: tensor<{0}xbf16>):\n"
                        "  %y = moe.layer_norm %x, %w {{epsilon = 1.0e-6 : f64} : tensor<?x{1}xf32>, tensor<{0}xbf16>\n"
                        "  plan.return %y : tensor<?x{1}xf32>\n}\n",
                        width, 2 * width));
}

TEST(ScaleByPosition, Rows) {
  check("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>] {\n"
        "^bb0(%x: tensor<?x37xf32>, %batch: !moe.batch):\n"
        "  %y = moe.scale_by_position %x at %batch {scale = #moe.position_scale<beta = 0.1, original_positions = 8, shift = 1>}"
        " : tensor<?x37xf32>\n  plan.return %y : tensor<?x37xf32>\n}\n");
}

TEST(Rope, LayoutsAndSlices) {
  for (const char *rotary :
       {"dims = 16, theta = 1.0e4, layout = interleaved, offset = 4", "dims = 24, theta = 5.0e5, layout = half",
        "dims = 8, theta = 1.0e4, layout = half, offset = 16, multiplier = 1.25, inverse = true"})
    for (const char *scale : {"", ", position_scale = #moe.position_scale<beta = 0.1, original_positions = 8>"})
      check(llvm::formatv("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>] {{\n"
                          "^bb0(%x: tensor<?x72xf32>, %batch: !moe.batch):\n"
                          "  %y = moe.rope %x at %batch {{head_dim = 24 : i64, rotary = #moe.rotary<{0}>{1}} : tensor<?x72xf32>\n"
                          "  plan.return %y : tensor<?x72xf32>\n}\n",
                          rotary, scale));
}

/// A group as fusing makes it: a sum, its norm, slices, a rotation, a cache write; one result is a slice, another is returned
/// twice.
TEST(Rowwise, Group) {
  for (const char *type : {"f32", "bf16"})
    check(llvm::formatv(
        "plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>, array<i64: 40>, array<i64>] {{\n"
        "^bb0(%x: tensor<?x40xf32>, %y: tensor<?x40xf32>, %w: tensor<40xbf16>, %batch: !moe.batch):\n"
        "  moe.cache @cache0 : tensor<?x40x{0}>\n"
        "  %s, %n, %c = moe.rowwise(%x, %y, %w, %batch) : (tensor<?x40xf32>, tensor<?x40xf32>, tensor<40xbf16>, !moe.batch) ->\n"
        "    (tensor<?x40xf32>, tensor<?x40xf32>, tensor<?x24xf32>) {{\n"
        "  ^bb0(%a: tensor<?x40xf32>, %b: tensor<?x40xf32>, %v: tensor<40xbf16>, %at: !moe.batch):\n"
        "    %sum = arith.addf %a, %b : tensor<?x40xf32>\n"
        "    %norm = moe.rms_norm %sum, %v {{epsilon = 1.0e-6 : f64} : tensor<?x40xf32>, tensor<40xbf16>\n"
        "    %left = moe.columns %norm from 0 : tensor<?x40xf32> -> tensor<?x24xf32>\n"
        "    %right = moe.columns %norm from 24 : tensor<?x40xf32> -> tensor<?x16xf32>\n"
        "    %turned = moe.rope %right at %at {{head_dim = 16 : i64, rotary = #moe.rotary<dims = 16, theta = 1.0e4, layout = half>}"
        " : tensor<?x16xf32>\n"
        "    moe.append %left, %turned to @cache0 at %at : tensor<?x24xf32>, tensor<?x16xf32>\n"
        "    moe.yield %sum, %norm, %left : tensor<?x40xf32>, tensor<?x40xf32>, tensor<?x24xf32>\n"
        "  }\n"
        "  plan.return %s, %n, %c, %s : tensor<?x40xf32>, tensor<?x40xf32>, tensor<?x24xf32>, tensor<?x40xf32>\n}\n",
        type));
}

TEST(Rowwise, Arithmetic) {
  check("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64>] {\n"
        "^bb0(%x: tensor<?x37xf32>, %y: tensor<?x37xf32>):\n"
        "  %a = arith.mulf %x, %y : tensor<?x37xf32>\n  %b = arith.subf %a, %x : tensor<?x37xf32>\n"
        "  %d = moe.activate %b, %y {activation = #moe.activation<kind = silu>} : tensor<?x37xf32>\n"
        "  plan.return %d, %x : tensor<?x37xf32>, tensor<?x37xf32>\n}\n");
}

static std::string route(int64_t experts, const char *routing, int64_t k, bool bias) {
  std::string biasType = llvm::formatv("tensor<{0}xf32>", experts);
  return llvm::formatv(
      "plan.kernel @k items 1 per tokens rows tokens parts [array<i64>{0}] {{\n^bb0(%x: tensor<?x{1}xf32>{2}):\n"
      "  %ids, %w = moe.route %x{3} {{routing = #moe.routing<k = {4}, {5}>} : tensor<?x{1}xf32> -> tensor<?x{4}xi32>, "
      "tensor<?x{4}xf32>\n  plan.return %ids, %w : tensor<?x{4}xi32>, tensor<?x{4}xf32>\n}\n",
      bias ? llvm::formatv(", array<i64: {0}>", experts).str() : "", experts, bias ? ", %b: " + biasType : "",
      bias ? " bias %b (" + biasType + ")" : "", k, routing);
}

TEST(Route, Scores) {
  for (const char *score : {"score = softmax", "score = softmax, renormalize = true", "score = softmax_topk",
                            "score = sigmoid, renormalize = true, "
                            "epsilon = 1.0e-20, scale = 2.5",
                            "score = sqrt_softplus", "score = sparse_mixer, jitter_epsilon = 0.25"})
    for (int64_t k : {1, 4, 24})
      check(route(24, score, k, false));
}

TEST(Route, BiasAndGroups) {
  check(route(24, "score = sigmoid, renormalize = true", 5, true));
  check(route(24, "score = sigmoid, groups = 4, kept_groups = 2, group_score = top2_sum, scale = 2.5", 4, true));
  check(route(24, "score = softmax, groups = 6, kept_groups = 3", 3, false));
  check(route(24, "score = sigmoid, groups = 4, kept_groups = 2, mask_fill = zero", 4, true));
}

TEST(Route, SigmoidsThatTieAreToldApartByLogits) {
  KernelRun run(route(24, "score = sigmoid", 4, false));
  run.setStep({{0, 2}});
  Tensor logits({2, 24});
  for (int64_t i = 0; i < 48; ++i)
    logits.elements[i] = double(20 + i * 7 % 24);
  run.give(0, logits);
  run.makeUp(0);
  run.expectAsEvaluated(1e-6);
}

TEST(Route, TiesGoToTheLowest) {
  KernelRun run(route(24, "score = sigmoid, groups = 4, kept_groups = 2", 4, false));
  run.setStep({{0, 2}});
  Tensor logits({2, 24});
  for (int64_t i = 24; i < 48; ++i)
    logits.elements[i] = double(i % 3);
  run.give(0, logits);
  run.makeUp(0);
  run.expectAsEvaluated(1e-6);
}

TEST(Route, Table) {
  KernelRun run(
      "plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64: 5>, array<i64>] {\n"
      "^bb0(%x: tensor<?x8xf32>, %table: tensor<5x3xi32>, %tokens: tensor<?xi32>):\n"
      "  %ids, %w = moe.route %x table %table (tensor<5x3xi32>) for %tokens {routing = #moe.routing<k = 3, score = sqrt_softplus, "
      "renormalize = true>} : tensor<?x8xf32> -> tensor<?x3xi32>, tensor<?x3xf32>\n"
      "  plan.return %ids, %w : tensor<?x3xi32>, tensor<?x3xf32>\n}\n");
  run.setStep({{0, 4}});
  run.give(1, Tensor({5, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 3, 5, 7, 6, 4}));
  run.give(2, Tensor({4}, {4, 0, 2, 2}));
  run.makeUp(0);
  run.expectAsEvaluated(1e-5);
}

TEST(Model, EmbedAndGatherOutputs) {
  KernelRun embed(
      "plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64: 9>] {\n"
      "^bb0(%ids: tensor<?xi32>, %table: tensor<9x21xbf16>):\n"
      "  %x = moe.embed %ids, %table : tensor<9x21xbf16> -> tensor<?x21xf32>\n  plan.return %x : tensor<?x21xf32>\n}\n");
  embed.setStep({{0, 4}});
  embed.give(0, Tensor({4}, {8, 0, 3, 3}));
  embed.makeUp(0);
  embed.expectAsEvaluated(0);

  KernelRun gather("plan.kernel @k items 1 per outputs rows outputs parts [array<i64>, array<i64>] {\n"
                   "^bb0(%x: tensor<?x21xf32>, %batch: !moe.batch):\n"
                   "  %y = moe.gather_outputs %x at %batch : tensor<?x21xf32>\n  plan.return %y : tensor<?x21xf32>\n}\n");
  gather.setStep({{0, 4}, {3, 2}}, {3, 4});
  gather.makeUp(0);
  gather.expectAsEvaluated(0);
}
