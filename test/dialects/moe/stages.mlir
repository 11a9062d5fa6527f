// The stages of fused experts round-trip in custom and in generic form.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

func.func @dispatch(%ids: tensor<?x4xi32>) -> (tensor<17xi32>, tensor<?x4xi32>) {
  %offsets, %order = moe.dispatch %ids : tensor<?x4xi32> -> tensor<17xi32>
  return %offsets, %order : tensor<17xi32>, tensor<?x4xi32>
}
// CHECK-LABEL: @dispatch
// CHECK: moe.dispatch %{{.*}} : tensor<?x4xi32> -> tensor<17xi32>

func.func @expert_hidden(%x: tensor<?x64xf32>, %offsets: tensor<9xi32>, %order: tensor<?x2xi32>, %gate: tensor<8x32x64xbf16>,
                         %up: tensor<8x32x64xbf16>) -> tensor<?x64xf32> {
  %h = moe.expert_hidden %x by %offsets, %order with %gate, %up {activation = #moe.activation<kind = silu>}
    : tensor<?x64xf32>, tensor<9xi32>, tensor<?x2xi32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x64xf32>
  return %h : tensor<?x64xf32>
}
// CHECK-LABEL: @expert_hidden
// CHECK: moe.expert_hidden %{{.*}} by %{{.*}}, %{{.*}} with %{{.*}}, %{{.*}} {activation = #moe.activation<kind = silu>}
// CHECK-SAME: : tensor<?x64xf32>, tensor<9xi32>, tensor<?x2xi32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x64xf32>

// Biases and shared experts, whose columns come last.
func.func @expert_hidden_shared(%x: tensor<?x8xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %w: tensor<3x4x8xf32>,
                                %b: tensor<3x4xf32>, %shared: tensor<6x8xf32>) -> tensor<?x14xf32> {
  %h = moe.expert_hidden %x by %offsets, %order with %w, %w biases %b, %b (tensor<3x4xf32>, tensor<3x4xf32>)
    shared %shared, %shared (tensor<6x8xf32>, tensor<6x8xf32>) {activation = #moe.activation<kind = silu>, compute = #moe<compute bf16>}
    : tensor<?x8xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x4x8xf32>, tensor<3x4x8xf32> -> tensor<?x14xf32>
  return %h : tensor<?x14xf32>
}
// CHECK-LABEL: @expert_hidden_shared
// CHECK: biases %[[B:.*]], %[[B]](tensor<3x4xf32>, tensor<3x4xf32>) shared %[[S:.*]], %[[S]](tensor<6x8xf32>, tensor<6x8xf32>)
// CHECK-SAME: {activation = #moe.activation<kind = silu>, compute = #moe<compute bf16>}

func.func @combine(%x: tensor<?x64xf32>, %h: tensor<?x64xf32>, %weights: tensor<?x2xf32>, %offsets: tensor<9xi32>, %order: tensor<?x2xi32>,
                   %down: tensor<8x64x32xbf16>) -> tensor<?x64xf32> {
  %y = moe.combine %h by %offsets, %order weighted %weights (tensor<?x2xf32>) with %down residual %x (tensor<?x64xf32>)
    : tensor<?x64xf32>, tensor<9xi32>, tensor<?x2xi32>, tensor<8x64x32xbf16> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
// CHECK-LABEL: @combine
// CHECK: moe.combine %{{.*}} by %{{.*}}, %{{.*}} weighted %{{.*}}(tensor<?x2xf32>) with %{{.*}} residual %{{.*}}(tensor<?x64xf32>)
// CHECK-SAME: : tensor<?x64xf32>, tensor<9xi32>, tensor<?x2xi32>, tensor<8x64x32xbf16> -> tensor<?x64xf32>

// A bias and shared experts.
func.func @combine_shared(%h: tensor<?x14xf32>, %weights: tensor<?x2xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>,
                          %down: tensor<3x8x4xf32>, %b: tensor<3x8xf32>, %shared: tensor<8x6xf32>) -> tensor<?x8xf32> {
  %y = moe.combine %h by %offsets, %order weighted %weights (tensor<?x2xf32>) with %down bias %b (tensor<3x8xf32>) shared %shared (tensor<8x6xf32>) {compute = #moe<compute bf16>}
    : tensor<?x14xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x8x4xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
// CHECK-LABEL: @combine_shared
// CHECK: bias %{{.*}}(tensor<3x8xf32>) shared %{{.*}}(tensor<8x6xf32>) {compute = #moe<compute bf16>}

// Weights on the experts' inputs instead of their results.
func.func @weighted_inputs(%x: tensor<?x4xf32>, %weights: tensor<?x2xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %w: tensor<3x4x4xf32>) -> tensor<?x4xf32> {
  %h = moe.expert_hidden %x by %offsets, %order weighted %weights (tensor<?x2xf32>) with %w, %w {activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x8xf32>
  %y = moe.combine %h by %offsets, %order with %w : tensor<?x8xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x4x4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
// CHECK-LABEL: @weighted_inputs
// CHECK: moe.expert_hidden %{{.*}} by %{{.*}}, %{{.*}} weighted %{{.*}}(tensor<?x2xf32>) with
// CHECK: moe.combine %{{.*}} by %{{.*}}, %{{.*}} with %{{.*}} : tensor<?x8xf32>
