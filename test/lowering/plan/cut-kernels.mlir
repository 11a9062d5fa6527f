// RUN: moe-opt %s --split-input-file --plan-cut-kernels='max-tokens=100' | FileCheck %s

// Equal ops share a kernel, whatever weights and caches they use, in both phases. Slices that are neighbours in their file are one
// part; experts stay apart, as runs where they lie evenly.
// CHECK: plan.weight @table : tensor<64x8xbf16> = [#plan.part<"f" at 0 bytes 1024>]
// CHECK: plan.weight @fused : tensor<12x8xbf16> = [#plan.part<"f" at 1024 bytes 128>, #plan.part<"f" at 2048 bytes 64>]
// CHECK: plan.weight @joined : tensor<12x8xbf16> = [#plan.part<"f" at 3072 bytes 192>]
// CHECK: plan.weight @up : tensor<2x4x8xbf16> = [#plan.part<"f" at 4096 bytes 64 times 2 every 64>]
// CHECK: plan.weight @down : tensor<5x4x8xbf16> = [#plan.part<"f" at 8192 bytes 64 times 3 every 192>, #plan.part<"g" at 0 bytes 64 times 2 every 64>]
// CHECK: plan.cache @layers.0.keys : tensor<?x8xf32>
// CHECK: plan.constant @rotary_0 : tensor<32x4x2xf32> = #moe.rotary<dims = 8, theta = 1.000000e+04, layout = half>

// CHECK: plan.kernel @embed_0 items 1 per tokens rows tokens parts [array<i64>, array<i64: 64>] attributes {bytes_per_row = 16 : i64} {
// CHECK: plan.kernel @rowwise_0 items 1 per tokens rows tokens parts [array<i64>, array<i64>]
// CHECK-NEXT: ^bb0(%{{.*}}: tensor<?x8xf32>, %{{.*}}: !moe.batch):
// CHECK-NEXT: moe.cache @cache0 : tensor<?x8xf32>
// CHECK: moe.append %{{.*}} to @cache0
// CHECK: plan.kernel @attention_0 items 1 per sequences rows tokens
// CHECK: plan.kernel @linear_0 items 1 per constant rows tokens parts [array<i64>, array<i64: 8, 4>] attributes {bytes_per_row = 192 : i64, flop_per_row = 192 : i64}
// CHECK: plan.kernel @linear_1 items 1 per constant rows tokens parts [array<i64>, array<i64: 12>]
// CHECK: plan.kernel @gather_outputs_0 items 1 per outputs rows tokens
// CHECK: plan.kernel @linear_2 items 1 per constant rows outputs
// CHECK-NOT: plan.kernel

// CHECK: plan.program @prefill tokens 100 sequences 2 outputs 64 {
// CHECK-DAG: %[[IDS:.*]] = plan.buffer token_ids : memref<?xi32>
// CHECK-DAG: %[[TABLE:.*]] = plan.buffer weight @table : memref<64x8xbf16>
// CHECK-DAG: %[[X:.*]] = plan.buffer arena per tokens : memref<?x8xf32>
// CHECK: plan.launch @embed_0(%[[IDS]], %[[TABLE]], %[[X]])
// CHECK-DAG: %[[POSITIONS:.*]] = plan.buffer positions : memref<?xi32>
// CHECK-DAG: %[[SEQUENCE:.*]] = plan.buffer token_sequence : memref<?xi32>
// CHECK-DAG: %[[STARTS:.*]] = plan.buffer starts : memref<?xi32>
// CHECK-DAG: %[[PAGES:.*]] = plan.buffer pages : memref<?x?xi32>
// CHECK-DAG: %[[OUTPUTS:.*]] = plan.buffer output_tokens : memref<?xi32>
// CHECK-DAG: %[[KEYS:.*]] = plan.buffer cache @layers.0.keys : memref<?x8xf32>
// CHECK-DAG: %[[ROTARY:.*]] = plan.buffer constant @rotary_0 : memref<32x4x2xf32>
// CHECK: plan.launch @rowwise_0(%[[X]], %[[POSITIONS]], %[[SEQUENCE]], %[[STARTS]], %[[PAGES]], %[[OUTPUTS]], %[[KEYS]], %{{.*}}, %[[ROTARY]])
// CHECK: plan.output "logits" = %{{.*}} : memref<?x12xf32>
// CHECK: plan.program @decode tokens 2 sequences 2 outputs 2 {
// CHECK: plan.launch @rowwise_0(
// CHECK: plan.launch @attention_0(
// CHECK: plan.launch @rowwise_0(
// CHECK: plan.launch @attention_0(
plan.model "tiny" {vocabulary = 64 : i64, layers = 2 : i64, parameters = 1 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
moe.weight @table : tensor<64x8xbf16> = [#moe.slice<"t" in "f" at 0 rows 64>]
moe.weight @fused : tensor<12x8xbf16> = [#moe.slice<"a" in "f" at 1024 rows 8>, #moe.slice<"b" in "f" at 2048 rows 4>]
moe.weight @joined : tensor<12x8xbf16> = [#moe.slice<"a" in "f" at 3072 rows 8>, #moe.slice<"b" in "f" at 3200 rows 4>]
moe.weight @up : tensor<2x4x8xbf16> = [#moe.slice<"e" in "f" at 4096 rows 2>]
moe.weight @down : tensor<5x4x8xbf16> = [#moe.slice<"d" in "f" at 8192 rows 1 times 3 every 192>, #moe.slice<"d3" in "g" at 0 rows 2>]
moe.cache @layers.0.keys : tensor<?x8xf32>
moe.cache @layers.1.keys : tensor<?x8xf32>
func.func @prefill(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<?x12xf32> {moe.output = "logits"}) attributes {moe.phase = "prefill"} {
  %t = moe.get_weight @table : tensor<64x8xbf16>
  %x = moe.embed %ids, %t : tensor<64x8xbf16> -> tensor<?x8xf32>
  %q = moe.rowwise(%x, %batch) : (tensor<?x8xf32>, !moe.batch) -> tensor<?x8xf32> {
  ^bb0(%a: tensor<?x8xf32>, %b: !moe.batch):
    %r = moe.rope %a at %b {head_dim = 8 : i64, rotary = #moe.rotary<dims = 8, theta = 1.0e4, layout = half>} : tensor<?x8xf32>
    moe.append %r to @layers.0.keys at %b : tensor<?x8xf32>
    moe.yield %r : tensor<?x8xf32>
  }
  %o = moe.attention %q over @layers.0.keys, @layers.0.keys at %batch {head_dim = 8 : i64, scale = 0.5} : tensor<?x8xf32> -> tensor<?x8xf32>
  %f = moe.get_weight @fused : tensor<12x8xbf16>
  %j = moe.get_weight @joined : tensor<12x8xbf16>
  %y = moe.linear %o, %f : tensor<?x8xf32>, tensor<12x8xbf16> -> tensor<?x12xf32>
  %z = moe.linear %o, %j : tensor<?x8xf32>, tensor<12x8xbf16> -> tensor<?x12xf32>
  %l = moe.gather_outputs %o at %batch : tensor<?x8xf32>
  %logits = moe.linear %l, %j : tensor<?x8xf32>, tensor<12x8xbf16> -> tensor<?x12xf32>
  return %logits : tensor<?x12xf32>
}
func.func @decode(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<?x8xf32> {moe.output = "logits"}) attributes {moe.phase = "decode"} {
  %t = moe.get_weight @table : tensor<64x8xbf16>
  %x = moe.embed %ids, %t : tensor<64x8xbf16> -> tensor<?x8xf32>
  %q = moe.rowwise(%x, %batch) : (tensor<?x8xf32>, !moe.batch) -> tensor<?x8xf32> {
  ^bb0(%a: tensor<?x8xf32>, %b: !moe.batch):
    %r = moe.rope %a at %b {head_dim = 8 : i64, rotary = #moe.rotary<dims = 8, theta = 1.0e4, layout = half>} : tensor<?x8xf32>
    moe.append %r to @layers.0.keys at %b : tensor<?x8xf32>
    moe.yield %r : tensor<?x8xf32>
  }
  %o = moe.attention %q over @layers.0.keys, @layers.0.keys at %batch {head_dim = 8 : i64, scale = 0.5} : tensor<?x8xf32> -> tensor<?x8xf32>
  %q1 = moe.rowwise(%o, %batch) : (tensor<?x8xf32>, !moe.batch) -> tensor<?x8xf32> {
  ^bb0(%a: tensor<?x8xf32>, %b: !moe.batch):
    %r = moe.rope %a at %b {head_dim = 8 : i64, rotary = #moe.rotary<dims = 8, theta = 1.0e4, layout = half>} : tensor<?x8xf32>
    moe.append %r to @layers.1.keys at %b : tensor<?x8xf32>
    moe.yield %r : tensor<?x8xf32>
  }
  %o1 = moe.attention %q1 over @layers.1.keys, @layers.1.keys at %batch {head_dim = 8 : i64, scale = 0.5} : tensor<?x8xf32> -> tensor<?x8xf32>
  return %o1 : tensor<?x8xf32>
}

// -----

// Rows for blocks of other sizes lie elsewhere, so that caches with them have kernels of their own.
// CHECK: plan.cache @a : tensor<?x8xf32> {block = 4 : i64}
// CHECK: plan.cache @c : tensor<?x8xf32> {block = 6 : i64}
// CHECK: plan.kernel @rowwise_0
// CHECK: moe.cache @cache0 : tensor<?x8xf32> {block = 4 : i64}
// CHECK: plan.kernel @rowwise_1
// CHECK: moe.cache @cache0 : tensor<?x8xf32> {block = 6 : i64}
// CHECK-NOT: plan.kernel @rowwise
plan.model "tiny" {vocabulary = 64 : i64, layers = 1 : i64, parameters = 1 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
moe.weight @table : tensor<64x8xf32> = [#moe.slice<"t" in "f" at 0 rows 64>]
moe.cache @a : tensor<?x8xf32> {block = 4 : i64}
moe.cache @b : tensor<?x8xf32> {block = 4 : i64}
moe.cache @c : tensor<?x8xf32> {block = 6 : i64}
func.func @decode(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<?x8xf32> {moe.output = "logits"}) attributes {moe.phase = "decode"} {
  %t = moe.get_weight @table : tensor<64x8xf32>
  %x = moe.embed %ids, %t : tensor<64x8xf32> -> tensor<?x8xf32>
  moe.rowwise(%x, %batch) : (tensor<?x8xf32>, !moe.batch) -> () {
  ^bb0(%v: tensor<?x8xf32>, %at: !moe.batch):
    moe.append %v to @a at %at : tensor<?x8xf32>
    moe.yield
  }
  moe.rowwise(%x, %batch) : (tensor<?x8xf32>, !moe.batch) -> () {
  ^bb0(%v: tensor<?x8xf32>, %at: !moe.batch):
    moe.append %v to @b at %at : tensor<?x8xf32>
    moe.yield
  }
  moe.rowwise(%x, %batch) : (tensor<?x8xf32>, !moe.batch) -> () {
  ^bb0(%v: tensor<?x8xf32>, %at: !moe.batch):
    moe.append %v to @c at %at : tensor<?x8xf32>
    moe.yield
  }
  return %x : tensor<?x8xf32>
}
