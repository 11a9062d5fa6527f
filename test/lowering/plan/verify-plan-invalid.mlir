// RUN: moe-opt %s --plan-verify-plan --split-input-file --verify-diagnostics

// expected-error @+1 {{expected plan ops only after the plan phase}}
moe.cache @keys : tensor<?x8xf32>

// -----

// expected-error @+1 {{expected one plan.model}}
module {}

// -----

// expected-error @+1 {{expected a program for each phase, got none for decode}}
module {
  plan.model "tiny" {vocabulary = 64 : i64, layers = 2 : i64, parameters = 1 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
    page_size = 64 : i64, eos = array<i64>, compute = "f32"}
  plan.program @prefill tokens 2 sequences 2 outputs 2 arena 128 {}
}

// -----

plan.model "tiny" {vocabulary = 64 : i64, layers = 2 : i64, parameters = 1 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
plan.program @decode tokens 2 sequences 2 outputs 2 arena 0 {}
// expected-error @+1 {{expected an arena size; run plan-assign-buffers}}
plan.program @prefill tokens 2 sequences 2 outputs 2 {}

// -----

plan.model "tiny" {vocabulary = 64 : i64, layers = 2 : i64, parameters = 1 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
plan.program @decode tokens 2 sequences 2 outputs 2 arena 0 {}
plan.program @prefill tokens 2 sequences 2 outputs 2 arena 64 {
  // expected-error @+1 {{expected a place in the arena; run plan-assign-buffers}}
  %x = plan.buffer arena per tokens : memref<?x8xf32>
}

// -----

plan.model "tiny" {vocabulary = 64 : i64, layers = 2 : i64, parameters = 1 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
plan.program @decode tokens 2 sequences 2 outputs 2 arena 0 {}
plan.program @prefill tokens 2 sequences 2 outputs 2 arena 64 {
  // expected-error @+1 {{expected a place within the arena's 64 bytes, got 64 to 128}}
  %x = plan.buffer arena at 64 per tokens : memref<?x8xf32>
}

// -----

plan.model "tiny" {vocabulary = 64 : i64, layers = 2 : i64, parameters = 1 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
plan.program @decode tokens 2 sequences 2 outputs 2 arena 0 {}
plan.program @prefill tokens 2 sequences 2 outputs 2 arena 0 {}
// expected-error @+1 {{expected a place among the constants; run plan-assign-buffers}}
plan.constant @a : tensor<8xf32> = "a"

// -----

plan.model "tiny" {vocabulary = 64 : i64, layers = 2 : i64, parameters = 1 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
plan.program @prefill tokens 2 sequences 2 outputs 2 arena 0 {}
plan.kernel @turn items 1 per tokens rows tokens parts [array<i64>, array<i64>] {
^bb0(%x: tensor<?x8xf32>, %b: !moe.batch):
  %y = moe.rope %x at %b {head_dim = 8 : i64, rotary = #moe.rotary<dims = 8, theta = 1.0e4, layout = half>} : tensor<?x8xf32>
  plan.return %y : tensor<?x8xf32>
}
plan.program @decode tokens 2 sequences 2 outputs 2 arena 64 {
  %x = plan.buffer arena at 0 per tokens : memref<?x8xf32>
  %p = plan.buffer positions : memref<?xi32>
  %g = plan.buffer pages : memref<?x?xi32>
  // expected-error @+1 {{expected 1 constant tables for 'turn', got 0}}
  plan.launch @turn(%x, %p, %p, %p, %g, %p, %x) : memref<?x8xf32>, memref<?xi32>, memref<?xi32>, memref<?xi32>, memref<?x?xi32>,
    memref<?xi32>, memref<?x8xf32>
}

// -----

plan.graph "graph" parameters 1
plan.function @main inputs ["x"] outputs [] weights [] {
^bb0(%x: tensor<?xf32>):
  plan.results
}
// expected-error @+1 {{expected only functions and weights in a plan with a plan.graph}}
plan.cache @keys : tensor<?x8xf32>

// -----

// expected-error @+1 {{expected one plan.graph, and functions}}
module {
  plan.graph "graph" parameters 1
}
