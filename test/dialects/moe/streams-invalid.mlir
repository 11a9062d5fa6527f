// What the verifiers of residual streams refuse.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

func.func @stream_weights_c1(%x: tensor<?x20xf32>, %scale: tensor<3xf32>, %base: tensor<20xf32>) {
  // expected-error @+1 {{C1: expected n or n x (n + 2) columns for 4 streams, got 20}}
  %w = moe.stream_weights %x, %scale, %base {streams = 4 : i64, iterations = 1 : i64, epsilon = 0.0 : f64} : tensor<?x20xf32>, tensor<3xf32>, tensor<20xf32>
  return
}

// -----

func.func @stream_weights_c2(%x: tensor<?x24xf32>, %scale: tensor<1xf32>, %base: tensor<24xf32>) {
  // expected-error @+1 {{C2: expected a scale [3] and a base [24], got 'tensor<1xf32>' and 'tensor<24xf32>'}}
  %w = moe.stream_weights %x, %scale, %base {streams = 4 : i64, iterations = 1 : i64, epsilon = 0.0 : f64} : tensor<?x24xf32>, tensor<1xf32>, tensor<24xf32>
  return
}

// -----

func.func @stream_weights_c2_head(%x: tensor<?x4xf32>, %scale: tensor<1xf32>, %base: tensor<24xf32>) {
  // expected-error @+1 {{C2: expected a scale [1] and a base [4], got 'tensor<1xf32>' and 'tensor<24xf32>'}}
  %w = moe.stream_weights %x, %scale, %base {streams = 4 : i64, iterations = 1 : i64, epsilon = 0.0 : f64} : tensor<?x4xf32>, tensor<1xf32>, tensor<24xf32>
  return
}

// -----

func.func @stream_weights_c3(%x: tensor<?x4xf32>, %scale: tensor<1xf32>, %base: tensor<4xf32>) {
  // expected-error @+1 {{C3: expected epsilon >= 0, got -1}}
  %w = moe.stream_weights %x, %scale, %base {streams = 4 : i64, iterations = 1 : i64, epsilon = -1.0 : f64} : tensor<?x4xf32>, tensor<1xf32>, tensor<4xf32>
  return
}

// -----

func.func @stream_weights_iterations(%x: tensor<?x4xf32>, %scale: tensor<1xf32>, %base: tensor<4xf32>) {
  // expected-error @+1 {{attribute 'iterations' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
  %w = moe.stream_weights %x, %scale, %base {streams = 4 : i64, iterations = 0 : i64, epsilon = 0.0 : f64} : tensor<?x4xf32>, tensor<1xf32>, tensor<4xf32>
  return
}

// -----

func.func @merge_streams_c1(%streams: tensor<?x10xf32>, %w: tensor<?x3xf32>) {
  // expected-error @+1 {{C1: expected streams that are a multiple of 4 wide, and a weight for each, got 10 columns and 3 weights}}
  %x = moe.merge_streams %streams by %w : tensor<?x10xf32>, tensor<?x3xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @merge_streams_c1_weights(%streams: tensor<?x16xf32>, %w: tensor<?x3xf32>) {
  // expected-error @+1 {{C1: expected streams that are a multiple of 4 wide, and a weight for each, got 16 columns and 3 weights}}
  %x = moe.merge_streams %streams by %w : tensor<?x16xf32>, tensor<?x3xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @mix_streams_c1(%y: tensor<?x4xf32>, %streams: tensor<?x16xf32>, %w: tensor<?x16xf32>) {
  // expected-error @+1 {{C1: expected n streams of 4 columns and n x (n + 2) weights, got 16 columns and 16 weights}}
  %x = moe.mix_streams %y into %streams by %w : tensor<?x4xf32>, tensor<?x16xf32>, tensor<?x16xf32>
  return
}

// -----

func.func @mix_streams_c1_wide(%y: tensor<?x32xf32>, %streams: tensor<?x16xf32>, %w: tensor<?x16xf32>) {
  // expected-error @+1 {{C1: expected n streams of 32 columns and n x (n + 2) weights, got 16 columns and 16 weights}}
  %x = moe.mix_streams %y into %streams by %w : tensor<?x32xf32>, tensor<?x16xf32>, tensor<?x16xf32>
  return
}
