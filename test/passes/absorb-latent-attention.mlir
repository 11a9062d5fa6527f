// RUN: moe-opt %s --moe-absorb-latent-attention --verify-diagnostics --remark-format=emitRemark --remarks-filter=moe-absorb-latent-attention | FileCheck %s
// RUN: moe-opt %s --pass-pipeline='builtin.module(func.func(moe-absorb-latent-attention{decode-context=1}))' | FileCheck %s --check-prefix=SHORT

!query = tensor<?x384xf32>
!up = tensor<8x32x64xbf16>
!result = tensor<?x256xf32>

moe.cache @latent : tensor<?x80xf32>

// One query over many positions: the positions' keys and values are not worth making.
// CHECK-LABEL: @decode
// CHECK-SAME: (%[[Q:.*]]: tensor<?x384xf32>, %[[BATCH:.*]]: !moe.batch, %[[UK:.*]]: tensor<8x32x64xbf16>, %[[UV:.*]]: tensor<8x32x64xbf16>)
// CHECK-NEXT: moe.absorbed_attention %[[Q]] over @latent at %[[BATCH]] with %[[UK]], %[[UV]] {compute = #moe<compute bf16>, scale = 1.440000e-01 : f64}
// With a single position both forms cost nearly the same, and attention over it alone decides.
// SHORT-LABEL: @decode
// SHORT: moe.latent_attention
func.func @decode(%q: !query, %batch: !moe.batch, %uk: !up, %uv: !up) -> !result attributes {moe.phase = "decode"} {
  // FLOP = 2 x 8 heads x (64 x (32 + 32) x 1 + (64 + 64 + 16) x 1024), against 2 x 8 x (64 x (32 + 32) + (32 + 16 + 32)) x 1024.
  // expected-remark@below {{1 tokens, 1024 positions: absorbed 2.42 MFLOP and 0.40 MB, expanded 68.42 MFLOP and 0.40 MB}}
  %o = moe.latent_attention %q over @latent at %batch with %uk, %uv {scale = 0.144 : f64, compute = #moe<compute bf16>} : !query, !up, !up -> !result
  return %o : !result
}

// As many queries as positions: narrower heads win.
// CHECK-LABEL: @prefill
// CHECK: moe.latent_attention
func.func @prefill(%q: !query, %batch: !moe.batch, %uk: !up, %uv: !up) -> !result attributes {moe.phase = "prefill"} {
  // expected-remark@below {{512 tokens, 512 positions: absorbed 336.13 MFLOP and 1.54 MB, expanded 201.65 MFLOP and 1.54 MB}}
  %o = moe.latent_attention %q over @latent at %batch with %uk, %uv {scale = 0.144 : f64} : !query, !up, !up -> !result
  return %o : !result
}

// Without a phase there is no typical step to decide for.
// CHECK-LABEL: @step
// CHECK: moe.latent_attention
func.func @step(%q: !query, %batch: !moe.batch, %uk: !up, %uv: !up) -> !result {
  %o = moe.latent_attention %q over @latent at %batch with %uk, %uv {scale = 0.144 : f64} : !query, !up, !up -> !result
  return %o : !result
}
