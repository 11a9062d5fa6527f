// What the verifiers of weights, caches, embedding, columns and row-wise groups refuse.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{C1: expected slices of 8 rows in all, got 7}}
moe.weight @weight_c1 : tensor<8x4xf32> = [#moe.slice<"a" in "m" at 0 rows 4>, #moe.slice<"b" in "m" at 64 rows 3>]

// -----

// A run counts with all of its slices.
// expected-error @+1 {{C1: expected slices of 8 rows in all, got 9}}
moe.weight @weight_c1_run : tensor<8x4xf32> = [#moe.slice<"a" in "m" at 0 rows 3 times 3 every 64>]

// -----

// Rows that add up to the right number modulo 2^64 do not.
// expected-error @+1 {{C1: expected slices of 2 rows in all}}
moe.weight @weight_c1_overflow : tensor<2xf32> = [#moe.slice<"a" in "m" at 0 rows 9223372036854775807>, #moe.slice<"b" in "m" at 0 rows 9223372036854775807>, #moe.slice<"c" in "m" at 0 rows 4>]

// -----

// expected-error @+1 {{C2: expected at least one slice}}
moe.weight @weight_c2 : tensor<8xf32> = []

// -----

// expected-error @+1 {{expected a statically shaped tensor of a storage type, got 'tensor<?xf32>'}}
moe.weight @weight_dynamic : tensor<?xf32> = [#moe.slice<"a" in "m" at 0 rows 4>]

// -----

// A size of 2^66 bits would wrap around.
// expected-error @+1 {{expected a statically shaped tensor of a storage type}}
moe.weight @weight_huge : tensor<1048576x1048576x2097152xf32> = [#moe.slice<"a" in "m" at 0 rows 1048576>]

// -----

// expected-error @+1 {{expected a statically shaped tensor of a storage type}}
moe.weight @weight_empty : tensor<4x0xf32> = [#moe.slice<"a" in "m" at 0 rows 4>]

// -----

// expected-error @+1 {{expected a statically shaped tensor of a storage type}}
moe.weight @weight_index : tensor<4xindex> = [#moe.slice<"a" in "m" at 0 rows 4>]

// -----

func.func @get_weight_c1() {
  // expected-error @+1 {{C1: expected 'nowhere' to name a moe.weight}}
  %w = moe.get_weight @nowhere : tensor<8xf32>
  return
}

// -----

moe.weight @w : tensor<8xf32> = [#moe.slice<"a" in "m" at 0 rows 8>]
func.func @get_weight_c1_type() {
  // expected-error @+1 {{C1: expected the weight's type 'tensor<8xf32>', got 'tensor<8xbf16>'}}
  %w = moe.get_weight @w : tensor<8xbf16>
  return
}

// -----

// expected-error @+1 {{C1: expected tensor<?xWxf32> or tensor<?xWxbf16>, got 'tensor<?x8xf16>'}}
moe.cache @cache_c1 : tensor<?x8xf16>

// -----

// expected-error @+1 {{C1: expected tensor<?xWxf32> or tensor<?xWxbf16>, got 'tensor<4x8xf32>'}}
moe.cache @cache_c1_static : tensor<4x8xf32>

// -----

// expected-error @+1 {{C1: expected tensor<?xWxf32> or tensor<?xWxbf16>, got 'tensor<?x0xf32>'}}
moe.cache @cache_c1_width : tensor<?x0xf32>

// -----

moe.cache @c : tensor<?x8xf32>
func.func @append_c1(%x: tensor<?x4xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C1: expected values 8 wide together, got 4}}
  moe.append %x to @c at %batch : tensor<?x4xf32>
  return
}

// -----

moe.weight @w : tensor<8xf32> = [#moe.slice<"a" in "m" at 0 rows 8>]
func.func @append_c1_symbol(%x: tensor<?x4xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{C1: expected @w to name a moe.cache}}
  moe.append %x to @w at %batch : tensor<?x4xf32>
  return
}

// -----

moe.cache @c : tensor<?x8xf32>
func.func @append_c2(%batch: !moe.batch) {
  // expected-error @+1 {{C2: expected at least one value}}
  "moe.append"(%batch) {cache = @c} : (!moe.batch) -> ()
  return
}

// -----

func.func @embed_c1(%ids: tensor<?xi32>, %table: tensor<16x3xf32>) {
  // expected-error @+1 {{C1: expected a table [vocabulary, a divisor of 8], got 'tensor<16x3xf32>'}}
  %x = moe.embed %ids, %table : tensor<16x3xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @embed_ids(%ids: tensor<?xi64>, %table: tensor<16x8xf32>) {
  // expected-error @+1 {{operand #0 must be tensor<?xi32>, but got 'tensor<?xi64>'}}
  %x = "moe.embed"(%ids, %table) : (tensor<?xi64>, tensor<16x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @gather_outputs_type(%x: tensor<?x8xf32>, %batch: !moe.batch) {
  // expected-error @+1 {{failed to verify that all of {input, result} have same type}}
  %y = "moe.gather_outputs"(%x, %batch) : (tensor<?x8xf32>, !moe.batch) -> tensor<?x4xf32>
  return
}

// -----

func.func @columns_c1(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{C1: expected 4 columns within 8, got offset 5}}
  %y = moe.columns %x from 5 : tensor<?x8xf32> -> tensor<?x4xf32>
  return
}

// -----

// The last column's number must not wrap around.
func.func @columns_c1_overflow(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{C1: expected 4 columns within 8, got offset 9223372036854775807}}
  %y = moe.columns %x from 9223372036854775807 : tensor<?x8xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @rowwise_c1(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{C1: expected region arguments of the operands' types}}
  %y = moe.rowwise(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32> {
  ^bb0(%a: tensor<?x4xf32>, %b: tensor<?x8xf32>):
    moe.yield %b : tensor<?x8xf32>
  }
  return
}

// -----

func.func @rowwise_c1_yield(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{C1: expected a moe.yield of the results' types}}
  %y = moe.rowwise(%x) : (tensor<?x8xf32>) -> tensor<?x4xf32> {
  ^bb0(%a: tensor<?x8xf32>):
    moe.yield %a : tensor<?x8xf32>
  }
  return
}

// -----

func.func @rowwise_c2(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) {
  // expected-error @+1 {{C2: expected row-wise ops only}}
  %y = moe.rowwise(%x, %w) : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32> {
  ^bb0(%a: tensor<?x8xf32>, %v: tensor<8x8xf32>):
    // expected-note @+1 {{'moe.linear' is not}}
    %p = moe.linear %a, %v : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
    moe.yield %p : tensor<?x8xf32>
  }
  return
}

// -----

func.func @yield_parent(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{expects parent op 'moe.rowwise'}}
  moe.yield %x : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{C4: expected unsigned integers of 8 bits or more in words, got 'tensor<8x8xui4>'}}
moe.weight @weight_c4 : tensor<8x8xui4> = [#moe.slice<"a" in "m" at 0 rows 8 strides 4 by 8 words [0, 1, 2, 3] along 0>]

// -----

// expected-error @+1 {{C4: expected unsigned integers of 4 bits or more in words, got 'tensor<8x8xi8>'}}
moe.weight @weight_c4_signed : tensor<8x8xi8> = [#moe.slice<"a" in "m" at 0 rows 8 strides 8 by 8 words [0, 1, 2, 3, 4, 5, 6, 7] along 0>]

// -----

// expected-error @+1 {{C3: expected a strided slice to be one matrix, got 2 rows of 'tensor<2x4x4xf32>'}}
moe.weight @weight_c3 : tensor<2x4x4xf32> = [#moe.slice<"a" in "m" at 0 rows 2 strides 1 by 4>]

// -----

// expected-error @+1 {{C3: expected a strided slice to be one matrix, got 4 rows of 'tensor<4xf32>'}}
moe.weight @weight_c3_vector : tensor<4xf32> = [#moe.slice<"a" in "m" at 0 rows 4 strides 2 by 1>]
