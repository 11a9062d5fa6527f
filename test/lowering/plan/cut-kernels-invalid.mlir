// What cutting into kernels asks of a module.
// RUN: moe-opt %s --split-input-file --plan-cut-kernels --verify-diagnostics

// expected-error @+1 {{expected a plan.model and functions with a 'moe.phase'}}
module {}

// -----

plan.model "tiny" {vocabulary = 8 : i64, layers = 1 : i64, parameters = 64 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
// expected-error @+1 {{expected a function with a body that is specialised to a phase ('moe.phase')}}
func.func @no_phase(%ids: tensor<?xi32>, %batch: !moe.batch) {
  return
}

// -----

plan.model "tiny" {vocabulary = 8 : i64, layers = 1 : i64, parameters = 64 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
// expected-error @+1 {{expected token ids, a batch and sampling settings as arguments, got 'tensor<?x8xf32>'}}
func.func @rows(%x: tensor<?x8xf32>, %batch: !moe.batch) attributes {moe.phase = "prefill"} {
  return
}

// -----

plan.model "tiny" {vocabulary = 8 : i64, layers = 1 : i64, parameters = 64 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
moe.weight @table : tensor<8x8xf32> = [#moe.slice<"t" in "f" at 0 rows 8>]
// expected-error @+1 {{expected a 'moe.output' name for result 0}}
func.func @unnamed(%ids: tensor<?xi32>, %batch: !moe.batch) -> tensor<?x8xf32> attributes {moe.phase = "prefill"} {
  %t = moe.get_weight @table : tensor<8x8xf32>
  %x = moe.embed %ids, %t : tensor<8x8xf32> -> tensor<?x8xf32>
  return %x : tensor<?x8xf32>
}

// -----

plan.model "tiny" {vocabulary = 8 : i64, layers = 1 : i64, parameters = 64 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
moe.weight @table : tensor<8x8xf32> = [#moe.slice<"t" in "f" at 0 rows 8>]
func.func @no_kernel(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<?x8xf32> {moe.output = "logits"}) attributes {moe.phase = "prefill"} {
  %t = moe.get_weight @table : tensor<8x8xf32>
  %x = moe.embed %ids, %t : tensor<8x8xf32> -> tensor<?x8xf32>
  // expected-error @+1 {{expected an op that one launch computes}}
  %y = math.exp %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

plan.model "tiny" {vocabulary = 8 : i64, layers = 1 : i64, parameters = 64 : i64, max_sequence = 32 : i64, max_batch = 2 : i64,
  page_size = 64 : i64, eos = array<i64>, compute = "f32"}
moe.weight @table : tensor<8x8xf32> = [#moe.slice<"t" in "f" at 0 rows 8>]
// A weight has no buffer to give out.
// expected-error @+1 {{expected result 0 to be computed by an op}}
func.func @weight_as_result(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<8x8xf32> {moe.output = "logits"}) attributes {moe.phase = "prefill"} {
  %t = moe.get_weight @table : tensor<8x8xf32>
  return %t : tensor<8x8xf32>
}
