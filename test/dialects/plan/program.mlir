// Kernels, programs, buffers and launches round-trip in custom and in generic form.
// RUN: moe-opt %s --allow-unregistered-dialect | moe-opt --allow-unregistered-dialect | FileCheck %s
// RUN: moe-opt %s --allow-unregistered-dialect --mlir-print-op-generic | moe-opt --allow-unregistered-dialect | FileCheck %s

plan.kernel @linear_0 items 5 per constant rows tokens parts [array<i64>, array<i64: 80>] {
^bb0(%x: tensor<?x256xf32>, %w: tensor<80x256xbf16>):
  %y = "some.product"(%x, %w) : (tensor<?x256xf32>, tensor<80x256xbf16>) -> tensor<?x80xf32>
  plan.return %y : tensor<?x80xf32>
}
// CHECK: plan.kernel @linear_0 items 5 per constant rows tokens parts [array<i64>, array<i64: 80>] {
// CHECK-NEXT: ^bb0(%{{.*}}: tensor<?x256xf32>, %{{.*}}: tensor<80x256xbf16>):
// CHECK: plan.return %{{.*}} : tensor<?x80xf32>

// A kernel that reads the batch and writes a cache; what it costs; rows that count outputs.
plan.kernel @append_0 items 1 per tokens rows outputs parts [array<i64>, array<i64>] attributes {bytes_per_row = 8 : i64, flop_per_row = 16 : i64, scratch_bytes = 64 : i64} {
^bb0(%x: tensor<?x8xf32>, %batch: !moe.batch):
  moe.cache @cache0 : tensor<?x8xf32>
  moe.append %x to @cache0 at %batch : tensor<?x8xf32>
  plan.return
}
// CHECK: plan.kernel @append_0 items 1 per tokens rows outputs parts [array<i64>, array<i64>]
// CHECK-SAME: attributes {bytes_per_row = 8 : i64, flop_per_row = 16 : i64, scratch_bytes = 64 : i64}
// CHECK: plan.return{{$}}

plan.program @decode tokens 8 sequences 8 outputs 8 {
  %x = plan.buffer arena at 0 per tokens : memref<?x8xf32>
  plan.output "logits" = %x : memref<?x8xf32>
}
// CHECK: plan.program @decode tokens 8 sequences 8 outputs 8 {
// CHECK-NEXT: %[[X:.*]] = plan.buffer arena at 0 per tokens : memref<?x8xf32>
// CHECK-NEXT: plan.output "logits" = %[[X]] : memref<?x8xf32>

plan.weight @norm : tensor<256xbf16> = [#plan.part<"m" at 0 bytes 512>]
plan.weight @w : tensor<80x256xbf16> = [#plan.part<"m" at 512 bytes 40960>]
plan.cache @c : tensor<?x8xf32>
plan.constant @table : tensor<16x2xf32> = "a table"

// A launch with exactly the buffers that its kernel lists.
plan.program @product tokens 8 sequences 8 outputs 8 {
  %x = plan.buffer arena per tokens : memref<?x256xf32>
  %w = plan.buffer weight @w : memref<80x256xbf16>
  %y = plan.buffer arena per tokens : memref<?x80xf32>
  plan.launch @linear_0(%x, %w, %y) : memref<?x256xf32>, memref<80x256xbf16>, memref<?x80xf32>
}
// CHECK-LABEL: plan.program @product
// CHECK: plan.launch @linear_0(%{{.*}}, %{{.*}}, %{{.*}}) : memref<?x256xf32>, memref<80x256xbf16>, memref<?x80xf32>

// Every kind of buffer; a launch on the buffers of a batch, a cache, and a constant besides.
plan.program @prefill tokens 512 sequences 8 outputs 8 arena 524288 {
  %x = plan.buffer arena at 0 per tokens : memref<?x256xf32>
  %ids = plan.buffer token_ids : memref<?xi32>
  %w = plan.buffer weight @norm : memref<256xbf16>
  %few = plan.buffer arena per outputs : memref<?x8xf32>
  %positions = plan.buffer positions : memref<?xi32>
  %sequence = plan.buffer token_sequence : memref<?xi32>
  %starts = plan.buffer starts : memref<?xi32>
  %pages = plan.buffer pages : memref<?x?xi32>
  %outputs = plan.buffer output_tokens : memref<?xi32>
  %settings = plan.buffer sampling : memref<?x5xi32>
  %cache = plan.buffer cache @c : memref<?x8xf32>
  %table = plan.buffer constant @table : memref<16x2xf32>
  plan.launch @append_0(%few, %positions, %sequence, %starts, %pages, %outputs, %cache, %table)
    : memref<?x8xf32>, memref<?xi32>, memref<?xi32>, memref<?xi32>, memref<?x?xi32>, memref<?xi32>, memref<?x8xf32>, memref<16x2xf32>
  %l = plan.buffer arena at 8192 : memref<4x4096xf32>
  plan.output "routing.1" = %l : memref<4x4096xf32>
}
// CHECK: plan.program @prefill tokens 512 sequences 8 outputs 8 arena 524288 {
// CHECK: plan.buffer token_ids : memref<?xi32>
// CHECK: plan.buffer weight @norm : memref<256xbf16>
// CHECK: plan.buffer arena per outputs : memref<?x8xf32>
// CHECK: plan.buffer positions : memref<?xi32>
// CHECK: plan.buffer token_sequence : memref<?xi32>
// CHECK: plan.buffer starts : memref<?xi32>
// CHECK: plan.buffer pages : memref<?x?xi32>
// CHECK: plan.buffer output_tokens : memref<?xi32>
// CHECK: plan.buffer sampling : memref<?x5xi32>
// CHECK: plan.buffer cache @c : memref<?x8xf32>
// CHECK: plan.buffer constant @table : memref<16x2xf32>
// CHECK: plan.launch @append_0(
// CHECK: plan.buffer arena at 8192 : memref<4x4096xf32>

// The names under which the logits are found.
plan.program @names tokens 8 sequences 8 outputs 8 {
  %l = plan.buffer arena at 0 per outputs : memref<?x4096xf32>
  plan.output "logits" = %l : memref<?x4096xf32>
}
// CHECK-LABEL: plan.program @names
// CHECK: plan.output "logits" = %{{.*}} : memref<?x4096xf32>
