// What a compiled model consists of besides code round-trips in custom and in generic form.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

plan.model "deepseek_v3" {vocabulary = 4096 : i64, layers = 3 : i64, parameters = 8300000 : i64, max_sequence = 2048 : i64,
  max_batch = 8 : i64, page_size = 64 : i64, bos = 0 : i64, eos = array<i64: 1>, compute = "f32"}
// CHECK: plan.model "deepseek_v3" {bos = 0 : i64, compute = "f32", eos = array<i64: 1>, layers = 3 : i64, max_batch = 8 : i64,
// CHECK-SAME: max_sequence = 2048 : i64, page_size = 64 : i64, parameters = 8300000 : i64, vocabulary = 4096 : i64}

plan.routing layer 1 experts 16 k 4 "sigmoid scores, 2 of 4 groups"
// CHECK: plan.routing layer 1 experts 16 k 4 "sigmoid scores, 2 of 4 groups"

plan.weight @norm : tensor<256xbf16> = [#plan.part<"model.safetensors" at 4096 bytes 512>]
// CHECK: plan.weight @norm : tensor<256xbf16> = [#plan.part<"model.safetensors" at 4096 bytes 512>]

// Parts of different sizes, in different files.
plan.weight @fused : tensor<5x4xf32> = [#plan.part<"a" at 0 bytes 32>, #plan.part<"b" at 64 bytes 48>]
// CHECK: plan.weight @fused : tensor<5x4xf32> = [#plan.part<"a" at 0 bytes 32>, #plan.part<"b" at 64 bytes 48>]

// Parts that lie evenly are a run.
plan.weight @experts : tensor<17x2x4xf32> = [#plan.part<"a" at 0 bytes 32 times 16 every 96>, #plan.part<"b" at 64 bytes 32>]
// CHECK: plan.weight @experts : tensor<17x2x4xf32> = [#plan.part<"a" at 0 bytes 32 times 16 every 96>, #plan.part<"b" at 64 bytes 32>]

plan.cache @layers.0.latent : tensor<?x80xf32>
plan.cache @layers.1.latent : tensor<?x80xbf16>
// CHECK: plan.cache @layers.0.latent : tensor<?x80xf32>
// CHECK: plan.cache @layers.1.latent : tensor<?x80xbf16>

plan.constant @rotary_0 : tensor<2048x8x2xf32> = "angles of positions 0 to 2047" {offset = 0 : i64}
// CHECK: plan.constant @rotary_0 : tensor<2048x8x2xf32> = "angles of positions 0 to 2047" {offset = 0 : i64}

// A matrix stored as columns of words, eight of a row's elements to each.
plan.weight @words : tensor<8x64xui4> = [#plan.part<"model.safetensors" at 4096 bytes 256 strides 8 by 64 words[0, 1, 2, 3, 4, 5, 6, 7] along 1>]
// CHECK: plan.weight @words : tensor<8x64xui4> = [#plan.part<"model.safetensors" at 4096 bytes 256 strides 8 by 64 words[0, 1, 2, 3, 4, 5, 6, 7] along 1>]

// A matrix stored transposed.
plan.weight @strided : tensor<8x128xbf16> = [#plan.part<"model.safetensors" at 4096 bytes 2048 strides 1 by 64>]
// CHECK: plan.weight @strided : tensor<8x128xbf16> = [#plan.part<"model.safetensors" at 4096 bytes 2048 strides 1 by 64>]
