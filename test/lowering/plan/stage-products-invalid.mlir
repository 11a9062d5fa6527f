// RUN: moe-opt %s --pass-pipeline='builtin.module(func.func(plan-stage-products))' --verify-diagnostics

// Weights on the input are refused rather than ignored.
func.func @weight_on_input(%x: tensor<?x64xf32>, %i: tensor<?x2xi32>, %v: tensor<?x2xf32>, %g: tensor<8x32x64xbf16>,
                           %u: tensor<8x32x64xbf16>, %d: tensor<8x64x32xbf16>) -> tensor<?x64xf32> {
  // expected-error @+1 {{expected weights on the experts' results; no kernel computes 'weight_on_input'}}
  %y = moe.experts %x to %i, %v with %g, %u, %d {activation = #moe.activation<kind = silu>, weight_on_input}
    : tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16>, tensor<8x64x32xbf16> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
