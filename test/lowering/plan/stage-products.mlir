// RUN: moe-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(plan-stage-products))' | FileCheck %s

// A gated MLP is two launches; the residual goes with the second.
// CHECK-LABEL: @gated_mlp
// CHECK-SAME: (%[[X:.*]]: tensor<?x64xf32>, %[[G:.*]]: tensor<32x64xbf16>, %[[U:.*]]: tensor<32x64xbf16>, %[[D:.*]]: tensor<64x32xbf16>)
// CHECK-NEXT: %[[H:.*]] = moe.gate_up %[[X]], %[[G]], %[[U]] {activation = #moe.activation<kind = silu>, compute = #moe<compute bf16>}
// CHECK-NEXT: %[[Y:.*]] = moe.linear %[[H]], %[[D]] residual %[[X]]{{ ?}}(tensor<?x64xf32>) {compute = #moe<compute bf16>}
// CHECK-NEXT: return %[[Y]]
func.func @gated_mlp(%x: tensor<?x64xf32>, %g: tensor<32x64xbf16>, %u: tensor<32x64xbf16>, %d: tensor<64x32xbf16>) -> tensor<?x64xf32> {
  %y = moe.gated_mlp %x, %g, %u, %d residual %x (tensor<?x64xf32>) {activation = #moe.activation<kind = silu>, compute = #moe<compute bf16>}
    : tensor<?x64xf32>, tensor<32x64xbf16>, tensor<32x64xbf16>, tensor<64x32xbf16> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// Fused experts are four launches; the shared experts' hidden columns follow the routed ones'.
// CHECK-LABEL: @fused
// CHECK: %[[ROUTE:.*]]:2 = moe.rowwise(%{{.*}}) {{.*}} {
// CHECK: moe.route
// CHECK: %[[OFFSETS:.*]], %[[ORDER:.*]] = moe.dispatch %[[ROUTE]]#0 : tensor<?x2xi32> -> tensor<9xi32>
// CHECK-NEXT: %[[H:.*]] = moe.expert_hidden %{{.*}} by %[[OFFSETS]], %[[ORDER]] with %{{.*}}, %{{.*}} shared {{.*}} -> tensor<?x112xf32>
// CHECK-NEXT: %[[Y:.*]] = moe.combine %[[H]] by %[[OFFSETS]], %[[ORDER]] weighted %[[ROUTE]]#1{{.*}} with %{{.*}} shared %{{.*}} residual
// CHECK-NEXT: return %[[Y]], %[[ROUTE]]#0
func.func @fused(%x: tensor<?x64xf32>, %l: tensor<?x8xf32>, %g: tensor<8x32x64xbf16>, %u: tensor<8x32x64xbf16>, %d: tensor<8x64x32xbf16>,
                 %sg: tensor<48x64xbf16>, %su: tensor<48x64xbf16>, %sd: tensor<64x48xbf16>) -> (tensor<?x64xf32>, tensor<?x2xi32>) {
  %y, %ids = moe.fused_experts %x by %l with %g, %u, %d shared %sg, %su, %sd (tensor<48x64xbf16>, tensor<48x64xbf16>, tensor<64x48xbf16>)
    residual %x (tensor<?x64xf32>) {routing = #moe.routing<k = 2, score = softmax_topk>, activation = #moe.activation<kind = silu>}
    : tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16>, tensor<8x64x32xbf16> -> tensor<?x64xf32>, tensor<?x2xi32>
  return %y, %ids : tensor<?x64xf32>, tensor<?x2xi32>
}

// -----

// Experts that nobody fused are staged alike, and a loose row-wise op becomes a group that names each input once.
// CHECK-LABEL: @unfused
// CHECK: moe.dispatch
// CHECK-NEXT: moe.expert_hidden
// CHECK-NEXT: %[[Y:.*]] = moe.combine
// CHECK-NEXT: moe.rowwise(%[[Y]]) : (tensor<?x64xf32>) -> tensor<?x64xf32> {
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<?x64xf32>):
// CHECK-NEXT: arith.addf %[[A]], %[[A]]
func.func @unfused(%x: tensor<?x64xf32>, %i: tensor<?x2xi32>, %v: tensor<?x2xf32>, %g: tensor<8x32x64xbf16>, %u: tensor<8x32x64xbf16>,
                   %d: tensor<8x64x32xbf16>) -> tensor<?x64xf32> {
  %y = moe.experts %x to %i, %v with %g, %u, %d {activation = #moe.activation<kind = silu>}
    : tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16>, tensor<8x64x32xbf16> -> tensor<?x64xf32>
  %z = arith.addf %y, %y : tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}

// Weights on the experts' inputs reach the first product, and then not the second.
// CHECK-LABEL: @weight_on_input
// CHECK: moe.expert_hidden %{{.*}} by %{{.*}}, %{{.*}} weighted %[[WEIGHTS:.*]](tensor<?x2xf32>) with
// CHECK: moe.combine %{{[^ ]*}} by %{{[^ ]*}}, %{{[^ ]*}} with
func.func @weight_on_input(%x: tensor<?x64xf32>, %i: tensor<?x2xi32>, %v: tensor<?x2xf32>, %g: tensor<8x32x64xbf16>,
                           %u: tensor<8x32x64xbf16>, %d: tensor<8x64x32xbf16>) -> tensor<?x64xf32> {
  %y = moe.experts %x to %i, %v with %g, %u, %d {activation = #moe.activation<kind = silu>, weight_on_input}
    : tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16>, tensor<8x64x32xbf16> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
