// RUN: moe-opt %s --moe-fuse-residuals --check-passes | FileCheck %s

!rows = tensor<?x64xf32>
!square = tensor<64x64xbf16>

// The product adds the other side of the sum, and runs where the sum was.
// CHECK-LABEL: @linear
// CHECK-SAME: %[[A:.*]]: tensor<?x64xf32>, %[[X:.*]]: tensor<?x64xf32>, %[[W:.*]]: tensor<64x64xbf16>
// CHECK-NEXT: %[[N:.*]] = moe.rms_norm %[[X]]
// CHECK-NEXT: %[[Y:.*]] = moe.linear %[[A]], %[[W]] residual %[[N]]
// CHECK-NEXT: return %[[Y]]
func.func @linear(%a: !rows, %x: !rows, %w: !square) -> !rows {
  %o = moe.linear %a, %w : !rows, !square -> !rows
  %n = moe.rms_norm %x {epsilon = 1.0e-6 : f64, group = 64 : i64} : !rows
  %y = arith.addf %n, %o : !rows
  return %y : !rows
}

// CHECK-LABEL: @gated_mlp
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>, %[[W:.*]]: tensor<64x64xbf16>
// CHECK-NEXT: moe.gated_mlp %[[X]], {{.*}} residual %[[X]]
// CHECK-NEXT: return
func.func @gated_mlp(%x: !rows, %w: !square) -> !rows {
  %o = moe.gated_mlp %x, %w, %w, %w {activation = #moe.activation<kind = silu>} : !rows, !square, !square, !square -> !rows
  %y = arith.addf %x, %o : !rows
  return %y : !rows
}

// CHECK-LABEL: @fused_experts
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>, %[[L:.*]]: tensor<?x8xf32>
// CHECK-NEXT: %[[Y:.*]], %[[IDS:.*]] = moe.fused_experts %[[X]] by %[[L]] {{.*}} residual %[[X]]
// CHECK-NEXT: return %[[Y]], %[[IDS]]
func.func @fused_experts(%x: !rows, %l: tensor<?x8xf32>, %w: tensor<8x64x64xbf16>) -> (!rows, tensor<?x2xi32>) {
  %e, %ids = moe.fused_experts %x by %l with %w, %w, %w {routing = #moe.routing<k = 2, score = softmax>, activation = #moe.activation<kind = silu>}
    : !rows, tensor<?x8xf32>, tensor<8x64x64xbf16>, tensor<8x64x64xbf16>, tensor<8x64x64xbf16> -> !rows, tensor<?x2xi32>
  %y = arith.addf %e, %x : !rows
  return %y, %ids : !rows, tensor<?x2xi32>
}

// Of two products the later one takes the sum.
// CHECK-LABEL: @two_products
// CHECK-SAME: %[[A:.*]]: tensor<?x64xf32>, %[[B:.*]]: tensor<?x64xf32>, %[[W:.*]]: tensor<64x64xbf16>
// CHECK-NEXT: %[[P:.*]] = moe.linear %[[A]], %[[W]] :
// CHECK-NEXT: moe.linear %[[B]], %[[W]] residual %[[P]]
func.func @two_products(%a: !rows, %b: !rows, %w: !square) -> !rows {
  %p = moe.linear %a, %w : !rows, !square -> !rows
  %q = moe.linear %b, %w : !rows, !square -> !rows
  %y = arith.addf %q, %p : !rows
  return %y : !rows
}

// A product that somebody else reads stays what it is,
// CHECK-LABEL: @read_twice
// CHECK: arith.addf
func.func @read_twice(%x: !rows, %w: !square) -> (!rows, !rows) {
  %o = moe.linear %x, %w : !rows, !square -> !rows
  %y = arith.addf %x, %o : !rows
  return %y, %o : !rows, !rows
}

// one added to itself too,
// CHECK-LABEL: @doubled
// CHECK: arith.addf
func.func @doubled(%x: !rows, %w: !square) -> !rows {
  %o = moe.linear %x, %w : !rows, !square -> !rows
  %y = arith.addf %o, %o : !rows
  return %y : !rows
}

// and a product has room for one residual.
// CHECK-LABEL: @second_residual
// CHECK: arith.addf
func.func @second_residual(%x: !rows, %z: !rows, %w: !square) -> !rows {
  %o = moe.linear %x, %w residual %x (!rows) : !rows, !square -> !rows
  %y = arith.addf %z, %o : !rows
  return %y : !rows
}

// Experts whose ids are read before the sum cannot move down to it.
// CHECK-LABEL: @ids_read_early
// CHECK: arith.addf
func.func @ids_read_early(%x: !rows, %l: tensor<?x8xf32>, %v: tensor<?x2xf32>, %w: tensor<8x64x64xbf16>) -> !rows {
  %e, %ids = moe.fused_experts %x by %l with %w, %w, %w {routing = #moe.routing<k = 2, score = softmax>, activation = #moe.activation<kind = silu>}
    : !rows, tensor<?x8xf32>, tensor<8x64x64xbf16>, tensor<8x64x64xbf16>, tensor<8x64x64xbf16> -> !rows, tensor<?x2xi32>
  %f = moe.experts %x to %ids, %v with %w, %w, %w {activation = #moe.activation<kind = silu>}
    : !rows, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xbf16>, tensor<8x64x64xbf16>, tensor<8x64x64xbf16> -> !rows
  %y = arith.addf %e, %f : !rows
  return %y : !rows
}
