// RUN: moe-opt %s --moe-normalize-routing | FileCheck %s
// RUN: moe-opt %s --check-passes --moe-normalize-routing -o /dev/null

moe.weight @b : tensor<4xf32> = [#moe.slice<"b" in "m" at 0 rows 4>]

// The share of an expert among the chosen is that of its logit's softmax among theirs.
// CHECK-LABEL: @renormalized
// CHECK: moe.route %arg0 {routing = #moe.routing<k = 2, score = softmax_topk, scale = 2.000000e+00>}
func.func @renormalized(%l: tensor<?x4xf32>) -> tensor<?x2xf32> {
  %ids, %w = moe.route %l {routing = #moe.routing<k = 2, score = softmax, renormalize = true, scale = 2.0>} : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return %w : tensor<?x2xf32>
}

// A bias chooses by shares, and so does nothing else that it is added to.
// CHECK-LABEL: @biased
// CHECK: score = softmax, renormalize = true
func.func @biased(%l: tensor<?x4xf32>) -> tensor<?x2xf32> {
  %b = moe.get_weight @b : tensor<4xf32>
  %ids, %w = moe.route %l bias %b (tensor<4xf32>) {routing = #moe.routing<k = 2, score = softmax, renormalize = true>} : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return %w : tensor<?x2xf32>
}

// An epsilon counts, and so do shares of all experts.
// CHECK-LABEL: @epsilon
// CHECK: score = softmax, renormalize = true, epsilon = 1.000000e-01
// CHECK: score = softmax>
func.func @epsilon(%l: tensor<?x4xf32>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %i, %w = moe.route %l {routing = #moe.routing<k = 2, score = softmax, renormalize = true, epsilon = 0.1>} : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %j, %v = moe.route %l {routing = #moe.routing<k = 2, score = softmax>} : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return %w, %v : tensor<?x2xf32>, tensor<?x2xf32>
}

// One group is none.
// CHECK-LABEL: @one_group
// CHECK: {routing = #moe.routing<k = 2, score = sigmoid>}
func.func @one_group(%l: tensor<?x4xf32>) -> tensor<?x2xf32> {
  %ids, %w = moe.route %l {routing = #moe.routing<k = 2, score = sigmoid, group_score = top2_sum, mask_fill = zero>} : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return %w : tensor<?x2xf32>
}
