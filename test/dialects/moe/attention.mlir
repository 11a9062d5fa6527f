// Attention in its three forms round-trips in custom and in generic form.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

moe.cache @layers.0.keys : tensor<?x32xf32>
moe.cache @layers.0.values : tensor<?x32xf32>
moe.cache @layers.0.latent : tensor<?x80xf32>

// Four query heads over two key/value heads, of caches and of rows.
func.func @attention(%q: tensor<?x64xf32>, %batch: !moe.batch, %k: tensor<?x32xf32>, %v: tensor<?x32xf32>, %lengths: tensor<?xi64>, %first: tensor<?xi64>)
    -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %o = moe.attention %q over @layers.0.keys, @layers.0.values at %batch {head_dim = 16 : i64, scale = 2.5e-1 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
  %p = moe.attention %q across %k, %v : tensor<?x32xf32>, tensor<?x32xf32> of %lengths from %first {head_dim = 16 : i64, scale = 2.5e-1 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return %o, %p : tensor<?x64xf32>, tensor<?x64xf32>
}
// CHECK-LABEL: @attention
// CHECK: moe.attention %{{.*}} over @layers.0.keys, @layers.0.values at %{{.*}} {head_dim = 16 : i64, scale = 2.500000e-01 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>

// A window with sinks and a soft cap; a chunk with bf16 operands.
func.func @attention_masks(%q: tensor<?x64xf32>, %sinks: tensor<4xbf16>, %batch: !moe.batch) -> tensor<?x64xf32> {
  %o = moe.attention %q over @layers.0.keys, @layers.0.values at %batch sinks %sinks (tensor<4xbf16>)
    {head_dim = 16 : i64, scale = 0.25 : f64, window = 128 : i64, soft_cap = 50.0 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
  %p = moe.attention %o over @layers.0.keys, @layers.0.values at %batch
    {head_dim = 16 : i64, scale = 0.25 : f64, chunk = 8192 : i64, compute = #moe<compute bf16>} : tensor<?x64xf32> -> tensor<?x64xf32>
  return %p : tensor<?x64xf32>
}
// CHECK-LABEL: @attention_masks
// CHECK: sinks %{{.*}}(tensor<4xbf16>) {head_dim = 16 : i64, scale = 2.500000e-01 : f64, soft_cap = 5.000000e+01 : f64, window = 128 : i64}
// CHECK: {chunk = 8192 : i64, compute = #moe<compute bf16>, head_dim = 16 : i64, scale = 2.500000e-01 : f64}

func.func @latent_attention(%q: tensor<?x384xf32>, %w_uk: tensor<8x32x64xbf16>, %w_uv: tensor<8x32x64xbf16>, %batch: !moe.batch) -> tensor<?x256xf32> {
  %o = moe.latent_attention %q over @layers.0.latent at %batch with %w_uk, %w_uv {scale = 0.144 : f64}
    : tensor<?x384xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x256xf32>
  return %o : tensor<?x256xf32>
}
// CHECK-LABEL: @latent_attention
// CHECK: moe.latent_attention %{{.*}} over @layers.0.latent at %{{.*}} with %{{.*}}, %{{.*}} {scale = 1.440000e-01 : f64}
// CHECK-SAME: : tensor<?x384xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x256xf32>

func.func @absorbed_attention(%q: tensor<?x384xf32>, %w_uk: tensor<8x32x64xbf16>, %w_uv: tensor<8x32x64xbf16>, %batch: !moe.batch) -> tensor<?x256xf32> {
  %o = moe.absorbed_attention %q over @layers.0.latent at %batch with %w_uk, %w_uv {scale = 0.144 : f64}
    : tensor<?x384xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x256xf32>
  %p = moe.absorbed_attention %q over @layers.0.latent at %batch with %w_uk, %w_uv {compute = #moe<compute bf16>, scale = 1.0 : f64}
    : tensor<?x384xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x256xf32>
  return %o : tensor<?x256xf32>
}
// CHECK-LABEL: @absorbed_attention
// CHECK: moe.absorbed_attention %{{.*}} over @layers.0.latent at %{{.*}} with %{{.*}}, %{{.*}} {scale = 1.440000e-01 : f64}
// CHECK-SAME: : tensor<?x384xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x256xf32>
// CHECK: {compute = #moe<compute bf16>, scale = 1.000000e+00 : f64}

moe.cache @layers.0.index_keys : tensor<?x128xf32>

// The positions that matter most, and attention among them.
func.func @select_positions(%q: tensor<?x1024xf32>, %w: tensor<?x8xf32>, %query: tensor<?x384xf32>, %w_uk: tensor<8x32x64xbf16>,
                            %w_uv: tensor<8x32x64xbf16>, %batch: !moe.batch) -> (tensor<?x256xf32>, tensor<?x256xf32>) {
  %p = moe.select_positions %q, %w over @layers.0.index_keys at %batch : tensor<?x1024xf32>, tensor<?x8xf32> -> tensor<?x64xi32>
  %o = moe.latent_attention %query over @layers.0.latent at %batch among %p (tensor<?x64xi32>) with %w_uk, %w_uv {scale = 0.144 : f64}
    : tensor<?x384xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x256xf32>
  %a = moe.absorbed_attention %query over @layers.0.latent at %batch among %p (tensor<?x64xi32>) with %w_uk, %w_uv {scale = 0.144 : f64}
    : tensor<?x384xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x256xf32>
  return %o, %a : tensor<?x256xf32>, tensor<?x256xf32>
}
// CHECK-LABEL: @select_positions
// CHECK: %[[P:.*]] = moe.select_positions %{{.*}}, %{{.*}} over @layers.0.index_keys at %{{.*}} : tensor<?x1024xf32>, tensor<?x8xf32> -> tensor<?x64xi32>
// CHECK: moe.latent_attention %{{.*}} over @layers.0.latent at %{{.*}} among %[[P]](tensor<?x64xi32>) with
// CHECK: moe.absorbed_attention %{{.*}} over @layers.0.latent at %{{.*}} among %[[P]](tensor<?x64xi32>) with

// Rows without positions, and with all that their queries may see.
func.func @attention_rows(%q: tensor<?x64xf32>, %k: tensor<?x32xf32>, %v: tensor<?x32xf32>, %lengths: tensor<?xi64>, %first: tensor<?xi64>,
                          %bias: tensor<?x1x?x?xf32>, %sinks: tensor<4xf32>) -> tensor<?x64xf32> {
  %o = moe.attention %q across %k, %v : tensor<?x32xf32>, tensor<?x32xf32> of %lengths {head_dim = 16 : i64, scale = 0.25 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
  %p = moe.attention %o across %k, %v : tensor<?x32xf32>, tensor<?x32xf32> of %lengths from %first bias %bias : tensor<?x1x?x?xf32>
    sinks %sinks (tensor<4xf32>) {head_dim = 16 : i64, scale = 0.25 : f64, window = 4 : i64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return %p : tensor<?x64xf32>
}
// CHECK-LABEL: @attention_rows
// CHECK: moe.attention %{{.*}} across %{{.*}}, %{{.*}} : tensor<?x32xf32>, tensor<?x32xf32> of %{{.*}} {head_dim = 16 : i64, scale = 2.500000e-01 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
// CHECK: from %{{.*}} bias %{{.*}} : tensor<?x1x?x?xf32> sinks %{{.*}}(tensor<4xf32>) {head_dim = 16 : i64, scale = 2.500000e-01 : f64, window = 4 : i64}

func.func @latent_rows(%q: tensor<?x384xf32>, %c: tensor<?x80xf32>, %k: tensor<?x384xf32>, %v: tensor<?x256xf32>, %w_uk: tensor<8x32x64xbf16>,
                       %w_uv: tensor<8x32x64xbf16>, %lengths: tensor<?xi64>, %first: tensor<?xi64>) -> (tensor<?x256xf32>, tensor<?x256xf32>) {
  %o = moe.latent_attention %q across %c : tensor<?x80xf32> after %k, %v : tensor<?x384xf32>, tensor<?x256xf32> of %lengths from %first
    with %w_uk, %w_uv {scale = 0.5 : f64} : tensor<?x384xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x256xf32>
  %a = moe.absorbed_attention %q across %c : tensor<?x80xf32> of %lengths
    with %w_uk, %w_uv {scale = 0.5 : f64} : tensor<?x384xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x256xf32>
  return %o, %a : tensor<?x256xf32>, tensor<?x256xf32>
}
// CHECK-LABEL: @latent_rows
// CHECK: moe.latent_attention %{{.*}} across %{{.*}} : tensor<?x80xf32> after %{{.*}}, %{{.*}} : tensor<?x384xf32>, tensor<?x256xf32> of %{{.*}} from %{{.*}} with
// CHECK: moe.absorbed_attention %{{.*}} across %{{.*}} : tensor<?x80xf32> of %{{.*}} with
