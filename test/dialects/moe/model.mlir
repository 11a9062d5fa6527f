// Weights, caches, embedding, outputs, columns and row-wise groups round-trip in custom and in generic form.
// RUN: moe-opt %s --split-input-file | moe-opt --split-input-file | FileCheck %s
// RUN: moe-opt %s --split-input-file --mlir-print-op-generic | moe-opt --split-input-file | FileCheck %s

// A weight of one slice, and its value.
moe.weight @norm : tensor<256xbf16> = [#moe.slice<"model.norm.weight" in "model.safetensors" at 4096 rows 256>]
func.func @get_weight() -> tensor<256xbf16> {
  %w = moe.get_weight @norm : tensor<256xbf16>
  return %w : tensor<256xbf16>
}
// CHECK: moe.weight @norm : tensor<256xbf16> = [#moe.slice<"model.norm.weight" in "model.safetensors" at 4096 rows 256>]
// CHECK-LABEL: @get_weight
// CHECK: moe.get_weight @norm : tensor<256xbf16>

// A weight of several slices, one for each expert; names in quotes where they need them.
moe.weight @"layers.0.up" : tensor<2x4x8xf32> = [#moe.slice<"experts.0.up" in "a.safetensors" at 0 rows 1>, #moe.slice<"experts.1.up" in "b.safetensors" at 128 rows 1>]
// CHECK: moe.weight @layers.0.up : tensor<2x4x8xf32> =
// CHECK-SAME: [#moe.slice<"experts.0.up" in "a.safetensors" at 0 rows 1>, #moe.slice<"experts.1.up" in "b.safetensors" at 128 rows 1>]

// Experts that lie evenly in a file are a run; other slices may follow.
moe.weight @layers.0.down : tensor<18x4x8xf32> = [#moe.slice<"experts.0.down" in "a.safetensors" at 256 rows 1 times 16 every 384>, #moe.slice<"experts.16.down" in "b.safetensors" at 0 rows 1>, #moe.slice<"experts.17.down" in "b.safetensors" at 384 rows 1>]
// CHECK: moe.weight @layers.0.down : tensor<18x4x8xf32> =
// CHECK-SAME: [#moe.slice<"experts.0.down" in "a.safetensors" at 256 rows 1 times 16 every 384>, #moe.slice<"experts.16.down" in "b.safetensors" at 0 rows 1>, #moe.slice<"experts.17.down" in "b.safetensors" at 384 rows 1>]

// Storage types of every kind are weights.
moe.weight @f16 : tensor<3xf16> = [#moe.slice<"f16" in "m" at 0 rows 3>]
moe.weight @fp8 : tensor<3xf8E4M3FN> = [#moe.slice<"fp8" in "m" at 6 rows 3>]
moe.weight @i8 : tensor<3xi8> = [#moe.slice<"i8" in "m" at 9 rows 3>]
// CHECK: tensor<3xf16>
// CHECK: tensor<3xf8E4M3FN>
// CHECK: tensor<3xi8>

// -----

// Values of several ops become one cache row, in f32 or in bf16.
moe.cache @layers.0.latent : tensor<?x80xf32>
moe.cache @layers.1.latent : tensor<?x16xbf16>
func.func @append(%latent: tensor<?x64xf32>, %k_pe: tensor<?x16xf32>, %batch: !moe.batch) {
  moe.append %latent, %k_pe to @layers.0.latent at %batch : tensor<?x64xf32>, tensor<?x16xf32>
  moe.append %k_pe to @layers.1.latent at %batch : tensor<?x16xf32>
  return
}
// CHECK: moe.cache @layers.0.latent : tensor<?x80xf32>
// CHECK: moe.cache @layers.1.latent : tensor<?x16xbf16>
// CHECK-LABEL: @append
// CHECK-SAME: (%[[LATENT:.*]]: tensor<?x64xf32>, %[[PE:.*]]: tensor<?x16xf32>, %[[BATCH:.*]]: !moe.batch)
// CHECK: moe.append %[[LATENT]], %[[PE]] to @layers.0.latent at %[[BATCH]] : tensor<?x64xf32>, tensor<?x16xf32>
// CHECK: moe.append %[[PE]] to @layers.1.latent at %[[BATCH]] : tensor<?x16xf32>

// -----

// The ends of a model.
func.func @ends(%ids: tensor<?xi32>, %table: tensor<4096x256xbf16>, %batch: !moe.batch) -> tensor<?x256xf32> {
  %x = moe.embed %ids, %table : tensor<4096x256xbf16> -> tensor<?x256xf32>
  %four = moe.embed %ids, %table : tensor<4096x256xbf16> -> tensor<?x1024xf32>
  %last = moe.gather_outputs %x at %batch : tensor<?x256xf32>
  return %last : tensor<?x256xf32>
}
// CHECK-LABEL: @ends
// CHECK: %[[X:.*]] = moe.embed %{{.*}}, %{{.*}} : tensor<4096x256xbf16> -> tensor<?x256xf32>
// CHECK: moe.gather_outputs %[[X]] at %{{.*}} : tensor<?x256xf32>

// -----

func.func @columns(%kv: tensor<?x80xf32>) -> tensor<?x16xf32> {
  %k_pe = moe.columns %kv from 64 : tensor<?x80xf32> -> tensor<?x16xf32>
  return %k_pe : tensor<?x16xf32>
}
// CHECK-LABEL: @columns
// CHECK: moe.columns %{{.*}} from 64 : tensor<?x80xf32> -> tensor<?x16xf32>

// -----

func.func @rowwise(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>, %w: tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %sum, %normed = moe.rowwise(%x, %y, %w) : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  ^bb0(%a: tensor<?x8xf32>, %b: tensor<?x8xf32>, %v: tensor<8xf32>):
    %s = arith.addf %a, %b : tensor<?x8xf32>
    %n = moe.rms_norm %s, %v {epsilon = 1.0e-6 : f64} : tensor<?x8xf32>, tensor<8xf32>
    moe.yield %s, %n : tensor<?x8xf32>, tensor<?x8xf32>
  }
  return %sum, %normed : tensor<?x8xf32>, tensor<?x8xf32>
}
// CHECK-LABEL: @rowwise
// CHECK: moe.rowwise(%{{.*}}, %{{.*}}, %{{.*}}) : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<?x8xf32>, %[[B:.*]]: tensor<?x8xf32>, %[[V:.*]]: tensor<8xf32>):
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[A]], %[[B]]
// CHECK-NEXT: %[[N:.*]] = moe.rms_norm %[[S]], %[[V]]
// CHECK-NEXT: moe.yield %[[S]], %[[N]] : tensor<?x8xf32>, tensor<?x8xf32>

// -----

// A group of cache writes yields nothing.
moe.cache @c : tensor<?x8xf32>
func.func @rowwise_append(%x: tensor<?x8xf32>, %batch: !moe.batch) {
  moe.rowwise(%x, %batch) : (tensor<?x8xf32>, !moe.batch) -> () {
  ^bb0(%a: tensor<?x8xf32>, %b: !moe.batch):
    moe.append %a to @c at %b : tensor<?x8xf32>
  }
  return
}
// CHECK-LABEL: @rowwise_append
// CHECK: moe.append %{{.*}} to @c

// Columns of words of four bits, whose rows alternate.
moe.weight @words : tensor<16x64xui4> = [#moe.slice<"qweight" in "model.safetensors" at 4096 rows 16 strides 8 by 16 words[0, 4, 1, 5, 2, 6, 3, 7] along 0>]
// CHECK: moe.weight @words : tensor<16x64xui4> = [#moe.slice<"qweight" in "model.safetensors" at 4096 rows 16 strides 8 by 16 words[0, 4, 1, 5, 2, 6, 3, 7] along 0>]

// Experts stored transposed, gate and up in turns.
moe.weight @strided : tensor<16x32x64xbf16> = [#moe.slice<"experts.gate_up_proj" in "model.safetensors" at 4096 rows 1 times 16 every 8192 strides 2 by 64>]
// CHECK: moe.weight @strided : tensor<16x32x64xbf16> = [#moe.slice<"experts.gate_up_proj" in "model.safetensors" at 4096 rows 1 times 16 every 8192 strides 2 by 64>]

func.func @sample(%logits: tensor<?x4096xf32>, %settings: tensor<?x5xi32>) -> tensor<?x1xi32> {
  %token = moe.sample %logits by %settings : tensor<?x4096xf32>
  return %token : tensor<?x1xi32>
}
// CHECK-LABEL: @sample
// CHECK: moe.sample %{{.*}} by %{{.*}} : tensor<?x4096xf32>
