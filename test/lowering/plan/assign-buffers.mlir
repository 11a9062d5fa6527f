// RUN: moe-opt %s --plan-assign-buffers | FileCheck %s

plan.kernel @copy items 1 per tokens rows tokens parts [array<i64>] {
^bb0(%x: tensor<?x8xf32>):
  plan.return %x : tensor<?x8xf32>
}
plan.kernel @count items 1 per constant rows tokens parts [array<i64>] {
^bb0(%x: tensor<?x8xf32>):
  %y = tensor.empty() : tensor<3xi32>
  plan.return %y : tensor<3xi32>
}

// Constants lie one after the other, at multiples of 64.
// CHECK: plan.constant @a : tensor<9x2xf32> = "a" {offset = 0 : i64}
// CHECK: plan.constant @b : tensor<16xf32> = "b" {offset = 128 : i64}
plan.constant @a : tensor<9x2xf32> = "a"
plan.constant @b : tensor<16xf32> = "b"

// %b is written while %a is read; %c finds %a's place free, for 3 rows of 32 bytes each. Outputs live to the end, so %d gets no place of theirs.
// CHECK: plan.program @prefill tokens 3 sequences 2 outputs 1 arena 320 {
// CHECK: plan.buffer arena at 0 per tokens
// CHECK: plan.buffer arena at 128 per tokens
// CHECK: plan.buffer arena at 0 per tokens
// CHECK: plan.buffer arena at 256 : memref<3xi32>
plan.program @prefill tokens 3 sequences 2 outputs 1 {
  %a = plan.buffer arena per tokens : memref<?x8xf32>
  %b = plan.buffer arena per tokens : memref<?x8xf32>
  plan.launch @copy(%a, %b) : memref<?x8xf32>, memref<?x8xf32>
  %c = plan.buffer arena per tokens : memref<?x8xf32>
  plan.launch @copy(%b, %c) : memref<?x8xf32>, memref<?x8xf32>
  %d = plan.buffer arena : memref<3xi32>
  plan.launch @count(%c, %d) : memref<?x8xf32>, memref<3xi32>
  plan.output "b" = %b : memref<?x8xf32>
}

// Buffers with a row for each output are as long as the program's outputs.
// CHECK: plan.program @decode tokens 2 sequences 2 outputs 2 arena 64 {
plan.program @decode tokens 2 sequences 2 outputs 2 {
  %a = plan.buffer arena per outputs : memref<?x8xf32>
  plan.output "a" = %a : memref<?x8xf32>
}
