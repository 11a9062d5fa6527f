// What the verifiers of blocks of positions and of attention to their entries refuse.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{attribute 'block' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
moe.cache @entries : tensor<?x16xf32> {block = 0 : i64}

// -----

moe.cache @projected : tensor<?x16xf32>
func.func @pool_blocks_c1(%b: tensor<8xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C1: expected a bias [positions, width], got 'tensor<8xf32>'}}
  %e = moe.pool_blocks over @projected at %batch bias %b : tensor<8xf32> -> tensor<?x8xf32>
  return
}

// -----

moe.cache @projected : tensor<?x24xf32>
func.func @pool_blocks_c1_width(%b: tensor<4x8xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C1: expected a cache with a row for each position, 16 wide, got one 24 wide for every 1}}
  %e = moe.pool_blocks over @projected at %batch bias %b : tensor<4x8xf32> -> tensor<?x8xf32>
  return
}

// -----

moe.cache @projected : tensor<?x16xf32> {block = 4 : i64}
func.func @pool_blocks_c1_block(%b: tensor<4x8xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C1: expected a cache with a row for each position, 16 wide, got one 16 wide for every 4}}
  %e = moe.pool_blocks over @projected at %batch bias %b : tensor<4x8xf32> -> tensor<?x8xf32>
  return
}

// -----

moe.cache @projected : tensor<?x16xf32>
func.func @pool_blocks_c2(%b: tensor<4x8xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C2: expected a result 8 wide, or half as wide, got 6}}
  %e = moe.pool_blocks over @projected at %batch bias %b : tensor<4x8xf32> -> tensor<?x6xf32>
  return
}

// -----

moe.cache @keys : tensor<?x16xf32>
func.func @attention_c5(%q: tensor<?x32xf32>, %p: tensor<?x4xi32>, %batch: !moe.batch) {
  // expected-error @+1 {{C5: expected a cache of entries beside their lists}}
  %o = moe.attention %q over @keys, @keys at %batch among %p (tensor<?x4xi32>) {head_dim = 16 : i64, scale = 1.0 : f64} : tensor<?x32xf32> -> tensor<?x32xf32>
  return
}

// -----

moe.cache @keys : tensor<?x16xf32>
func.func @attention_c5_missing(%q: tensor<?x32xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C5: expected @entries to name a moe.cache}}
  %o = moe.attention %q over @keys, @keys and @entries at %batch {head_dim = 16 : i64, scale = 1.0 : f64} : tensor<?x32xf32> -> tensor<?x32xf32>
  return
}

// -----

moe.cache @keys : tensor<?x16xf32>
moe.cache @entries : tensor<?x8xf32> {block = 4 : i64}
func.func @attention_c5_width(%q: tensor<?x32xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C5: expected entries as wide as keys and values, got 8, 16 and 16}}
  %o = moe.attention %q over @keys, @keys and @entries at %batch {head_dim = 16 : i64, scale = 1.0 : f64} : tensor<?x32xf32> -> tensor<?x32xf32>
  return
}
