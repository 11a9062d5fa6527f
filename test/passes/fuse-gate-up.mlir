// RUN: moe-opt %s --moe-fuse-gate-up --check-passes | FileCheck %s

!rows = tensor<?x64xf32>
!hidden = tensor<?x32xf32>
!up = tensor<32x64xbf16>
!down = tensor<64x32xbf16>

// Four ops are one gated MLP; the down product's residual stays.
// CHECK-LABEL: @gated_mlp
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>, %[[G:.*]]: tensor<32x64xbf16>, %[[U:.*]]: tensor<32x64xbf16>, %[[D:.*]]: tensor<64x32xbf16>
// CHECK-NEXT: moe.gated_mlp %[[X]], %[[G]], %[[U]], %[[D]] residual %[[X]]
// CHECK-SAME: activation = #moe.activation<kind = gelu>, compute = #moe<compute bf16>
// CHECK-NEXT: return
func.func @gated_mlp(%x: !rows, %gate: !up, %up: !up, %down: !down) -> !rows {
  %g = moe.linear %x, %gate {compute = #moe<compute bf16>} : !rows, !up -> !hidden
  %u = moe.linear %x, %up {compute = #moe<compute bf16>} : !rows, !up -> !hidden
  %h = moe.activate %g, %u {activation = #moe.activation<kind = gelu>} : !hidden
  %y = moe.linear %h, %down residual %x (!rows) {compute = #moe<compute bf16>} : !hidden, !down -> !rows
  return %y : !rows
}

// A down product with a bias does not fit into a gated MLP.
// CHECK-LABEL: @biased_down
// CHECK-NEXT: %[[H:.*]] = moe.gate_up
// CHECK-NEXT: moe.linear %[[H]], %{{.*}} bias
func.func @biased_down(%x: !rows, %gate: !up, %up: !up, %down: !down, %bias: tensor<64xf32>) -> !rows {
  %g = moe.linear %x, %gate : !rows, !up -> !hidden
  %u = moe.linear %x, %up : !rows, !up -> !hidden
  %h = moe.activate %g, %u {activation = #moe.activation<kind = silu>} : !hidden
  %y = moe.linear %h, %down bias %bias (tensor<64xf32>) : !hidden, !down -> !rows
  return %y : !rows
}

// Gate and up of different inputs stay,
// CHECK-LABEL: @inputs
// CHECK: moe.activate
func.func @inputs(%x: !rows, %z: !rows, %gate: !up, %up: !up) -> !hidden {
  %g = moe.linear %x, %gate : !rows, !up -> !hidden
  %u = moe.linear %z, %up : !rows, !up -> !hidden
  %h = moe.activate %g, %u {activation = #moe.activation<kind = silu>} : !hidden
  return %h : !hidden
}

// and so does a gate that somebody else reads.
// CHECK-LABEL: @read_twice
// CHECK: moe.activate
func.func @read_twice(%x: !rows, %gate: !up, %up: !up) -> (!hidden, !hidden) {
  %g = moe.linear %x, %gate : !rows, !up -> !hidden
  %u = moe.linear %x, %up : !rows, !up -> !hidden
  %h = moe.activate %g, %u {activation = #moe.activation<kind = silu>} : !hidden
  return %h, %g : !hidden, !hidden
}
