// What the verifiers of routing and experts refuse.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

func.func @route_c1(%logits: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: expected 2 columns of ids and weights and at least as many logits, got 3, 2 and 4}}
  %ids, %weights = moe.route %logits {routing = #moe.routing<k = 2, score = softmax>} : tensor<?x4xf32> -> tensor<?x3xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_c2(%logits: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: expected groups that divide 4 experts, got 3}}
  %ids, %weights = moe.route %logits {routing = #moe.routing<k = 2, score = softmax, groups = 3>} : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_c2_kept(%logits: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: expected at least 3 experts in the kept groups, got 2}}
  %ids, %weights = moe.route %logits {routing = #moe.routing<k = 3, score = softmax, groups = 2>} : tensor<?x4xf32> -> tensor<?x3xi32>, tensor<?x3xf32>
  return
}

// -----

func.func @route_c2_top2_sum(%logits: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: expected at least two experts a group for 'top2_sum', got one}}
  %ids, %weights = moe.route %logits {routing = #moe.routing<k = 1, score = softmax, groups = 4, group_score = top2_sum>} : tensor<?x4xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

func.func @route_c3(%logits: tensor<?x4xf32>, %b: tensor<3xf32>) {
  // expected-error @+1 {{C3: expected a bias [4], got 'tensor<3xf32>'}}
  %ids, %weights = moe.route %logits bias %b (tensor<3xf32>) {routing = #moe.routing<k = 1, score = softmax>} : tensor<?x4xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

func.func @route_c4(%logits: tensor<?x4xf32>, %ids: tensor<?xi32>) {
  // expected-error @+1 {{C4: expected a table and token ids together}}
  %chosen, %weights = moe.route %logits for %ids {routing = #moe.routing<k = 1, score = softmax>} : tensor<?x4xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

func.func @route_c4_bias(%logits: tensor<?x4xf32>, %ids: tensor<?xi32>, %table: tensor<8x1xi32>, %b: tensor<4xf32>) {
  // expected-error @+1 {{C4: expected neither bias nor groups beside a table}}
  %chosen, %weights = moe.route %logits bias %b (tensor<4xf32>) table %table (tensor<8x1xi32>) for %ids {routing = #moe.routing<k = 1, score = softmax>}
    : tensor<?x4xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

func.func @route_c4_table(%logits: tensor<?x4xf32>, %ids: tensor<?xi32>, %table: tensor<8x1xf32>) {
  // expected-error @+1 {{C4: expected an integer table [vocabulary, 1], got 'tensor<8x1xf32>'}}
  %chosen, %weights = moe.route %logits table %table (tensor<8x1xf32>) for %ids {routing = #moe.routing<k = 1, score = softmax>}
    : tensor<?x4xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

func.func @route_c5(%logits: tensor<?x4xf32>, %b: tensor<4xf32>) {
  // expected-error @+1 {{C5: expected neither bias nor table beside the score 'sparse_mixer'}}
  %chosen, %weights = moe.route %logits bias %b (tensor<4xf32>) {routing = #moe.routing<k = 1, score = sparse_mixer>} : tensor<?x4xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

func.func @route_c5_table(%logits: tensor<?x4xf32>, %ids: tensor<?xi32>, %table: tensor<8x1xi32>) {
  // expected-error @+1 {{C5: expected neither bias nor table beside the score 'sparse_mixer'}}
  %chosen, %weights = moe.route %logits table %table (tensor<8x1xi32>) for %ids {routing = #moe.routing<k = 1, score = sparse_mixer>}
    : tensor<?x4xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
  return
}

// -----

func.func @experts_c1(%x: tensor<?x4xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>, %gate: tensor<3x2x4xf32>, %down: tensor<3x2x4xf32>) {
  // expected-error @+1 {{C1: expected gate and up [experts, intermediate, 4] and down [experts, 4, intermediate], got 'tensor<3x2x4xf32>', 'tensor<3x2x4xf32>' and 'tensor<3x2x4xf32>'}}
  %y = moe.experts %x to %ids, %weights with %gate, %gate, %down {activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32> -> tensor<?x4xf32>
  return
}

// -----

// Fewer experts in down than in gate.
func.func @experts_c1_count(%x: tensor<?x4xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>, %gate: tensor<3x2x4xf32>, %down: tensor<2x4x2xf32>) {
  // expected-error @+1 {{C1: expected gate and up [experts, intermediate, 4]}}
  %y = moe.experts %x to %ids, %weights with %gate, %gate, %down {activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<2x4x2xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @experts_c2(%x: tensor<?x4xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x3xf32>, %w: tensor<3x4x4xf32>) {
  // expected-error @+1 {{C2: expected as many ids as weights, got 2 and 3}}
  %y = moe.experts %x to %ids, %weights with %w, %w, %w {activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x3xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @experts_c3(%x: tensor<?x4xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>, %w: tensor<3x4x4xf32>, %b: tensor<3x4xf32>, %c: tensor<4xf32>) {
  // expected-error @+1 {{C3: expected no biases or all of [3, 4], [3, 4] and [3, 4]}}
  %y = moe.experts %x to %ids, %weights with %w, %w, %w biases %b, %b, %c (tensor<3x4xf32>, tensor<3x4xf32>, tensor<4xf32>) {activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x4xf32>
  return
}

// -----

// The generic form can leave one out.
func.func @experts_c3_some(%x: tensor<?x4xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>, %w: tensor<3x4x4xf32>, %b: tensor<3x4xf32>) {
  // expected-error @+1 {{C3: expected no biases or all of [3, 4], [3, 4] and [3, 4]}}
  %y = "moe.experts"(%x, %ids, %weights, %w, %w, %w, %b) <{activation = #moe.activation<kind = silu>, operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 0, 0>}>
    : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @fused_experts_c1(%x: tensor<?x4xf32>, %logits: tensor<?x4xf32>, %w: tensor<3x4x4xf32>) {
  // expected-error @+1 {{C1: expected one logit per expert, got 4 for 3}}
  %y, %ids = moe.fused_experts %x by %logits with %w, %w, %w {routing = #moe.routing<k = 1, score = softmax>, activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<?x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x4xf32>, tensor<?x1xi32>
  return
}

// -----

func.func @fused_experts_c2(%x: tensor<?x4xf32>, %logits: tensor<?x3xf32>, %w: tensor<3x4x4xf32>) {
  // expected-error @+1 {{C2: expected 1 columns of ids, got 2}}
  %y, %ids = moe.fused_experts %x by %logits with %w, %w, %w {routing = #moe.routing<k = 1, score = softmax>, activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<?x3xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x4xf32>, tensor<?x2xi32>
  return
}

// -----

func.func @fused_experts_c2_sparse_mixer(%x: tensor<?x4xf32>, %logits: tensor<?x3xf32>, %w: tensor<3x4x4xf32>, %b: tensor<3xf32>) {
  // expected-error @+1 {{C2: expected no bias beside the score 'sparse_mixer'}}
  %y, %ids = moe.fused_experts %x by %logits bias %b (tensor<3xf32>) with %w, %w, %w {routing = #moe.routing<k = 1, score = sparse_mixer>, activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<?x3xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x4xf32>, tensor<?x1xi32>
  return
}

// -----

func.func @fused_experts_c2_bias(%x: tensor<?x4xf32>, %logits: tensor<?x3xf32>, %w: tensor<3x4x4xf32>, %b: tensor<4xf32>) {
  // expected-error @+1 {{C2: expected a bias [3], got 'tensor<4xf32>'}}
  %y, %ids = moe.fused_experts %x by %logits bias %b (tensor<4xf32>) with %w, %w, %w {routing = #moe.routing<k = 1, score = softmax>, activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<?x3xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x4xf32>, tensor<?x1xi32>
  return
}

// -----

func.func @fused_experts_c3(%x: tensor<?x4xf32>, %logits: tensor<?x3xf32>, %w: tensor<3x4x4xf32>, %s: tensor<6x4xf32>) {
  // expected-error @+1 {{C3: expected gate and up [intermediate, 4] and down [4, intermediate]}}
  %y, %ids = moe.fused_experts %x by %logits with %w, %w, %w shared %s, %s, %s (tensor<6x4xf32>, tensor<6x4xf32>, tensor<6x4xf32>)
    {routing = #moe.routing<k = 1, score = softmax>, activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<?x3xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x4xf32>, tensor<?x1xi32>
  return
}

// -----

func.func @fused_experts_c3_some(%x: tensor<?x4xf32>, %logits: tensor<?x3xf32>, %w: tensor<3x4x4xf32>, %s: tensor<4x4xf32>) {
  // expected-error @+1 {{C3: expected all shared weights or none}}
  %y, %ids = "moe.fused_experts"(%x, %logits, %w, %w, %w, %s)
    <{activation = #moe.activation<kind = silu>, routing = #moe.routing<k = 1, score = softmax>, operandSegmentSizes = array<i32: 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0>}>
    : (tensor<?x4xf32>, tensor<?x3xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<4x4xf32>) -> (tensor<?x4xf32>, tensor<?x1xi32>)
  return
}

// -----

func.func @fused_experts_c4(%x: tensor<?x4xf32>, %logits: tensor<?x3xf32>, %w: tensor<3x4x4xf32>) {
  // expected-error @+1 {{C4: expected a residual of type 'tensor<?x4xf32>', got 'tensor<?x3xf32>'}}
  %y, %ids = moe.fused_experts %x by %logits with %w, %w, %w residual %logits (tensor<?x3xf32>)
    {routing = #moe.routing<k = 1, score = softmax>, activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<?x3xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x4xf32>, tensor<?x1xi32>
  return
}

// -----

func.func @fused_experts_c1_biases(%x: tensor<?x4xf32>, %l: tensor<?x3xf32>, %w: tensor<3x4x4xf32>, %b: tensor<3x5xf32>) {
  // expected-error @+1 {{C1: expected no biases or all of [3, 4], [3, 4] and [3, 4]}}
  %y, %ids = moe.fused_experts %x by %l with %w, %w, %w biases %b, %b, %b (tensor<3x5xf32>, tensor<3x5xf32>, tensor<3x5xf32>)
    {routing = #moe.routing<k = 2, score = sigmoid>, activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<?x3xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32>, tensor<3x4x4xf32> -> tensor<?x4xf32>, tensor<?x2xi32>
  return
}
