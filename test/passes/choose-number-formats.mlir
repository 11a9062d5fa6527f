// RUN: moe-opt %s --moe-choose-number-formats=compute=bf16 --verify-diagnostics --remark-format=emitRemark --remarks-filter=moe-choose-number-formats | FileCheck %s
// RUN: moe-opt %s --moe-choose-number-formats=compute=bf16 --moe-choose-number-formats | FileCheck %s --check-prefix=F32

!rows = tensor<?x64xf32>
!square = tensor<64x64xbf16>

// Caches hold what attention computes with.
// CHECK: moe.cache @keys : tensor<?x64xbf16>
// F32: moe.cache @keys : tensor<?x64xf32>
moe.cache @keys : tensor<?x64xf32>

// Products with bf16 weights and attention take their activations in bf16; the default brings f32 back.
// CHECK-LABEL: @products
// CHECK: moe.linear {{.*}}compute = #moe<compute bf16>
// CHECK: moe.attention {{.*}}compute = #moe<compute bf16>
// CHECK: moe.gated_mlp {{.*}}compute = #moe<compute bf16>
// F32-LABEL: @products
// F32-NOT: compute
func.func @products(%x: !rows, %batch: !moe.batch, %w: !square) -> !rows {
  %q = moe.linear %x, %w : !rows, !square -> !rows
  moe.append %x to @keys at %batch : !rows
  %a = moe.attention %q over @keys, @keys at %batch {head_dim = 16 : i64, scale = 2.5e-1 : f64} : !rows -> !rows
  %y = moe.gated_mlp %a, %w, %w, %w {activation = #moe.activation<kind = silu>} : !rows, !square, !square, !square -> !rows
  return %y : !rows
}

// Routers stay in f32, also behind a sum; the experts do not.
// CHECK-LABEL: @router
// CHECK-NOT: compute
// CHECK: moe.route
// CHECK: moe.experts {{.*}}compute = #moe<compute bf16>
func.func @router(%x: !rows, %r: tensor<8x64xbf16>, %b: tensor<?x8xf32>, %w: tensor<8x64x64xbf16>) -> !rows {
  // expected-remark@below {{router logits stay f32}}
  %p = moe.linear %x, %r : !rows, tensor<8x64xbf16> -> tensor<?x8xf32>
  %l = arith.addf %p, %b : tensor<?x8xf32>
  %ids, %v = moe.route %l {routing = #moe.routing<k = 2, score = softmax>} : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %y = moe.experts %x to %ids, %v with %w, %w, %w {activation = #moe.activation<kind = silu>}
    : !rows, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xbf16>, tensor<8x64x64xbf16>, tensor<8x64x64xbf16> -> !rows
  return %y : !rows
}

// Rounding activations for an f32 weight would lose accuracy for nothing.
// CHECK-LABEL: @f32_weight
// CHECK-NOT: compute
// CHECK: return
func.func @f32_weight(%x: !rows, %w: tensor<64x64xf32>) -> !rows {
  // expected-remark@below {{weights are stored neither in bf16 nor in codes, so rounding activations would save nothing}}
  %y = moe.linear %x, %w : !rows, tensor<64x64xf32> -> !rows
  return %y : !rows
}

// Codes are exact in bf16, in which matrix units multiply.
// CHECK-LABEL: @codes
// CHECK: moe.linear {{.*}}compute = #moe<compute bf16>
func.func @codes(%x: !rows, %v: tensor<64x64xf8E4M3FN>, %s: tensor<1x1xf32>) -> !rows {
  %w = moe.dequantize %v by %s as <rows = 128, columns = 128> : tensor<64x64xf8E4M3FN>, tensor<1x1xf32>
  %y = moe.linear %x, %w : !rows, tensor<64x64xf32> -> !rows
  return %y : !rows
}
