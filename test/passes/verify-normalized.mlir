// RUN: moe-opt %s --moe-verify-normalized --split-input-file --verify-diagnostics

// Importers do not fuse,
func.func @fused(%x: tensor<?x64xf32>, %w: tensor<32x64xbf16>) -> tensor<?x32xf32> {
  // expected-error@below {{is not an op of a normalized model; expected the form that importers write}}
  %h = moe.gate_up %x, %w, %w {activation = #moe.activation<kind = silu>} : tensor<?x64xf32>, tensor<32x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xf32>
  return %h : tensor<?x32xf32>
}

// -----

// know no phases,
// expected-error@below {{expected no phase before 'moe-specialize-phases', got "decode"}}
func.func @decode(%x: tensor<?x64xf32>) -> tensor<?x64xf32> attributes {moe.phase = "decode"} {
  return %x : tensor<?x64xf32>
}

// -----

// and compute in f32.
func.func @bf16(%x: tensor<?x64xf32>, %w: tensor<32x64xbf16>) -> tensor<?x32xf32> {
  // expected-error@below {{expected compute = f32 before 'moe-choose-number-formats', got bf16}}
  %h = moe.linear %x, %w {compute = #moe<compute bf16>} : tensor<?x64xf32>, tensor<32x64xbf16> -> tensor<?x32xf32>
  return %h : tensor<?x32xf32>
}

// -----

// What they write passes.
moe.weight @w : tensor<32x64xbf16> = [#moe.slice<"w" in "m" at 0 rows 32>]
moe.cache @keys : tensor<?x32xf32>
func.func @step(%x: tensor<?x64xf32>, %batch: !moe.batch) -> tensor<?x32xf32> {
  %w = moe.get_weight @w : tensor<32x64xbf16>
  %h = moe.linear %x, %w : tensor<?x64xf32>, tensor<32x64xbf16> -> tensor<?x32xf32>
  moe.append %h to @keys at %batch : tensor<?x32xf32>
  %y = arith.addf %h, %h : tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}
