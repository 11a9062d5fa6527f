// What the verifiers of the stages of fused experts refuse.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

func.func @dispatch_c1(%ids: tensor<?x4xi32>) {
  // expected-error @+1 {{C1: expected at least two offsets, got 'tensor<1xi32>'}}
  %offsets, %order = moe.dispatch %ids : tensor<?x4xi32> -> tensor<1xi32>
  return
}

// -----

func.func @dispatch_c1_dynamic(%ids: tensor<?x4xi32>) {
  // expected-error @+1 {{C1: expected at least two offsets, got 'tensor<?xi32>'}}
  %offsets, %order = moe.dispatch %ids : tensor<?x4xi32> -> tensor<?xi32>
  return
}

// -----

func.func @expert_hidden_c1(%x: tensor<?x8xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %gate: tensor<3x4x8xf32>, %up: tensor<3x4x4xf32>) {
  // expected-error @+1 {{C1: expected gate and up [experts, intermediate, 8], got 'tensor<3x4x8xf32>' and 'tensor<3x4x4xf32>'}}
  %h = moe.expert_hidden %x by %offsets, %order with %gate, %up {activation = #moe.activation<kind = silu>}
    : tensor<?x8xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x4x8xf32>, tensor<3x4x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @expert_hidden_c1_shared(%x: tensor<?x8xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %w: tensor<3x4x8xf32>, %s: tensor<6x4xf32>) {
  // expected-error @+1 {{C1: expected shared gate and up [shared intermediate, 8], got 'tensor<6x4xf32>' and 'tensor<6x4xf32>'}}
  %h = moe.expert_hidden %x by %offsets, %order with %w, %w shared %s, %s (tensor<6x4xf32>, tensor<6x4xf32>) {activation = #moe.activation<kind = silu>}
    : tensor<?x8xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x4x8xf32>, tensor<3x4x8xf32> -> tensor<?x14xf32>
  return
}

// -----

func.func @expert_hidden_c1_half_shared(%x: tensor<?x8xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %w: tensor<3x4x8xf32>, %s: tensor<6x8xf32>) {
  // expected-error @+1 {{C1: expected both shared weights or none}}
  %h = "moe.expert_hidden"(%x, %offsets, %order, %w, %w, %s) <{activation = #moe.activation<kind = silu>, operandSegmentSizes = array<i32: 1, 1, 1, 0, 1, 1, 0, 0, 1, 0>}>
    : (tensor<?x8xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x4x8xf32>, tensor<3x4x8xf32>, tensor<6x8xf32>) -> tensor<?x14xf32>
  return
}

// -----

func.func @expert_hidden_c2(%x: tensor<?x8xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %w: tensor<3x4x8xf32>) {
  // expected-error @+1 {{C2: expected a result 8 wide and 4 offsets, got 4 and 'tensor<4xi32>'}}
  %h = moe.expert_hidden %x by %offsets, %order with %w, %w {activation = #moe.activation<kind = silu>}
    : tensor<?x8xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x4x8xf32>, tensor<3x4x8xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @expert_hidden_c2_offsets(%x: tensor<?x8xf32>, %offsets: tensor<3xi32>, %order: tensor<?x2xi32>, %w: tensor<3x4x8xf32>) {
  // expected-error @+1 {{C2: expected a result 8 wide and 4 offsets, got 8 and 'tensor<3xi32>'}}
  %h = moe.expert_hidden %x by %offsets, %order with %w, %w {activation = #moe.activation<kind = silu>}
    : tensor<?x8xf32>, tensor<3xi32>, tensor<?x2xi32>, tensor<3x4x8xf32>, tensor<3x4x8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @expert_hidden_c3(%x: tensor<?x8xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %w: tensor<3x4x8xf32>, %b: tensor<3x8xf32>) {
  // expected-error @+1 {{C3: expected no biases or both of [3, 4]}}
  %h = moe.expert_hidden %x by %offsets, %order with %w, %w biases %b, %b (tensor<3x8xf32>, tensor<3x8xf32>) {activation = #moe.activation<kind = silu>}
    : tensor<?x8xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x4x8xf32>, tensor<3x4x8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @combine_c1(%h: tensor<?x8xf32>, %weights: tensor<?x2xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %down: tensor<3x4x4xf32>) {
  // expected-error @+1 {{C1: expected down [experts, 8, intermediate] and one more offset than experts, got 'tensor<3x4x4xf32>' and 'tensor<4xi32>'}}
  %y = moe.combine %h by %offsets, %order weighted %weights (tensor<?x2xf32>) with %down
    : tensor<?x8xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x4x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @combine_c1_shared(%h: tensor<?x8xf32>, %weights: tensor<?x2xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %down: tensor<3x8x4xf32>, %s: tensor<4x6xf32>) {
  // expected-error @+1 {{C1: expected a shared down [8, shared intermediate], got 'tensor<4x6xf32>'}}
  %y = moe.combine %h by %offsets, %order weighted %weights (tensor<?x2xf32>) with %down shared %s (tensor<4x6xf32>)
    : tensor<?x8xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x8x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @combine_c2(%h: tensor<?x4xf32>, %weights: tensor<?x2xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %down: tensor<3x8x4xf32>) {
  // expected-error @+1 {{C2: expected hidden 8 and weights 2 wide, got 4 and 2}}
  %y = moe.combine %h by %offsets, %order weighted %weights (tensor<?x2xf32>) with %down
    : tensor<?x4xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x8x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @combine_c3(%h: tensor<?x8xf32>, %weights: tensor<?x2xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %down: tensor<3x8x4xf32>, %b: tensor<8xf32>) {
  // expected-error @+1 {{C3: expected a bias [3, 8], got 'tensor<8xf32>'}}
  %y = moe.combine %h by %offsets, %order weighted %weights (tensor<?x2xf32>) with %down bias %b (tensor<8xf32>)
    : tensor<?x8xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x8x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @combine_c4(%h: tensor<?x8xf32>, %weights: tensor<?x2xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %down: tensor<3x8x4xf32>) {
  // expected-error @+1 {{C4: expected a residual of type 'tensor<?x8xf32>', got 'tensor<?x2xf32>'}}
  %y = moe.combine %h by %offsets, %order weighted %weights (tensor<?x2xf32>) with %down residual %weights (tensor<?x2xf32>)
    : tensor<?x8xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x8x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @expert_hidden_c4(%x: tensor<?x4xf32>, %weights: tensor<?x3xf32>, %offsets: tensor<4xi32>, %order: tensor<?x2xi32>, %w: tensor<3x4x4xf32>) {
  // expected-error @+1 {{C4: expected weights 2 wide, got 3}}
  %h = moe.expert_hidden %x by %offsets, %order weighted %weights (tensor<?x3xf32>) with %w, %w {activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<4xi32>, tensor<?x2xi32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x8xf32>
  return
}
