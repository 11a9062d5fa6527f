// RUN: moe-opt %s --moe-narrow-to-outputs --check-passes --verify-diagnostics --remark-format=emitRemark --remarks-filter=moe-narrow-to-outputs | FileCheck %s

!rows = tensor<?x64xf32>
!logits = tensor<?x8xf32>
!ids = tensor<?x2xi32>
!up = tensor<8x64x64xbf16>

// The experts run for the outputs only, and the ids that are returned stay those of all tokens.
// CHECK-LABEL: @experts
// CHECK-SAME: (%[[X:.*]]: tensor<?x64xf32>, %[[LOGITS:.*]]: tensor<?x8xf32>,
// CHECK-NEXT: %[[IDS:.*]], %{{.*}} = moe.route %[[LOGITS]] {routing = #moe.routing<k = 2, score = softmax>}
// CHECK-NEXT: %[[LAST:.*]] = moe.gather_outputs %[[X]]
// CHECK-NEXT: %[[LAST_LOGITS:.*]] = moe.gather_outputs %[[LOGITS]]
// CHECK-NEXT: %[[Y:.*]], %{{.*}} = moe.fused_experts %[[LAST]] by %[[LAST_LOGITS]] {{.*}} residual %[[LAST]]
// CHECK-NEXT: return %[[Y]], %[[IDS]]
func.func @experts(%x: !rows, %l: !logits, %batch: !moe.batch, %w: !up) -> (!rows, !ids) attributes {moe.phase = "prefill"} {
  // 512 tokens are bound by 25.2 MFLOP / 8, one by 51 KB.
  // expected-remark@below {{512 tokens, 1 output: saves the time of 3024 KB, adds 2 launches of 64 KB}}
  %y, %ids = moe.fused_experts %x by %l with %w, %w, %w residual %x (!rows) {routing = #moe.routing<k = 2, score = softmax>, activation = #moe.activation<kind = silu>}
    : !rows, !logits, !up, !up, !up -> !rows, !ids
  %last = moe.gather_outputs %y at %batch : !rows
  return %last, %ids : !rows, !ids
}

// It goes on while results have no other reader: past the norm and the product whose sum both read, up to the attention.
// CHECK-LABEL: @dense
// CHECK: %[[A:.*]] = moe.attention
// CHECK-DAG: %[[LAST_A:.*]] = moe.gather_outputs %[[A]]
// CHECK-DAG: %[[LAST_X:.*]] = moe.gather_outputs %arg0
// CHECK: %[[O:.*]] = moe.linear %[[LAST_A]], %{{.*}} residual %[[LAST_X]]
// CHECK-NEXT: %[[N:.*]] = moe.rms_norm %[[O]]
// CHECK-NEXT: %[[Y:.*]] = moe.gated_mlp %[[N]], {{.*}} residual %[[O]]
// CHECK-NEXT: return %[[Y]]
moe.cache @keys : tensor<?x64xf32>
func.func @dense(%x: !rows, %batch: !moe.batch, %w: tensor<64x64xbf16>) -> !rows attributes {moe.phase = "prefill"} {
  moe.append %x to @keys at %batch : !rows
  %a = moe.attention %x over @keys, @keys at %batch {head_dim = 16 : i64, scale = 0.25 : f64} : !rows -> !rows
  // expected-remark@below {{adds 1 launches}}
  %o = moe.linear %a, %w residual %x (!rows) : !rows, tensor<64x64xbf16> -> !rows
  // expected-remark@below {{adds -1 launches}}
  %n = moe.rms_norm %o {epsilon = 1.0e-6 : f64, group = 64 : i64} : !rows
  // expected-remark@below {{adds 1 launches}}
  %y = moe.gated_mlp %n, %w, %w, %w residual %o (!rows) {activation = #moe.activation<kind = silu>}
    : !rows, tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xbf16> -> !rows
  %last = moe.gather_outputs %y at %batch : !rows
  return %last : !rows
}

// In decode every token is an output.
// CHECK-LABEL: @decode
// CHECK: moe.gated_mlp
// CHECK-NEXT: moe.gather_outputs
func.func @decode(%x: !rows, %batch: !moe.batch, %w: tensor<64x64xbf16>) -> !rows attributes {moe.phase = "decode"} {
  // expected-remark@below {{1 tokens, 1 output: saves the time of 0 KB, adds 0 launches of 64 KB}}
  %y = moe.gated_mlp %x, %w, %w, %w residual %x (!rows) {activation = #moe.activation<kind = silu>}
    : !rows, tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xbf16> -> !rows
  %last = moe.gather_outputs %y at %batch : !rows
  return %last : !rows
}

// What somebody else reads is needed for all tokens,
// CHECK-LABEL: @read_twice
// CHECK: moe.linear
// CHECK-NEXT: moe.gather_outputs
func.func @read_twice(%x: !rows, %batch: !moe.batch, %w: tensor<64x64xbf16>) -> (!rows, !rows) attributes {moe.phase = "prefill"} {
  %y = moe.linear %x, %w : !rows, tensor<64x64xbf16> -> !rows
  %last = moe.gather_outputs %y at %batch : !rows
  return %last, %y : !rows, !rows
}

// and what depends on positions is not known for outputs.
// CHECK-LABEL: @positions
// CHECK: moe.rope
// CHECK-NEXT: moe.gather_outputs
func.func @positions(%x: !rows, %batch: !moe.batch) -> !rows attributes {moe.phase = "prefill"} {
  %y = moe.rope %x at %batch {head_dim = 16 : i64, rotary = #moe.rotary<dims = 16, theta = 1.0e4, layout = half>} : !rows
  %last = moe.gather_outputs %y at %batch : !rows
  return %last : !rows
}

// Ids are not rows that can be gathered.
// CHECK-LABEL: @ids
// CHECK: moe.experts
// CHECK-NEXT: moe.gather_outputs
func.func @ids(%x: !rows, %ids: !ids, %v: tensor<?x2xf32>, %batch: !moe.batch, %w: !up) -> !rows attributes {moe.phase = "prefill"} {
  %y = moe.experts %x to %ids, %v with %w, %w, %w {activation = #moe.activation<kind = silu>}
    : !rows, !ids, tensor<?x2xf32>, !up, !up, !up -> !rows
  %last = moe.gather_outputs %y at %batch : !rows
  return %last : !rows
}
