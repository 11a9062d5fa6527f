// RUN: moe-opt %s --split-input-file --plan-cut-kernels='max-tokens=8' --verify-diagnostics | FileCheck %s

// A kernel takes numbers and scales as weights of their own and dequantises in its region; layers alike share it. What a row reads
// are the bytes as they are stored.
// CHECK: plan.weight @v.0 : tensor<4x64xui4> = [#plan.part<"f" at 0 bytes 128>]
// CHECK: plan.kernel @embed_0
// CHECK: plan.kernel @linear_0 items 1 per constant rows tokens parts [array<i64>, array<i64: 4>, array<i64: 4>] attributes {bytes_per_row = 144 : i64, flop_per_row = 512 : i64}
// CHECK-NEXT: ^bb0(%[[X:.*]]: tensor<?x64xf32>, %[[V:.*]]: tensor<4x64xui4>, %[[S:.*]]: tensor<4x2xbf16>):
// CHECK-NEXT: %[[W:.*]] = moe.dequantize %[[V]] by %[[S]] as <rows = 1, columns = 32, zero_point = 8>
// CHECK-NEXT: moe.linear %[[X]], %[[W]]
// CHECK-NOT: plan.kernel
// CHECK: %[[V0:.*]] = plan.buffer weight @v.0 : memref<4x64xui4>
// CHECK: %[[S0:.*]] = plan.buffer weight @s.0 : memref<4x2xbf16>
// CHECK: plan.launch @linear_0(%{{.*}}, %[[V0]], %[[S0]], %{{.*}})
// CHECK: plan.launch @linear_0
plan.model "tiny" {vocabulary = 8 : i64, layers = 1 : i64, parameters = 64 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
moe.weight @table : tensor<8x64xf32> = [#moe.slice<"t" in "f" at 4096 rows 8>]
moe.weight @v.0 : tensor<4x64xui4> = [#moe.slice<"v" in "f" at 0 rows 4>]
moe.weight @s.0 : tensor<4x2xbf16> = [#moe.slice<"s" in "f" at 128 rows 4>]
moe.weight @v.1 : tensor<4x64xui4> = [#moe.slice<"v" in "f" at 256 rows 4>]
moe.weight @s.1 : tensor<4x2xbf16> = [#moe.slice<"s" in "f" at 384 rows 4>]
func.func @decode(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<?x4xf32> {moe.output = "a"}, tensor<?x4xf32> {moe.output = "b"}) attributes {moe.phase = "decode"} {
  %t = moe.get_weight @table : tensor<8x64xf32>
  %x = moe.embed %ids, %t : tensor<8x64xf32> -> tensor<?x64xf32>
  %v0 = moe.get_weight @v.0 : tensor<4x64xui4>
  %s0 = moe.get_weight @s.0 : tensor<4x2xbf16>
  %w0 = moe.dequantize %v0 by %s0 as <rows = 1, columns = 32, zero_point = 8> : tensor<4x64xui4>, tensor<4x2xbf16>
  %a = moe.linear %x, %w0 : tensor<?x64xf32>, tensor<4x64xf32> -> tensor<?x4xf32>
  %v1 = moe.get_weight @v.1 : tensor<4x64xui4>
  %s1 = moe.get_weight @s.1 : tensor<4x2xbf16>
  %w1 = moe.dequantize %v1 by %s1 as <rows = 1, columns = 32, zero_point = 8> : tensor<4x64xui4>, tensor<4x2xbf16>
  %b = moe.linear %x, %w1 : tensor<?x64xf32>, tensor<4x64xf32> -> tensor<?x4xf32>
  return %a, %b : tensor<?x4xf32>, tensor<?x4xf32>
}
