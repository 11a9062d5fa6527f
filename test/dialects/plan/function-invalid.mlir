// What the verifiers of functions refuse.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

plan.weight @w : tensor<4xf32> = [#plan.part<"m" at 0 bytes 16>]
// expected-error @+1 {{C1: expected 2 arguments that are ranked tensors, got 1}}
plan.function @function_c1 inputs ["x"] outputs [] weights [@w] {
^bb0(%x: tensor<?xf32>):
  plan.results
}

// -----

// expected-error @+1 {{C1: expected 1 arguments that are ranked tensors, got 1 of types 'f32'}}
plan.function @function_c1_scalar inputs ["x"] outputs [] weights [] {
^bb0(%x: f32):
  plan.results
}

// -----

// expected-error @+1 {{C2: expected a region that ends with plan.results of 2 ranked tensors}}
plan.function @function_c2 inputs ["x"] outputs ["y", "z"] weights [] {
^bb0(%x: tensor<?xf32>):
  plan.results %x : tensor<?xf32>
}

// -----

// expected-error @+1 {{C3: expected of inputs one 'x', got two}}
plan.function @function_c3 inputs ["x", "x"] outputs [] weights [] {
^bb0(%x: tensor<?xf32>, %y: tensor<?xf32>):
  plan.results
}

// -----

// expected-error @+1 {{C3: expected of outputs one 'y', got two}}
plan.function @function_c3_output inputs ["x"] outputs ["y", "y"] weights [] {
^bb0(%x: tensor<?xf32>):
  plan.results %x, %x : tensor<?xf32>, tensor<?xf32>
}

// -----

plan.weight @w : tensor<4xf32> = [#plan.part<"m" at 0 bytes 16>]
// expected-error @+1 {{C4: expected 'w' to name a plan.weight of type 'tensor<5xf32>'}}
plan.function @function_c4 inputs [] outputs [] weights [@w] {
^bb0(%w: tensor<5xf32>):
  plan.results
}

// -----

// expected-error @+1 {{C4: expected 'w' to name a plan.weight of type 'tensor<4xf32>'}}
plan.function @function_c4_missing inputs [] outputs [] weights [@w] {
^bb0(%w: tensor<4xf32>):
  plan.results
}

// -----

// expected-error @+1 {{C3: expected of inputs a name, got none}}
plan.function @function_c3_nameless inputs [""] outputs [] weights [] {
^bb0(%x: tensor<?xf32>):
  plan.results
}
