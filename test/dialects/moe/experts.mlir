// Routing and experts, as a model writes them, fused, and in stages, round-trip in custom and in generic form.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

// DeepSeek-V3's routing: everything that a selection can say.
func.func @route(%logits: tensor<?x16xf32>, %b: tensor<16xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>) {
  %ids, %weights = moe.route %logits bias %b (tensor<16xf32>) {routing = #moe.routing<k = 4, score = sigmoid, groups = 4,
    kept_groups = 2, group_score = top2_sum, renormalize = true, epsilon = 1.0e-20, scale = 2.5>}
    : tensor<?x16xf32> -> tensor<?x4xi32>, tensor<?x4xf32>
  return %ids, %weights : tensor<?x4xi32>, tensor<?x4xf32>
}
// CHECK-LABEL: @route
// CHECK: moe.route %{{.*}} bias %{{.*}}(tensor<16xf32>) {routing = #moe.routing<k = 4, score = sigmoid, groups = 4,
// CHECK-SAME: kept_groups = 2, group_score = top2_sum, renormalize = true, epsilon = 9.9999999999999995E-21, scale = 2.500000e+00>}
// CHECK-SAME: : tensor<?x16xf32> -> tensor<?x4xi32>, tensor<?x4xf32>

// The experts of a token come from a table.
func.func @route_table(%logits: tensor<?x16xf32>, %table: tensor<4096x2xi64>, %ids: tensor<?xi32>) -> tensor<?x2xf32> {
  %chosen, %weights = moe.route %logits table %table (tensor<4096x2xi64>) for %ids {routing = #moe.routing<k = 2, score = sqrt_softplus>}
    : tensor<?x16xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return %weights : tensor<?x2xf32>
}
// CHECK-LABEL: @route_table
// CHECK: moe.route %{{.*}} table %{{.*}}(tensor<4096x2xi64>) for %{{.*}} {routing = #moe.routing<k = 2, score = sqrt_softplus>}

// The scores and fills not named above.
func.func private @routings() attributes {
  test.a = #moe.routing<k = 2, score = softmax>, test.b = #moe.routing<k = 2, score = softmax_topk>,
  test.c = #moe.routing<k = 2, score = softmax, groups = 2, mask_fill = zero>,
  test.d = #moe.routing<k = 2, score = sparse_mixer, jitter_epsilon = 1.000000e-02>}
// CHECK-LABEL: @routings
// CHECK-SAME: test.a = #moe.routing<k = 2, score = softmax>, test.b = #moe.routing<k = 2, score = softmax_topk>,
// CHECK-SAME: test.c = #moe.routing<k = 2, score = softmax, groups = 2, mask_fill = zero>,
// CHECK-SAME: test.d = #moe.routing<k = 2, score = sparse_mixer, jitter_epsilon = 1.000000e-02>

func.func @experts(%x: tensor<?x256xf32>, %ids: tensor<?x4xi32>, %weights: tensor<?x4xf32>,
                   %gate: tensor<16x128x256xbf16>, %up: tensor<16x128x256xbf16>, %down: tensor<16x256x128xbf16>) -> tensor<?x256xf32> {
  %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>}
    : tensor<?x256xf32>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<16x128x256xbf16>, tensor<16x128x256xbf16>, tensor<16x256x128xbf16>
    -> tensor<?x256xf32>
  return %y : tensor<?x256xf32>
}
// CHECK-LABEL: @experts
// CHECK: moe.experts %{{.*}} to %{{.*}}, %{{.*}} with %{{.*}}, %{{.*}}, %{{.*}} {activation = #moe.activation<kind = silu>}
// CHECK-SAME: : tensor<?x256xf32>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<16x128x256xbf16>, tensor<16x128x256xbf16>, tensor<16x256x128xbf16> -> tensor<?x256xf32>

// Biases, weights on the input, bf16 operands.
func.func @experts_biases(%x: tensor<?x4xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>, %w: tensor<3x4x4xf32>, %b: tensor<3x4xf32>) -> tensor<?x4xf32> {
  %y = moe.experts %x to %ids, %weights with %w, %w, %w biases %b, %b, %b (tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>)
    {activation = #moe.activation<kind = silu>, compute = #moe<compute bf16>, weight_on_input}
    : tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
// CHECK-LABEL: @experts_biases
// CHECK: biases %[[B:.*]], %[[B]], %[[B]](tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>)
// CHECK-SAME: {activation = #moe.activation<kind = silu>, compute = #moe<compute bf16>, weight_on_input}

func.func @fused_experts(%x: tensor<?x64xf32>, %logits: tensor<?x8xf32>, %gate: tensor<8x32x64xbf16>, %up: tensor<8x32x64xbf16>,
                         %down: tensor<8x64x32xbf16>) -> (tensor<?x64xf32>, tensor<?x2xi32>) {
  %y, %ids = moe.fused_experts %x by %logits with %gate, %up, %down residual %x (tensor<?x64xf32>)
    {routing = #moe.routing<k = 2, score = softmax_topk>, activation = #moe.activation<kind = silu>}
    : tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16>, tensor<8x64x32xbf16>
    -> tensor<?x64xf32>, tensor<?x2xi32>
  return %y, %ids : tensor<?x64xf32>, tensor<?x2xi32>
}
// CHECK-LABEL: @fused_experts
// CHECK: moe.fused_experts %[[X:.*]] by %{{.*}} with %{{.*}}, %{{.*}}, %{{.*}} residual %[[X]](tensor<?x64xf32>)
// CHECK-SAME: {activation = #moe.activation<kind = silu>, routing = #moe.routing<k = 2, score = softmax_topk>}

// A bias and shared experts, which may be wider than one expert.
func.func @fused_shared(%x: tensor<?x4xf32>, %logits: tensor<?x3xf32>, %b: tensor<3xf32>, %w: tensor<3x2x4xf32>, %down: tensor<3x4x2xf32>,
                        %shared: tensor<6x4xf32>, %shared_down: tensor<4x6xf32>) -> tensor<?x4xf32> {
  %y, %ids = moe.fused_experts %x by %logits bias %b (tensor<3xf32>) with %w, %w, %down shared %shared, %shared, %shared_down
    (tensor<6x4xf32>, tensor<6x4xf32>, tensor<4x6xf32>)
    {routing = #moe.routing<k = 1, score = sigmoid>, activation = #moe.activation<kind = silu>, compute = #moe<compute bf16>}
    : tensor<?x4xf32>, tensor<?x3xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x4x2xf32> -> tensor<?x4xf32>, tensor<?x1xi32>
  return %y : tensor<?x4xf32>
}
// CHECK-LABEL: @fused_shared
// CHECK: bias %{{.*}}(tensor<3xf32>) with %{{.*}}, %{{.*}}, %{{.*}} shared %[[S:.*]], %[[S]], %{{.*}}(tensor<6x4xf32>, tensor<6x4xf32>, tensor<4x6xf32>)
// CHECK-SAME: compute = #moe<compute bf16>

// The fused form with biases, and weights on the inputs.
func.func @fused_experts_biases(%x: tensor<?x4xf32>, %l: tensor<?x3xf32>, %w: tensor<3x4x4xf32>, %b: tensor<3x4xf32>) -> tensor<?x4xf32> {
  %y, %ids = moe.fused_experts %x by %l with %w, %w, %w biases %b, %b, %b (tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>)
    {routing = #moe.routing<k = 2, score = sigmoid>, activation = #moe.activation<kind = silu>, weight_on_input}
    : tensor<?x4xf32>, tensor<?x3xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x4xf32>, tensor<?x2xi32>
  return %y : tensor<?x4xf32>
}
// CHECK-LABEL: @fused_experts_biases
// CHECK: biases %{{.*}}, %{{.*}}, %{{.*}}(tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>)
// CHECK-SAME: weight_on_input
