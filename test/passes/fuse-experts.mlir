// RUN: moe-opt %s --moe-fuse-experts --check-passes --verify-diagnostics --remark-format=emitRemark --remarks-filter=moe-fuse-experts | FileCheck %s

!rows = tensor<?x64xf32>
!ids = tensor<?x2xi32>
!weights = tensor<?x2xf32>
!up = tensor<8x32x64xbf16>
!down = tensor<8x64x32xbf16>

// Routing and experts become one; readers of the ids read those of the fused form.
// CHECK-LABEL: @fuses
// CHECK-SAME: (%[[X:.*]]: tensor<?x64xf32>, %[[LOGITS:.*]]: tensor<?x8xf32>, %[[BIAS:.*]]: tensor<8xf32>,
// CHECK-NEXT: %[[Y:.*]], %[[IDS:.*]] = moe.fused_experts %[[X]] by %[[LOGITS]] bias %[[BIAS]]
// CHECK-SAME: compute = #moe<compute bf16>, routing = #moe.routing<k = 2, score = sigmoid, groups = 2>
// CHECK-NEXT: return %[[Y]], %[[IDS]]
func.func @fuses(%x: !rows, %logits: tensor<?x8xf32>, %bias: tensor<8xf32>, %gate: !up, %up: !up, %down: !down) -> (!rows, !ids) {
  %ids, %weights = moe.route %logits bias %bias (tensor<8xf32>) {routing = #moe.routing<k = 2, score = sigmoid, groups = 2>}
    : tensor<?x8xf32> -> !ids, !weights
  %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>, compute = #moe<compute bf16>}
    : !rows, !ids, !weights, !up, !up, !down -> !rows
  return %y, %ids : !rows, !ids
}

// Weights that somebody else reads have to exist.
// CHECK-LABEL: @weights_read
// CHECK: moe.route
// CHECK: moe.experts
func.func @weights_read(%x: !rows, %logits: tensor<?x8xf32>, %gate: !up, %up: !up, %down: !down) -> (!rows, !weights) {
  %ids, %weights = moe.route %logits {routing = #moe.routing<k = 2, score = softmax>} : tensor<?x8xf32> -> !ids, !weights
  // expected-remark@below {{the weights have another reader}}
  %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>}
    : !rows, !ids, !weights, !up, !up, !down -> !rows
  return %y, %weights : !rows, !weights
}

// Biases are the fused form's, too.
// CHECK-LABEL: @biases
// CHECK: moe.fused_experts {{.*}} biases
func.func @biases(%x: !rows, %logits: tensor<?x8xf32>, %gate: !up, %up: !up, %down: !down, %b: tensor<8x32xf32>, %d: tensor<8x64xf32>) -> !rows {
  %ids, %weights = moe.route %logits {routing = #moe.routing<k = 2, score = softmax_topk>} : tensor<?x8xf32> -> !ids, !weights
  %y = moe.experts %x to %ids, %weights with %gate, %up, %down biases %b, %b, %d (tensor<8x32xf32>, tensor<8x32xf32>, tensor<8x64xf32>)
    {activation = #moe.activation<kind = silu>} : !rows, !ids, !weights, !up, !up, !down -> !rows
  return %y : !rows
}

// And so is where the weights go.
// CHECK-LABEL: @weight_on_input
// CHECK: moe.fused_experts
// CHECK-SAME: weight_on_input
func.func @weight_on_input(%x: !rows, %logits: tensor<?x8xf32>, %gate: !up, %up: !up, %down: !down) -> !rows {
  %ids, %weights = moe.route %logits {routing = #moe.routing<k = 2, score = sigmoid>} : tensor<?x8xf32> -> !ids, !weights
  %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>, weight_on_input}
    : !rows, !ids, !weights, !up, !up, !down -> !rows
  return %y : !rows
}

// The fused form chooses experts by their logits.
// CHECK-LABEL: @table
// CHECK: moe.experts
func.func @table(%x: !rows, %logits: tensor<?x8xf32>, %table: tensor<16x2xi32>, %tokens: tensor<?xi32>, %gate: !up, %up: !up, %down: !down) -> !rows {
  %ids, %weights = moe.route %logits table %table (tensor<16x2xi32>) for %tokens {routing = #moe.routing<k = 2, score = sqrt_softplus>}
    : tensor<?x8xf32> -> !ids, !weights
  // expected-remark@below {{the ids come from a table}}
  %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>}
    : !rows, !ids, !weights, !up, !up, !down -> !rows
  return %y : !rows
}

// Ids that come from elsewhere are nobody's routing.
// CHECK-LABEL: @foreign_ids
// CHECK: moe.experts
func.func @foreign_ids(%x: !rows, %ids: !ids, %weights: !weights, %gate: !up, %up: !up, %down: !down) -> !rows {
  // expected-remark@below {{ids and weights are not those of one moe.route}}
  %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>}
    : !rows, !ids, !weights, !up, !up, !down -> !rows
  return %y : !rows
}

// Only logits of these very experts can choose among them,
// CHECK-LABEL: @fewer_logits
// CHECK: moe.experts
func.func @fewer_logits(%x: !rows, %logits: tensor<?x4xf32>, %gate: !up, %up: !up, %down: !down) -> !rows {
  %all, %weights = moe.route %logits {routing = #moe.routing<k = 2, score = softmax>} : tensor<?x4xf32> -> !ids, !weights
  // expected-remark@below {{there are more or fewer logits than experts}}
  %y = moe.experts %x to %all, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>}
    : !rows, !ids, !weights, !up, !up, !down -> !rows
  return %y : !rows
}

// and whoever reads the ids comes behind the fused form.
// CHECK-LABEL: @ids_read_early
// CHECK: moe.experts
func.func @ids_read_early(%x: !rows, %logits: tensor<?x8xf32>, %gate: !up, %up: !up, %down: !down) -> (!rows, tensor<9xi32>) {
  %ids, %weights = moe.route %logits {routing = #moe.routing<k = 2, score = softmax>} : tensor<?x8xf32> -> !ids, !weights
  %offsets, %order = moe.dispatch %ids : !ids -> tensor<9xi32>
  // expected-remark@below {{the ids have a reader before the experts}}
  %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>}
    : !rows, !ids, !weights, !up, !up, !down -> !rows
  return %y, %offsets : !rows, tensor<9xi32>
}
