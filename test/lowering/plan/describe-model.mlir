// RUN: moe-opt %s --plan-describe-model='max-batch=4' | FileCheck %s

// A slice that two weights share counts once, a run with all of its slices; 4096 positions are the most without being asked for more.
// CHECK: plan.model "tiny" {bos = 0 : i64, compute = "bf16", eos = array<i64: 1, 2>, layers = 1 : i64, max_batch = 4 : i64, max_sequence = 4096 : i64, page_size = 64 : i64, parameters = 2112 : i64, vocabulary = 8 : i64}
// CHECK-NEXT: plan.routing layer 3 experts 8 k 2 "sigmoid scores, chosen with a bias, in the best 2 of 4 groups by top2_sum, others filled with negative_infinity, weights renormalized, scaled by 2.5{{[0e+]*}}" {moe.routing = #moe.routing<k = 2, score = sigmoid, groups = 4, kept_groups = 2, group_score = top2_sum, renormalize = true, scale = 2.5{{[0e+]*}}>, moe.selection_bias}
// CHECK-NEXT: moe.cache
module attributes {moe.family = "tiny", moe.vocabulary = 8 : i64, moe.max_positions = 8192 : i64, moe.bos = 0 : i64, moe.eos = [1, 2]} {
  moe.cache @layers.3.latent : tensor<?x80xf32>
  moe.weight @a : tensor<8x64xbf16> = [#moe.slice<"a" in "f" at 0 rows 8>]
  moe.weight @b : tensor<8x64xbf16> = [#moe.slice<"a" in "f" at 0 rows 8>]
  moe.weight @d : tensor<3x8x64xbf16> = [#moe.slice<"d" in "f" at 2048 rows 1 times 3 every 2048>]
  moe.weight @c : tensor<64xbf16> = [#moe.slice<"c" in "f" at 1024 rows 64>]
  func.func @prefill(%ids: tensor<?xi32>, %batch: !moe.batch, %l: tensor<?x8xf32>, %b: tensor<8xf32>, %x: tensor<?x64xf32>, %w: tensor<8x64xbf16>)
      -> (tensor<?x8xf32>, tensor<?x2xi32> {moe.output = "routing.3"}) attributes {moe.phase = "prefill"} {
    %chosen, %weights = moe.rowwise(%l, %b) : (tensor<?x8xf32>, tensor<8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>) {
    ^bb0(%logits: tensor<?x8xf32>, %bias: tensor<8xf32>):
      %i, %v = moe.route %logits bias %bias (tensor<8xf32>) {routing = #moe.routing<k = 2, score = sigmoid, groups = 4, kept_groups = 2,
        group_score = top2_sum, renormalize = true, scale = 2.5>} : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
      moe.yield %i, %v : tensor<?x2xi32>, tensor<?x2xf32>
    }
    %y = moe.linear %x, %w {compute = #moe<compute bf16>} : tensor<?x64xf32>, tensor<8x64xbf16> -> tensor<?x8xf32>
    return %y, %chosen : tensor<?x8xf32>, tensor<?x2xi32>
  }
}
