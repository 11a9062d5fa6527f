// What the verifiers of kernels, programs, buffers and launches refuse.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{C1: expected rows that count tokens or outputs, got sequences}}
plan.kernel @kernel_c1 items 1 per tokens rows sequences parts [array<i64>] {
^bb0(%x: tensor<?x8xf32>):
  plan.return %x : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{C2: expected parts of 1 arguments, got 0}}
plan.kernel @kernel_c2 items 1 per tokens rows tokens parts [] {
^bb0(%x: tensor<?x8xf32>):
  plan.return %x : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{C2: expected no parts for an argument of type 'tensor<?x8xf32>'}}
plan.kernel @kernel_c2_rows items 1 per tokens rows tokens parts [array<i64: 8>] {
^bb0(%x: tensor<?x8xf32>):
  plan.return %x : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{C2: expected parts of 8 rows in all for 'tensor<8x8xf32>'}}
plan.kernel @kernel_c2_sum items 1 per tokens rows tokens parts [array<i64: 3, 4>] {
^bb0(%w: tensor<8x8xf32>):
  plan.return %w : tensor<8x8xf32>
}

// -----

// expected-error @+1 {{C2: expected parts of 8 rows in all for 'tensor<8x8xf32>'}}
plan.kernel @kernel_c2_negative items 1 per tokens rows tokens parts [array<i64: -2, 10>] {
^bb0(%w: tensor<8x8xf32>):
  plan.return %w : tensor<8x8xf32>
}

// -----

// expected-error @+1 {{C3: expected a region that ends with a plan.return of tensors}}
plan.kernel @kernel_c3 items 1 per tokens rows tokens parts [array<i64>] {
^bb0(%batch: !moe.batch):
  plan.return %batch : !moe.batch
}

// -----

// expected-error @+1 {{C1: expected buffers, launches and outputs only}}
plan.program @program_c1 tokens 8 sequences 8 outputs 8 {
  // expected-note @+1 {{'arith.constant' is none of these}}
  %c = arith.constant 0 : i32
}

// -----

// expected-error @+1 {{C2: expected one output 'logits', got two}}
plan.program @program_c2 tokens 8 sequences 8 outputs 8 {
  %x = plan.buffer arena at 0 per tokens : memref<?x8xf32>
  plan.output "logits" = %x : memref<?x8xf32>
  plan.output "logits" = %x : memref<?x8xf32>
}

// -----

plan.program @buffer_c1 tokens 8 sequences 8 outputs 8 {
  // expected-error @+1 {{C1: expected a symbol for a buffer of kind weight}}
  %x = plan.buffer weight : memref<8xf32>
}

// -----

plan.program @buffer_c1_none tokens 8 sequences 8 outputs 8 {
  // expected-error @+1 {{C1: expected no symbol for a buffer of kind token_ids}}
  %x = plan.buffer token_ids @w : memref<?xi32>
}

// -----

plan.cache @c : tensor<?x8xf32>
plan.program @buffer_c1_kind tokens 8 sequences 8 outputs 8 {
  // expected-error @+1 {{C1: expected 'c' to name a plan.weight}}
  %x = plan.buffer weight @c : memref<?x8xf32>
}

// -----

plan.cache @c : tensor<?x8xf32>
plan.program @buffer_c1_shape tokens 8 sequences 8 outputs 8 {
  // expected-error @+1 {{C1: expected a buffer shaped like 'tensor<?x8xf32>', got 'memref<?x4xf32>'}}
  %x = plan.buffer cache @c : memref<?x4xf32>
}

// -----

plan.program @buffer_c2 tokens 8 sequences 8 outputs 8 {
  // expected-error @+1 {{C2: expected no offset for a buffer of kind positions}}
  %x = plan.buffer positions at 0 : memref<?xi32>
}

// -----

plan.program @buffer_c3 tokens 8 sequences 8 outputs 8 {
  // expected-error @+1 {{C3: expected an extent that is not constant for 'memref<?x8xf32>'}}
  %x = plan.buffer arena : memref<?x8xf32>
}

// -----

plan.program @buffer_c3_static tokens 8 sequences 8 outputs 8 {
  // expected-error @+1 {{C3: expected no extent for 'memref<8xf32>'}}
  %x = plan.buffer arena per tokens : memref<8xf32>
}

// -----

plan.program @buffer_c4 tokens 8 sequences 8 outputs 8 {
  // expected-error @+1 {{C4: expected i32 of unknown length for pages, got 'memref<?xi32>'}}
  %x = plan.buffer pages : memref<?xi32>
}

// -----

plan.program @launch_c1 tokens 8 sequences 8 outputs 8 {
  %x = plan.buffer arena per tokens : memref<?x8xf32>
  // expected-error @+1 {{C1: expected 'nothing' to name a plan.kernel}}
  plan.launch @nothing(%x) : memref<?x8xf32>
}

// -----

plan.kernel @k items 1 per tokens rows tokens parts [array<i64>] {
^bb0(%x: tensor<?x8xf32>):
  plan.return %x : tensor<?x8xf32>
}
plan.program @launch_c2 tokens 8 sequences 8 outputs 8 {
  %x = plan.buffer arena per tokens : memref<?x8xf32>
  // expected-error @+1 {{C2: expected at least 2 buffers for 'k', got 1}}
  plan.launch @k(%x) : memref<?x8xf32>
}

// -----

plan.kernel @k items 1 per tokens rows tokens parts [array<i64>] {
^bb0(%x: tensor<?x8xf32>):
  plan.return %x : tensor<?x8xf32>
}
plan.program @launch_c2_shape tokens 8 sequences 8 outputs 8 {
  %x = plan.buffer arena per tokens : memref<?x8xf32>
  %y = plan.buffer arena per tokens : memref<?x4xf32>
  // expected-error @+1 {{C2: expected buffer 1 of 'k' shaped like 'tensor<?x8xf32>', got 'memref<?x4xf32>'}}
  plan.launch @k(%x, %y) : memref<?x8xf32>, memref<?x4xf32>
}

// -----

plan.kernel @k items 1 per tokens rows tokens parts [array<i64>] {
^bb0(%x: tensor<?x8xf32>):
  plan.return %x : tensor<?x8xf32>
}
plan.program @launch_c2_more tokens 8 sequences 8 outputs 8 {
  %x = plan.buffer arena per tokens : memref<?x8xf32>
  // expected-error @+1 {{C2: expected a constant as buffer 2 of 'k'}}
  plan.launch @k(%x, %x, %x) : memref<?x8xf32>, memref<?x8xf32>, memref<?x8xf32>
}

// -----

plan.program @output_c1 tokens 8 sequences 8 outputs 8 {
  %ids = plan.buffer token_ids : memref<?xi32>
  // expected-error @+1 {{C1: expected an arena buffer as output 'logits'}}
  plan.output "logits" = %ids : memref<?xi32>
}
