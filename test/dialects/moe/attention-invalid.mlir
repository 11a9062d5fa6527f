// What the verifiers of attention refuse.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

moe.cache @keys : tensor<?x32xf32>
func.func @attention_c1(%q: tensor<?x64xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C1: expected @values to name a moe.cache}}
  %o = moe.attention %q over @keys, @values at %batch {head_dim = 16 : i64, scale = 1.0 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

moe.cache @kv : tensor<?x32xf32>
func.func @attention_c1_head_dim(%q: tensor<?x64xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C1: expected head_dim to divide 64 columns, got 48}}
  %o = moe.attention %q over @kv, @kv at %batch {head_dim = 48 : i64, scale = 1.0 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

moe.cache @kv : tensor<?x48xf32>
func.func @attention_c1_heads(%q: tensor<?x64xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C1: expected key/value heads of 16 columns that divide 4 heads, got caches 48 and 48 wide}}
  %o = moe.attention %q over @kv, @kv at %batch {head_dim = 16 : i64, scale = 1.0 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

moe.cache @keys : tensor<?x32xf32>
moe.cache @values : tensor<?x16xf32>
func.func @attention_c2(%q: tensor<?x64xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C2: expected a result 32 wide, got 64}}
  %o = moe.attention %q over @keys, @values at %batch {head_dim = 16 : i64, scale = 1.0 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

moe.cache @kv : tensor<?x32xf32>
func.func @attention_c3(%q: tensor<?x64xf32>, %sinks: tensor<2xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C3: expected one sink for each of 4 heads, got 'tensor<2xf32>'}}
  %o = moe.attention %q over @kv, @kv at %batch sinks %sinks (tensor<2xf32>) {head_dim = 16 : i64, scale = 1.0 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

moe.cache @kv : tensor<?x32xf32>
func.func @attention_c4(%q: tensor<?x64xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C4: expected at most one of 'window' and 'chunk'}}
  %o = moe.attention %q over @kv, @kv at %batch {head_dim = 16 : i64, scale = 1.0 : f64, window = 8 : i64, chunk = 8 : i64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

moe.cache @kv : tensor<?x32xf32>
func.func @attention_window(%q: tensor<?x64xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{attribute 'window' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
  %o = moe.attention %q over @kv, @kv at %batch {head_dim = 16 : i64, scale = 1.0 : f64, window = 0 : i64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

moe.cache @c : tensor<?x20xf32>
func.func @latent_attention_c1(%q: tensor<?x24xf32>, %up: tensor<2x8x16xf32>, %value: tensor<2x8x8xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C1: expected key_up [heads, nope, latent] and value_up [heads, value, latent], got 'tensor<2x8x16xf32>' and 'tensor<2x8x8xf32>'}}
  %o = moe.latent_attention %q over @c at %batch with %up, %value {scale = 1.0 : f64} : tensor<?x24xf32>, tensor<2x8x16xf32>, tensor<2x8x8xf32> -> tensor<?x16xf32>
  return
}

// -----

moe.cache @c : tensor<?x20xf32>
func.func @latent_attention_c2(%q: tensor<?x16xf32>, %up: tensor<2x8x16xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C2: expected a query 24 wide, got 16}}
  %o = moe.latent_attention %q over @c at %batch with %up, %up {scale = 1.0 : f64} : tensor<?x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32> -> tensor<?x16xf32>
  return
}

// -----

moe.cache @c : tensor<?x20xf32>
func.func @latent_attention_c2_result(%q: tensor<?x24xf32>, %up: tensor<2x8x16xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C2: expected a result 16 wide, got 8}}
  %o = moe.latent_attention %q over @c at %batch with %up, %up {scale = 1.0 : f64} : tensor<?x24xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32> -> tensor<?x8xf32>
  return
}

// -----

moe.cache @c : tensor<?x16xf32>
func.func @latent_attention_c3(%q: tensor<?x24xf32>, %up: tensor<2x8x16xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C3: expected a cache wider than the latent's 16, got 16}}
  %o = moe.latent_attention %q over @c at %batch with %up, %up {scale = 1.0 : f64} : tensor<?x24xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32> -> tensor<?x16xf32>
  return
}

// -----

func.func @latent_attention_c3_symbol(%q: tensor<?x24xf32>, %up: tensor<2x8x16xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C3: expected @c to name a moe.cache}}
  %o = moe.latent_attention %q over @c at %batch with %up, %up {scale = 1.0 : f64} : tensor<?x24xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32> -> tensor<?x16xf32>
  return
}

// -----

moe.cache @c : tensor<?x20xf32>
func.func @absorbed_attention_c1(%q: tensor<?x24xf32>, %up: tensor<2x8x16xf32>, %value: tensor<3x8x16xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C1: expected key_up [heads, nope, latent] and value_up [heads, value, latent]}}
  %o = moe.absorbed_attention %q over @c at %batch with %up, %value {scale = 1.0 : f64} : tensor<?x24xf32>, tensor<2x8x16xf32>, tensor<3x8x16xf32> -> tensor<?x24xf32>
  return
}

// -----

moe.cache @c : tensor<?x20xf32>
func.func @absorbed_attention_c2(%q: tensor<?x16xf32>, %up: tensor<2x8x16xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C2: expected a query 24 wide, got 16}}
  %o = moe.absorbed_attention %q over @c at %batch with %up, %up {scale = 1.0 : f64} : tensor<?x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32> -> tensor<?x16xf32>
  return
}

// -----

moe.cache @c : tensor<?x16xf32>
func.func @absorbed_attention_c3(%q: tensor<?x24xf32>, %up: tensor<2x8x16xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C3: expected a cache wider than the latent's 16, got 16}}
  %o = moe.absorbed_attention %q over @c at %batch with %up, %up {scale = 1.0 : f64} : tensor<?x24xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32> -> tensor<?x16xf32>
  return
}

// -----

moe.cache @c : tensor<?x16xf32>
func.func @select_positions_c1(%q: tensor<?x40xf32>, %w: tensor<?x3xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C1: expected a query of 3 rows of the cache's 16, got 40 columns}}
  %p = moe.select_positions %q, %w over @c at %batch : tensor<?x40xf32>, tensor<?x3xf32> -> tensor<?x4xi32>
  return
}
