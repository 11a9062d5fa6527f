// Matrix products, norms, rotary embeddings and gated MLPs round-trip in custom and in generic form.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

// A matrix product alone, with each addend, with both, and with bf16 operands.
func.func @linear(%x: tensor<?x256xf32>, %w: tensor<80x256xbf16>, %b: tensor<80xf32>, %r: tensor<?x80xf32>) -> tensor<?x80xf32> {
  %y = moe.linear %x, %w residual %r (tensor<?x80xf32>) : tensor<?x256xf32>, tensor<80x256xbf16> -> tensor<?x80xf32>
  %z = moe.linear %x, %w bias %b (tensor<80xf32>) residual %y (tensor<?x80xf32>) {compute = #moe<compute bf16>} : tensor<?x256xf32>, tensor<80x256xbf16> -> tensor<?x80xf32>
  %plain = moe.linear %x, %w : tensor<?x256xf32>, tensor<80x256xbf16> -> tensor<?x80xf32>
  return %z : tensor<?x80xf32>
}
// CHECK-LABEL: @linear
// CHECK-SAME: (%[[X:.*]]: tensor<?x256xf32>, %[[W:.*]]: tensor<80x256xbf16>, %[[B:.*]]: tensor<80xf32>, %[[R:.*]]: tensor<?x80xf32>)
// CHECK: %[[Y:.*]] = moe.linear %[[X]], %[[W]] residual %[[R]](tensor<?x80xf32>) : tensor<?x256xf32>, tensor<80x256xbf16> -> tensor<?x80xf32>
// CHECK: moe.linear %[[X]], %[[W]] bias %[[B]](tensor<80xf32>) residual %[[Y]](tensor<?x80xf32>) {compute = #moe<compute bf16>} :
// CHECK: moe.linear %[[X]], %[[W]] : tensor<?x256xf32>, tensor<80x256xbf16> -> tensor<?x80xf32>

// A norm over the row, over heads of the weight's width, and over groups without a weight.
func.func @rms_norm(%x: tensor<?x256xf32>, %w: tensor<256xbf16>, %head: tensor<32xf32>) -> tensor<?x256xf32> {
  %y = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : tensor<?x256xf32>, tensor<256xbf16>
  %heads = moe.rms_norm %y, %head {epsilon = 2.0e-2 : f64} : tensor<?x256xf32>, tensor<32xf32>
  %bare = moe.rms_norm %heads {epsilon = 0.0 : f64, group = 64 : i64} : tensor<?x256xf32>
  return %bare : tensor<?x256xf32>
}
// CHECK-LABEL: @rms_norm
// CHECK: moe.rms_norm %{{.*}}, %{{.*}} {epsilon = 9.9999999999999995E-7 : f64} : tensor<?x256xf32>, tensor<256xbf16>
// CHECK: moe.rms_norm %{{.*}}, %{{.*}} {epsilon = 2.000000e-02 : f64} : tensor<?x256xf32>, tensor<32xf32>
// CHECK: moe.rms_norm %{{.*}} {epsilon = 0.000000e+00 : f64, group = 64 : i64} : tensor<?x256xf32>

// A trailing interleaved slice; a whole head in halves with everything that a rotary can say.
func.func @rope(%q: tensor<?x384xf32>, %batch: !moe.batch) -> tensor<?x384xf32> {
  %r = moe.rope %q at %batch {head_dim = 48 : i64, rotary = #moe.rotary<dims = 16, theta = 1.0e4, layout = interleaved, offset = 32>} : tensor<?x384xf32>
  %s = moe.rope %r at %batch {head_dim = 48 : i64, position_scale = #moe.position_scale<beta = 0.1, original_positions = 8192, shift = 1>,
    rotary = #moe.rotary<dims = 48, theta = 500000.0, layout = half, multiplier = 1.25, inverse = true,
                         yarn = <factor = 40.0, original_positions = 4096, beta_fast = 16.0, beta_slow = 2.0, truncate = false>>} : tensor<?x384xf32>
  return %s : tensor<?x384xf32>
}
// CHECK-LABEL: @rope
// CHECK: moe.rope %{{.*}} at %{{.*}} {head_dim = 48 : i64, rotary = #moe.rotary<dims = 16, theta = 1.000000e+04, layout = interleaved, offset = 32>} : tensor<?x384xf32>
// CHECK: position_scale = #moe.position_scale<beta = 1.000000e-01, original_positions = 8192, shift = 1>
// CHECK-SAME: #moe.rotary<dims = 48, theta = 5.000000e+05, layout = half, multiplier = 1.250000e+00, inverse = true,
// CHECK-SAME: yarn = <factor = 4.000000e+01, original_positions = 4096, beta_fast = 1.600000e+01, beta_slow = 2.000000e+00, truncate = false>>

// By the positions of a batch, and by angles of its own for every row.
// Frequencies that no formula gives.
func.func @rope_by_frequencies(%q: tensor<?x384xf32>, %batch: !moe.batch) -> tensor<?x384xf32> {
  %r = moe.rope %q at %batch {head_dim = 48 : i64, rotary = #moe.rotary<dims = 4, layout = half, frequencies = [1.0, 0.042751177]>} : tensor<?x384xf32>
  return %r : tensor<?x384xf32>
}
// CHECK-LABEL: @rope_by_frequencies
// CHECK: rotary = #moe.rotary<dims = 4, layout = half, frequencies = [1.000000e+00, 0.042751177000000001]>

func.func @rope_by_tables(%q: tensor<?x384xf32>, %batch: !moe.batch, %cos: tensor<?x8xf32>, %sin: tensor<?x8xf32>) -> (tensor<?x384xf32>, tensor<?x384xf32>) {
  %r = moe.rope %q at %batch {head_dim = 48 : i64, rotary = #moe.rotary<dims = 16, theta = 1.0e4, layout = interleaved, offset = 32>} : tensor<?x384xf32>
  %s = moe.rope %q by %cos, %sin : tensor<?x8xf32>, tensor<?x8xf32> {head_dim = 48 : i64, rotary = #moe.rotary<dims = 16, layout = half>} : tensor<?x384xf32>
  return %r, %s : tensor<?x384xf32>, tensor<?x384xf32>
}
// CHECK-LABEL: @rope_by_tables
// CHECK: moe.rope %{{.*}} by %{{.*}}, %{{.*}} : tensor<?x8xf32>, tensor<?x8xf32> {head_dim = 48 : i64, rotary = #moe.rotary<dims = 16, layout = half>} : tensor<?x384xf32>

func.func @activate(%gate: tensor<?x512xf32>, %up: tensor<?x512xf32>) -> tensor<?x512xf32> {
  %h = moe.activate %gate, %up {activation = #moe.activation<kind = silu>} : tensor<?x512xf32>
  return %h : tensor<?x512xf32>
}
// CHECK-LABEL: @activate
// CHECK: moe.activate %{{.*}}, %{{.*}} {activation = #moe.activation<kind = silu>} : tensor<?x512xf32>

// Every kind of activation, and everything that one can say.
func.func private @activations() attributes {
  test.a = #moe.activation<kind = gelu>, test.b = #moe.activation<kind = gelu_tanh>, test.c = #moe.activation<kind = relu>, test.d = #moe.activation<kind = identity>,
  test.e = #moe.activation<kind = silu, alpha = 1.702, gate_max = 7.0, up_limit = 7.0, up_offset = 1.0>}
// CHECK-LABEL: @activations
// CHECK-SAME: test.a = #moe.activation<kind = gelu>, test.b = #moe.activation<kind = gelu_tanh>, test.c = #moe.activation<kind = relu>, test.d = #moe.activation<kind = identity>
// CHECK-SAME: test.e = #moe.activation<kind = silu, alpha = {{1.702[^,]*}}, gate_max = 7.000000e+00, up_limit = 7.000000e+00, up_offset = 1.000000e+00>

func.func @gate_up(%x: tensor<?x256xf32>, %gate: tensor<512x256xbf16>, %up: tensor<512x256xbf16>) -> tensor<?x512xf32> {
  %h = moe.gate_up %x, %gate, %up {activation = #moe.activation<kind = silu>}
    : tensor<?x256xf32>, tensor<512x256xbf16>, tensor<512x256xbf16> -> tensor<?x512xf32>
  return %h : tensor<?x512xf32>
}
// CHECK-LABEL: @gate_up
// CHECK: moe.gate_up %{{.*}}, %{{.*}}, %{{.*}} {activation = #moe.activation<kind = silu>} : tensor<?x256xf32>, tensor<512x256xbf16>, tensor<512x256xbf16> -> tensor<?x512xf32>

// A gated MLP alone and with a residual.
func.func @gated_mlp(%x: tensor<?x256xf32>, %gate: tensor<512x256xbf16>, %up: tensor<512x256xbf16>, %down: tensor<256x512xbf16>) -> tensor<?x256xf32> {
  %y = moe.gated_mlp %x, %gate, %up, %down {activation = #moe.activation<kind = silu>}
    : tensor<?x256xf32>, tensor<512x256xbf16>, tensor<512x256xbf16>, tensor<256x512xbf16> -> tensor<?x256xf32>
  %z = moe.gated_mlp %y, %gate, %up, %down residual %x (tensor<?x256xf32>) {activation = #moe.activation<kind = silu>, compute = #moe<compute bf16>}
    : tensor<?x256xf32>, tensor<512x256xbf16>, tensor<512x256xbf16>, tensor<256x512xbf16> -> tensor<?x256xf32>
  return %z : tensor<?x256xf32>
}
// CHECK-LABEL: @gated_mlp
// CHECK: %[[Y:.*]] = moe.gated_mlp %[[X:.*]], %{{.*}}, %{{.*}}, %{{.*}} {activation = #moe.activation<kind = silu>} :
// CHECK: moe.gated_mlp %[[Y]], %{{.*}}, %{{.*}}, %{{.*}} residual %[[X]](tensor<?x256xf32>) {activation = #moe.activation<kind = silu>, compute = #moe<compute bf16>} :

func.func @layer_norm(%x: tensor<?x128xf32>, %w: tensor<128xbf16>, %b: tensor<128xbf16>) -> tensor<?x128xf32> {
  %y = moe.layer_norm %x, %w, %b {epsilon = 1.0e-6 : f64} : tensor<?x128xf32>, tensor<128xbf16>, tensor<128xbf16>
  %z = moe.layer_norm %y, %w {epsilon = 1.0e-6 : f64} : tensor<?x128xf32>, tensor<128xbf16>
  return %z : tensor<?x128xf32>
}
// CHECK-LABEL: @layer_norm
// CHECK: %[[Y:.+]] = moe.layer_norm %{{.*}}, %[[W:.+]], %{{.*}} {epsilon = 9.9999999999999995E-7 : f64} : tensor<?x128xf32>, tensor<128xbf16>, tensor<128xbf16>
// CHECK: moe.layer_norm %[[Y]], %[[W]] {epsilon = 9.9999999999999995E-7 : f64} : tensor<?x128xf32>, tensor<128xbf16>

func.func @scale_by_position(%q: tensor<?x384xf32>, %batch: !moe.batch) -> tensor<?x384xf32> {
  %r = moe.scale_by_position %q at %batch {scale = #moe.position_scale<beta = 1.0e-1, original_positions = 8192, shift = 1>} : tensor<?x384xf32>
  return %r : tensor<?x384xf32>
}
// CHECK-LABEL: @scale_by_position
// CHECK: moe.scale_by_position %{{.*}} at %{{.*}} {scale = #moe.position_scale<beta = 1.000000e-01, original_positions = 8192, shift = 1>} : tensor<?x384xf32>

func.func @grouped_linear(%x: tensor<?x512xf32>, %w: tensor<64x128xbf16>) -> tensor<?x64xf32> {
  %y = moe.grouped_linear %x, %w : tensor<?x512xf32>, tensor<64x128xbf16> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
// CHECK-LABEL: @grouped_linear
// CHECK: moe.grouped_linear %{{.*}}, %{{.*}} : tensor<?x512xf32>, tensor<64x128xbf16> -> tensor<?x64xf32>
