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
  // expected-error @+1 {{C1: expected key/value heads of 16 columns that divide 4 heads, got keys and values 48 and 48 wide}}
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
  // expected-error @+1 {{C3: expected rows wider than the latent's 16, got 16}}
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
  // expected-error @+1 {{C3: expected rows wider than the latent's 16, got 16}}
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

// -----

func.func @attention_c1_rows(%q: tensor<?x64xf32>, %k: tensor<?x48xf32>, %n: tensor<?xi64>) {
  // expected-error @+1 {{C1: expected key/value heads of 16 columns that divide 4 heads, got keys and values 48 and 48 wide}}
  %o = moe.attention %q across %k, %k : tensor<?x48xf32>, tensor<?x48xf32> of %n {head_dim = 16 : i64, scale = 1.0 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @attention_c6_window(%q: tensor<?x64xf32>, %n: tensor<?xi64>) {
  // expected-error @+1 {{C6: expected positions of first queries, after 'from', beside 'window'}}
  %o = moe.attention %q across %q, %q : tensor<?x64xf32>, tensor<?x64xf32> of %n {head_dim = 16 : i64, scale = 1.0 : f64, window = 2 : i64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @attention_c6_chunk(%q: tensor<?x64xf32>, %n: tensor<?xi64>) {
  // expected-error @+1 {{C6: expected caches and a batch, or rows of keys and values and their numbers}}
  %o = moe.attention %q across %q, %q : tensor<?x64xf32>, tensor<?x64xf32> of %n {head_dim = 16 : i64, scale = 1.0 : f64, chunk = 2 : i64} : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @latent_attention_c3_rows(%q: tensor<?x384xf32>, %c: tensor<?x64xf32>, %w: tensor<8x32x64xf32>, %n: tensor<?xi64>) {
  // expected-error @+1 {{C3: expected rows wider than the latent's 64, got 64}}
  %o = moe.latent_attention %q across %c : tensor<?x64xf32> of %n with %w, %w {scale = 1.0 : f64} : tensor<?x384xf32>, tensor<8x32x64xf32>, tensor<8x32x64xf32> -> tensor<?x256xf32>
  return
}

// -----

func.func @latent_attention_c4(%q: tensor<?x384xf32>, %c: tensor<?x80xf32>, %w: tensor<8x32x64xf32>, %n: tensor<?xi64>) {
  // expected-error @+1 {{C4: expected past keys as wide as the query and past values as wide as the result}}
  %o = moe.latent_attention %q across %c : tensor<?x80xf32> after %c, %c : tensor<?x80xf32>, tensor<?x80xf32> of %n with %w, %w {scale = 1.0 : f64} : tensor<?x384xf32>, tensor<8x32x64xf32>, tensor<8x32x64xf32> -> tensor<?x256xf32>
  return
}

// -----

func.func @absorbed_attention_c5(%q: tensor<?x384xf32>, %c: tensor<?x80xf32>, %v: tensor<?x256xf32>, %w: tensor<8x32x64xf32>, %n: tensor<?xi64>) {
  // expected-error @+1 {{C5: expected no keys of heads beside latents}}
  %o = moe.absorbed_attention %q across %c : tensor<?x80xf32> after %q, %v : tensor<?x384xf32>, tensor<?x256xf32> of %n with %w, %w {scale = 1.0 : f64} : tensor<?x384xf32>, tensor<8x32x64xf32>, tensor<8x32x64xf32> -> tensor<?x256xf32>
  return
}

// -----

moe.cache @c : tensor<?x80xf32>
func.func @latent_attention_c4_batch(%q: tensor<?x384xf32>, %c: tensor<?x80xf32>, %w: tensor<8x32x64xf32>, %n: tensor<?xi64>) {
  // expected-error @+1 {{C4: expected a cache and a batch, or rows of latents and numbers of keys}}
  %o = "moe.latent_attention"(%q, %w, %w, %c, %n) {operandSegmentSizes = array<i32: 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0>, cache = @c, scale = 1.0 : f64}
    : (tensor<?x384xf32>, tensor<8x32x64xf32>, tensor<8x32x64xf32>, tensor<?x80xf32>, tensor<?xi64>) -> tensor<?x256xf32>
  return
}

// -----

func.func @absorbed_attention_c4(%q: tensor<?x384xf32>, %c: tensor<?x80xf32>, %w: tensor<8x32x64xf32>) {
  // expected-error @+1 {{C4: expected a cache and a batch, or rows of latents and numbers of keys}}
  %o = "moe.absorbed_attention"(%q, %w, %w, %c) {operandSegmentSizes = array<i32: 1, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0>, scale = 1.0 : f64}
    : (tensor<?x384xf32>, tensor<8x32x64xf32>, tensor<8x32x64xf32>, tensor<?x80xf32>) -> tensor<?x256xf32>
  return
}
