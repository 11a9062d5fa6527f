// RUN: moe-opt %s --moe-fold-shared-experts --check-passes --verify-diagnostics --remark-format=emitRemark --remarks-filter=moe-fold-shared-experts | FileCheck %s

!rows = tensor<?x64xf32>
!logits = tensor<?x8xf32>
!ids = tensor<?x2xi32>
!up = tensor<8x32x64xbf16>
!down = tensor<8x64x32xbf16>
!shared_up = tensor<48x64xbf16>
!shared_down = tensor<64x48xbf16>

// Shared experts of the same input go with the routed ones, on whichever side of the sum they are.
// CHECK-LABEL: @folds
// CHECK-SAME: %[[SG:[^ ]*]]: tensor<48x64xbf16>, %[[SU:[^ ]*]]: tensor<48x64xbf16>, %[[SD:[^ ]*]]: tensor<64x48xbf16>)
// CHECK-NEXT: %[[Y:.*]], %[[IDS:.*]] = moe.fused_experts {{.*}} shared %[[SG]], %[[SU]], %[[SD]]
// CHECK-NEXT: return %[[Y]], %[[IDS]]
func.func @folds(%x: !rows, %l: !logits, %g: !up, %u: !up, %d: !down, %sg: !shared_up, %su: !shared_up, %sd: !shared_down) -> (!rows, !ids) {
  %e, %ids = moe.fused_experts %x by %l with %g, %u, %d {routing = #moe.routing<k = 2, score = softmax>, activation = #moe.activation<kind = silu>}
    : !rows, !logits, !up, !up, !down -> !rows, !ids
  %s = moe.gated_mlp %x, %sg, %su, %sd {activation = #moe.activation<kind = silu>} : !rows, !shared_up, !shared_up, !shared_down -> !rows
  %y = arith.addf %s, %e : !rows
  return %y, %ids : !rows, !ids
}

// Another activation is another computation.
// CHECK-LABEL: @activations
// CHECK: moe.gated_mlp
func.func @activations(%x: !rows, %l: !logits, %g: !up, %u: !up, %d: !down, %sg: !shared_up, %su: !shared_up, %sd: !shared_down) -> !rows {
  %e, %ids = moe.fused_experts %x by %l with %g, %u, %d {routing = #moe.routing<k = 2, score = softmax>, activation = #moe.activation<kind = silu>}
    : !rows, !logits, !up, !up, !down -> !rows, !ids
  %s = moe.gated_mlp %x, %sg, %su, %sd {activation = #moe.activation<kind = gelu>} : !rows, !shared_up, !shared_up, !shared_down -> !rows
  // expected-remark@below {{the activations differ}}
  %y = arith.addf %e, %s : !rows
  return %y : !rows
}

// So is another input,
// CHECK-LABEL: @inputs
// CHECK: moe.gated_mlp
func.func @inputs(%x: !rows, %z: !rows, %l: !logits, %g: !up, %u: !up, %d: !down, %sg: !shared_up, %su: !shared_up, %sd: !shared_down) -> !rows {
  %e, %ids = moe.fused_experts %x by %l with %g, %u, %d {routing = #moe.routing<k = 2, score = softmax>, activation = #moe.activation<kind = silu>}
    : !rows, !logits, !up, !up, !down -> !rows, !ids
  %s = moe.gated_mlp %z, %sg, %su, %sd {activation = #moe.activation<kind = silu>} : !rows, !shared_up, !shared_up, !shared_down -> !rows
  // expected-remark@below {{the inputs differ}}
  %y = arith.addf %e, %s : !rows
  return %y : !rows
}

// another type of activations,
// CHECK-LABEL: @computes
// CHECK: moe.gated_mlp
func.func @computes(%x: !rows, %l: !logits, %g: !up, %u: !up, %d: !down, %sg: !shared_up, %su: !shared_up, %sd: !shared_down) -> !rows {
  %e, %ids = moe.fused_experts %x by %l with %g, %u, %d {routing = #moe.routing<k = 2, score = softmax>, activation = #moe.activation<kind = silu>}
    : !rows, !logits, !up, !up, !down -> !rows, !ids
  %s = moe.gated_mlp %x, %sg, %su, %sd {activation = #moe.activation<kind = silu>, compute = #moe<compute bf16>} : !rows, !shared_up, !shared_up, !shared_down -> !rows
  // expected-remark@below {{the compute types differ}}
  %y = arith.addf %e, %s : !rows
  return %y : !rows
}

// and another storage type.
// CHECK-LABEL: @storage
// CHECK: moe.gated_mlp
func.func @storage(%x: !rows, %l: !logits, %g: !up, %u: !up, %d: !down, %sg: !shared_up, %su: !shared_up, %sd: tensor<64x48xf32>) -> !rows {
  %e, %ids = moe.fused_experts %x by %l with %g, %u, %d {routing = #moe.routing<k = 2, score = softmax>, activation = #moe.activation<kind = silu>}
    : !rows, !logits, !up, !up, !down -> !rows, !ids
  %s = moe.gated_mlp %x, %sg, %su, %sd {activation = #moe.activation<kind = silu>} : !rows, !shared_up, !shared_up, tensor<64x48xf32> -> !rows
  // expected-remark@below {{the weights are stored in different types}}
  %y = arith.addf %e, %s : !rows
  return %y : !rows
}

// What somebody else reads has to exist.
// CHECK-LABEL: @read_twice
// CHECK: moe.gated_mlp
func.func @read_twice(%x: !rows, %l: !logits, %g: !up, %u: !up, %d: !down, %sg: !shared_up, %su: !shared_up, %sd: !shared_down) -> (!rows, !rows) {
  %e, %ids = moe.fused_experts %x by %l with %g, %u, %d {routing = #moe.routing<k = 2, score = softmax>, activation = #moe.activation<kind = silu>}
    : !rows, !logits, !up, !up, !down -> !rows, !ids
  %s = moe.gated_mlp %x, %sg, %su, %sd {activation = #moe.activation<kind = silu>} : !rows, !shared_up, !shared_up, !shared_down -> !rows
  // expected-remark@below {{one side has another reader}}
  %y = arith.addf %e, %s : !rows
  return %y, %s : !rows, !rows
}

// The residual comes after the shared experts.
// CHECK-LABEL: @residual
// CHECK: moe.gated_mlp
func.func @residual(%x: !rows, %l: !logits, %g: !up, %u: !up, %d: !down, %sg: !shared_up, %su: !shared_up, %sd: !shared_down) -> !rows {
  %e, %ids = moe.fused_experts %x by %l with %g, %u, %d residual %x (!rows) {routing = #moe.routing<k = 2, score = softmax>, activation = #moe.activation<kind = silu>}
    : !rows, !logits, !up, !up, !down -> !rows, !ids
  %s = moe.gated_mlp %x, %sg, %su, %sd {activation = #moe.activation<kind = silu>} : !rows, !shared_up, !shared_up, !shared_down -> !rows
  // expected-remark@below {{one side adds something else already}}
  %y = arith.addf %e, %s : !rows
  return %y : !rows
}

// Experts whose ids are read before the sum cannot move down to it.
// CHECK-LABEL: @ids_read_early
// CHECK: moe.gated_mlp
func.func @ids_read_early(%x: !rows, %l: !logits, %g: !up, %u: !up, %d: !down, %sg: !shared_up, %su: !shared_up, %sd: !shared_down) -> (!rows, tensor<9xi32>) {
  %e, %ids = moe.fused_experts %x by %l with %g, %u, %d {routing = #moe.routing<k = 2, score = softmax>, activation = #moe.activation<kind = silu>}
    : !rows, !logits, !up, !up, !down -> !rows, !ids
  %offsets, %order = moe.dispatch %ids : !ids -> tensor<9xi32>
  %s = moe.gated_mlp %x, %sg, %su, %sd {activation = #moe.activation<kind = silu>} : !rows, !shared_up, !shared_up, !shared_down -> !rows
  // expected-remark@below {{the ids have a reader before the sum}}
  %y = arith.addf %e, %s : !rows
  return %y, %offsets : !rows, tensor<9xi32>
}
