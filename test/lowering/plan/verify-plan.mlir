// RUN: moe-opt %s --plan-verify-plan | FileCheck %s

// A complete plan passes unchanged.
// CHECK: plan.program @decode
plan.model "tiny" {vocabulary = 64 : i64, layers = 2 : i64, parameters = 1 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
plan.constant @rotary_0 : tensor<32x4x2xf32> = #moe.rotary<dims = 8, theta = 1.0e4, layout = half> {offset = 0 : i64}
plan.kernel @turn items 1 per tokens rows tokens parts [array<i64>, array<i64>] {
^bb0(%x: tensor<?x8xf32>, %b: !moe.batch):
  %y = moe.rope %x at %b {head_dim = 8 : i64, rotary = #moe.rotary<dims = 8, theta = 1.0e4, layout = half>} : tensor<?x8xf32>
  plan.return %y : tensor<?x8xf32>
}
plan.program @prefill tokens 2 sequences 2 outputs 2 arena 128 {
  %x = plan.buffer arena at 0 per tokens : memref<?x8xf32>
  %p = plan.buffer positions : memref<?xi32>
  %s = plan.buffer token_sequence : memref<?xi32>
  %t = plan.buffer starts : memref<?xi32>
  %g = plan.buffer pages : memref<?x?xi32>
  %o = plan.buffer output_tokens : memref<?xi32>
  %y = plan.buffer arena at 64 per tokens : memref<?x8xf32>
  %r = plan.buffer constant @rotary_0 : memref<32x4x2xf32>
  plan.launch @turn(%x, %p, %s, %t, %g, %o, %y, %r) : memref<?x8xf32>, memref<?xi32>, memref<?xi32>, memref<?xi32>, memref<?x?xi32>,
    memref<?xi32>, memref<?x8xf32>, memref<32x4x2xf32>
}
plan.program @decode tokens 2 sequences 2 outputs 2 arena 0 {}
