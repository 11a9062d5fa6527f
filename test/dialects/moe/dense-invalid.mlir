// What the verifiers of matrix products, norms, rotary embeddings and gated MLPs refuse.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

func.func @linear_c1(%x: tensor<?x4xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{C1: expected a weight [8, 4], got 'tensor<4x8xf32>'}}
  %y = moe.linear %x, %w : tensor<?x4xf32>, tensor<4x8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c2(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>, %b: tensor<4xf32>) {
  // expected-error @+1 {{C2: expected a bias [8], got 'tensor<4xf32>'}}
  %y = moe.linear %x, %w bias %b (tensor<4xf32>) : tensor<?x4xf32>, tensor<8x4xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_c3(%x: tensor<?x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{C3: expected a residual of type 'tensor<?x8xf32>', got 'tensor<?x4xf32>'}}
  %y = moe.linear %x, %w residual %x (tensor<?x4xf32>) : tensor<?x4xf32>, tensor<8x4xf32> -> tensor<?x8xf32>
  return
}

// -----

// Activations are f32 rows of at most 2^31 - 1 columns.
func.func @linear_rows(%x: tensor<?x4xbf16>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{operand #0 must be tensor<?xWxf32> with static width W < 2^31, but got 'tensor<?x4xbf16>'}}
  %y = "moe.linear"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0, 0>}> : (tensor<?x4xbf16>, tensor<8x4xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @linear_wide(%x: tensor<?x4294967296xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{operand #0 must be tensor<?xWxf32> with static width W < 2^31}}
  %y = "moe.linear"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0, 0>}> : (tensor<?x4294967296xf32>, tensor<8x4xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @rms_norm_c1(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{C1: expected exactly one of a weight and 'group'}}
  %y = moe.rms_norm %x, %w {epsilon = 0.0 : f64, group = 8 : i64} : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @rms_norm_c1_neither(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{C1: expected exactly one of a weight and 'group'}}
  %y = moe.rms_norm %x {epsilon = 0.0 : f64} : tensor<?x8xf32>
  return
}

// -----

func.func @rms_norm_c2(%x: tensor<?x8xf32>, %w: tensor<3xf32>) {
  // expected-error @+1 {{C2: expected groups that divide 8 columns, got 3}}
  %y = moe.rms_norm %x, %w {epsilon = 0.0 : f64} : tensor<?x8xf32>, tensor<3xf32>
  return
}

// -----

func.func @rms_norm_c2_rank(%x: tensor<?x8xf32>, %w: tensor<1x8xf32>) {
  // expected-error @+1 {{C2: expected a weight of rank 1, got 'tensor<1x8xf32>'}}
  %y = moe.rms_norm %x, %w {epsilon = 0.0 : f64} : tensor<?x8xf32>, tensor<1x8xf32>
  return
}

// -----

func.func @rms_norm_c2_group(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{C2: expected groups that divide 8 columns, got -4}}
  %y = moe.rms_norm %x {epsilon = 0.0 : f64, group = -4 : i64} : tensor<?x8xf32>
  return
}

// -----

func.func @rms_norm_c3(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{C3: expected epsilon >= 0, got -1}}
  %y = moe.rms_norm %x, %w {epsilon = -1.0 : f64} : tensor<?x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @rope_c1(%x: tensor<?x8xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C1: expected head_dim to divide 8 columns, got 6}}
  %y = moe.rope %x at %batch {head_dim = 6 : i64, rotary = #moe.rotary<dims = 2, theta = 1.0e4, layout = half>} : tensor<?x8xf32>
  return
}

// -----

func.func @rope_c2(%x: tensor<?x8xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C2: expected a rotary slice within 4 columns, got 2 dims at offset 3}}
  %y = moe.rope %x at %batch {head_dim = 4 : i64, rotary = #moe.rotary<dims = 2, theta = 1.0e4, layout = half, offset = 3>} : tensor<?x8xf32>
  return
}

// -----

// The slice's end must not wrap around.
func.func @rope_c2_overflow(%x: tensor<?x8xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C2: expected a rotary slice within 4 columns}}
  %y = moe.rope %x at %batch {head_dim = 4 : i64, rotary = #moe.rotary<dims = 2, theta = 1.0e4, layout = half, offset = 9223372036854775807>} : tensor<?x8xf32>
  return
}

// -----

func.func @rope_c3(%x: tensor<?x8xf32>, %cos: tensor<?x2xf32>) {
  // expected-error @+1 {{C3: expected a batch, or cosines and sines of 1 columns}}
  %y = moe.rope %x by %cos, %cos : tensor<?x2xf32>, tensor<?x2xf32> {head_dim = 4 : i64, rotary = #moe.rotary<dims = 2, layout = half>} : tensor<?x8xf32>
  return
}

// -----

func.func @rope_c3_theta(%x: tensor<?x8xf32>, %cos: tensor<?x1xf32>) {
  // expected-error @+1 {{C3: expected no theta, yarn, frequencies, position scale or block beside cosines and sines}}
  %y = moe.rope %x by %cos, %cos : tensor<?x1xf32>, tensor<?x1xf32> {head_dim = 4 : i64, rotary = #moe.rotary<dims = 2, theta = 1.0e4, layout = half>} : tensor<?x8xf32>
  return
}

// -----

func.func @rope_c3_no_theta(%x: tensor<?x8xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C3: expected theta or frequencies where a batch gives positions}}
  %y = moe.rope %x at %batch {head_dim = 4 : i64, rotary = #moe.rotary<dims = 2, layout = half>} : tensor<?x8xf32>
  return
}

// -----

func.func @rope_head_dim(%x: tensor<?x8xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{attribute 'head_dim' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
  %y = moe.rope %x at %batch {head_dim = 0 : i64, rotary = #moe.rotary<dims = 2, theta = 1.0e4, layout = half>} : tensor<?x8xf32>
  return
}

// -----

func.func @gate_up_c1(%x: tensor<?x4xf32>, %gate: tensor<8x4xf32>, %up: tensor<4x8xf32>) {
  // expected-error @+1 {{C1: expected gate and up [8, 4], got 'tensor<8x4xf32>' and 'tensor<4x8xf32>'}}
  %y = moe.gate_up %x, %gate, %up {activation = #moe.activation<kind = silu>} : tensor<?x4xf32>, tensor<8x4xf32>, tensor<4x8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @activate_types(%gate: tensor<?x4xf32>, %up: tensor<?x8xf32>) {
  // expected-error @+1 {{failed to verify that all of {gate, up, result} have same type}}
  %y = "moe.activate"(%gate, %up) {activation = #moe.activation<kind = silu>} : (tensor<?x4xf32>, tensor<?x8xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @gated_mlp_c1(%x: tensor<?x4xf32>, %gate: tensor<8x4xf32>, %down: tensor<4x6xf32>) {
  // expected-error @+1 {{C1: expected gate and up [intermediate, 4] and down [4, intermediate], got 'tensor<8x4xf32>', 'tensor<8x4xf32>' and 'tensor<4x6xf32>'}}
  %y = moe.gated_mlp %x, %gate, %gate, %down {activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x6xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @gated_mlp_c2(%x: tensor<?x4xf32>, %r: tensor<?x2xf32>, %gate: tensor<8x4xf32>, %down: tensor<4x8xf32>) {
  // expected-error @+1 {{C2: expected a residual of type 'tensor<?x4xf32>', got 'tensor<?x2xf32>'}}
  %y = moe.gated_mlp %x, %gate, %gate, %down residual %r (tensor<?x2xf32>) {activation = #moe.activation<kind = silu>}
    : tensor<?x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @layer_norm_c1(%x: tensor<?x8xf32>, %w: tensor<4xf32>, %b: tensor<8xf32>) {
  // expected-error @+1 {{C1: expected a bias of the weight's size, got 'tensor<4xf32>' and 'tensor<8xf32>'}}
  %y = moe.layer_norm %x, %w, %b {epsilon = 1.0e-6 : f64} : tensor<?x8xf32>, tensor<4xf32>, tensor<8xf32>
  return
}

// -----

func.func @layer_norm_c1_alone(%x: tensor<?x8xf32>, %w: tensor<3xf32>) {
  // expected-error @+1 {{C1: expected a weight whose size divides 8 columns, got 'tensor<3xf32>'}}
  %y = moe.layer_norm %x, %w {epsilon = 1.0e-6 : f64} : tensor<?x8xf32>, tensor<3xf32>
  return
}

// -----

func.func @layer_norm_c2(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{C2: expected epsilon >= 0, got -1.0}}
  %y = moe.layer_norm %x, %w, %w {epsilon = -1.0 : f64} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @grouped_linear_c1(%x: tensor<?x12xf32>, %w: tensor<8x5xf32>) {
  // expected-error @+1 {{C1: expected a weight [8, 12 / groups] for groups that divide both, got 'tensor<8x5xf32>'}}
  %y = moe.grouped_linear %x, %w : tensor<?x12xf32>, tensor<8x5xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped_linear_c1_result(%x: tensor<?x12xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+1 {{C1: expected a weight [8, 12 / groups] for groups that divide both, got 'tensor<8x4xf32>'}}
  %y = moe.grouped_linear %x, %w : tensor<?x12xf32>, tensor<8x4xf32> -> tensor<?x8xf32>
  return
}
