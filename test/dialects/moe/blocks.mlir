// Blocks of positions: caches with a row for each, pooling, rotation, and attention to their entries round-trip.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

moe.cache @layers.0.keys : tensor<?x128xf32>
moe.cache @layers.0.projected : tensor<?x512xf32>
moe.cache @layers.0.entries : tensor<?x128xf32> {block = 4 : i64}
// CHECK: moe.cache @layers.0.entries : tensor<?x128xf32> {block = 4 : i64}

// Overlapping blocks become entries.
func.func @pool_blocks(%b: tensor<4x256xf32>, %batch: !moe.batch) {
  %e = moe.pool_blocks over @layers.0.projected at %batch bias %b : tensor<4x256xf32> -> tensor<?x128xf32>
  %r = moe.rope %e at %batch {head_dim = 128 : i64, rotary = #moe.rotary<dims = 64, theta = 1.0e4, layout = interleaved, offset = 64>, block = 4 : i64} : tensor<?x128xf32>
  moe.append %r to @layers.0.entries at %batch : tensor<?x128xf32>
  return
}
// CHECK-LABEL: @pool_blocks
// CHECK: moe.pool_blocks over @layers.0.projected at %{{.*}} bias %{{.*}} : tensor<4x256xf32> -> tensor<?x128xf32>
// CHECK: moe.rope %{{.*}} at %{{.*}} {block = 4 : i64, head_dim = 128 : i64

// Attention to a window and to all entries, and among those that a token chooses.
func.func @attention_entries(%q: tensor<?x512xf32>, %p: tensor<?x16xi32>, %sinks: tensor<4xf32>, %batch: !moe.batch) -> (tensor<?x512xf32>, tensor<?x512xf32>) {
  %o = moe.attention %q over @layers.0.keys, @layers.0.keys and @layers.0.entries at %batch
    {head_dim = 128 : i64, scale = 0.125 : f64, window = 128 : i64} : tensor<?x512xf32> -> tensor<?x512xf32>
  %a = moe.attention %q over @layers.0.keys, @layers.0.keys and @layers.0.entries at %batch among %p (tensor<?x16xi32>) sinks %sinks (tensor<4xf32>)
    {head_dim = 128 : i64, scale = 0.125 : f64, window = 128 : i64} : tensor<?x512xf32> -> tensor<?x512xf32>
  return %o, %a : tensor<?x512xf32>, tensor<?x512xf32>
}
// CHECK-LABEL: @attention_entries
// CHECK: moe.attention %{{.*}} over @layers.0.keys, @layers.0.keys and @layers.0.entries at %{{.*}} {head_dim
// CHECK: and @layers.0.entries at %{{.*}} among %{{.*}}(tensor<?x16xi32>) sinks %{{.*}}(tensor<4xf32>) {head_dim
