// What the attributes of the dialect refuse.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{expected a file name for the slice of 'a'}}
moe.weight @slice_file : tensor<4xf32> = [#moe.slice<"a" in "" at 0 rows 4>]

// -----

// expected-error @+1 {{expected offset >= 0 and rows > 0 in the slice of 'a', got offset -8 and rows 4}}
moe.weight @slice_offset : tensor<4xf32> = [#moe.slice<"a" in "m" at -8 rows 4>]

// -----

// expected-error @+1 {{expected offset >= 0 and rows > 0 in the slice of 'a', got offset 0 and rows 0}}
moe.weight @slice_rows : tensor<4xf32> = [#moe.slice<"a" in "m" at 0 rows 0>]

// -----

// expected-error @+1 {{expected times > 1 and every > 0 in the run of 'a', got times 0 and every 8}}
moe.weight @slice_times : tensor<4xf32> = [#moe.slice<"a" in "m" at 0 rows 4 times 0 every 8>]

// -----

// One slice is written in one way only.
// expected-error @+1 {{expected times > 1 and every > 0 in the run of 'a', got times 1 and every 8}}
moe.weight @slice_once : tensor<4xf32> = [#moe.slice<"a" in "m" at 0 rows 4 times 1 every 8>]

// -----

// expected-error @+1 {{expected times > 1 and every > 0 in the run of 'a', got times 2 and every 0}}
moe.weight @slice_every : tensor<4xf32> = [#moe.slice<"a" in "m" at 0 rows 2 times 2 every 0>]

// -----

// expected-error @+1 {{expected rows and offsets below 2^63 in the run of 'a', got times 4294967296 and every 4294967296}}
moe.weight @slice_beyond : tensor<4xf32> = [#moe.slice<"a" in "m" at 0 rows 1 times 4294967296 every 4294967296>]

// -----

// expected-error @+1 {{expected rows and offsets below 2^63 in the run of 'a', got times 4294967296 and every 1}}
moe.weight @slice_rows_beyond : tensor<4xf32> = [#moe.slice<"a" in "m" at 0 rows 4294967296 times 4294967296 every 1>]

// -----

// expected-error @+1 {{expected factor > 0 and original_positions > 0, got 0.000000e+00 and 4096}}
module attributes {test.a = #moe.yarn<factor = 0.0, original_positions = 4096>} {}

// -----

// expected-error @+1 {{expected factor > 0 and original_positions > 0}}
module attributes {test.a = #moe.yarn<factor = 4.0, original_positions = 0>} {}

// -----

// expected-error @+1 {{expected beta_fast >= beta_slow > 0, got 1.000000e+00 and 3.200000e+01}}
module attributes {test.a = #moe.yarn<factor = 4.0, original_positions = 4096, beta_fast = 1.0, beta_slow = 32.0>} {}

// -----

// expected-error @+1 {{expected original_positions > 0, got 0}}
module attributes {test.a = #moe.position_scale<beta = 0.1, original_positions = 0>} {}

// -----

// expected-error @+1 {{expected 0 <= shift < 2^31, got -1}}
module attributes {test.a = #moe.position_scale<beta = 0.1, original_positions = 16, shift = -1>} {}

// -----

// expected-error @+1 {{expected a positive even number of rotary dims, got 3}}
module attributes {test.a = #moe.rotary<dims = 3, theta = 1.0e4, layout = half>} {}

// -----

// expected-error @+1 {{expected theta > 0, got -1.000000e+00}}
module attributes {test.a = #moe.rotary<dims = 4, theta = -1.0, layout = half>} {}

// -----

// Nothing but finite numbers.
// expected-error @+1 {{expected theta > 0, got}}
module attributes {test.a = #moe.rotary<dims = 4, theta = 0x7FF0000000000000, layout = half>} {}

// -----

// The ramp is cut at dimensions that are logarithms to the base theta.
// expected-error @+1 {{expected theta beside yarn}}
module attributes {test.a = #moe.rotary<dims = 4, layout = half, yarn = <factor = 4.0, original_positions = 4096>>} {}

// -----

// expected-error @+1 {{expected theta > 1 beside yarn, got 1.000000e+00}}
module attributes {test.a = #moe.rotary<dims = 4, theta = 1.0, layout = half, yarn = <factor = 4.0, original_positions = 4096>>} {}

// -----

// expected-error @+1 {{expected offset >= 0, got -2}}
module attributes {test.a = #moe.rotary<dims = 4, theta = 1.0e4, layout = half, offset = -2>} {}

// -----

// expected-error @+1 {{expected up_limit >= 0, got -7.000000e+00}}
module attributes {test.a = #moe.activation<kind = silu, up_limit = -7.0>} {}

// -----

// expected-error @+1 {{expected k > 0, got 0}}
module attributes {test.a = #moe.routing<k = 0, score = softmax>} {}

// -----

// expected-error @+1 {{expected 0 < kept_groups <= groups, got 3 of 2}}
module attributes {test.a = #moe.routing<k = 1, score = softmax, groups = 2, kept_groups = 3>} {}

// -----

// expected-error @+1 {{expected epsilon >= 0, got -1.000000e+00}}
module attributes {test.a = #moe.routing<k = 1, score = softmax, epsilon = -1.0>} {}

// -----

// expected-error @+1 {{expected no groups beside the score 'sparse_mixer', got 2}}
module attributes {test.a = #moe.routing<k = 1, score = sparse_mixer, groups = 2>} {}

// -----

// expected-error @+1 {{expected no jitter_epsilon beside the score 'softmax', got 1.000000e-02}}
module attributes {test.a = #moe.routing<k = 1, score = softmax, jitter_epsilon = 0.01>} {}

// -----

// expected-error @+1 {{expected a finite jitter_epsilon >= 0, got -1.000000e-02}}
module attributes {test.a = #moe.routing<k = 1, score = sparse_mixer, jitter_epsilon = -0.01>} {}

// -----

// expected-error @+1 {{expected a finite scale, got}}
module attributes {test.a = #moe.routing<k = 1, score = softmax, scale = 0x7FF0000000000000>} {}

// -----

// expected-error @+1 {{expected a finite multiplier, got}}
module attributes {test.a = #moe.rotary<dims = 4, theta = 1.0e4, layout = half, multiplier = 0x7FF8000000000000>} {}

// -----

// expected-error @+1 {{expected a finite beta, got}}
module attributes {test.a = #moe.position_scale<beta = 0x7FF0000000000000, original_positions = 16>} {}

// -----

// expected-error @+1 {{expected strides and a dimension of a matrix beside the words of 'a', got dimension 2}}
moe.weight @slice_words_axis : tensor<8x8xui4> = [#moe.slice<"a" in "m" at 0 rows 8 strides 8 by 8 words [0, 1, 2, 3, 4, 5, 6, 7] along 2>]

// -----

// expected-error @+1 {{expected each of the places 0 to 3, or 0 to 7, once in the words of 'a', got 4}}
moe.weight @slice_words_twice : tensor<8x8xui8> = [#moe.slice<"a" in "m" at 0 rows 8 strides 4 by 8 words [0, 1, 2, 2] along 0>]

// -----

// expected-error @+1 {{expected strides from 1 to 2^31 - 1 in the slice of 'a', got 0 and 4}}
moe.weight @slice_strides : tensor<4x4xf32> = [#moe.slice<"a" in "m" at 0 rows 4 strides 0 by 4>]

// -----

// expected-error @+1 {{expected strides from 1 to 2^31 - 1 in the slice of 'a', got 1 and 2147483648}}
moe.weight @slice_strides_beyond : tensor<4x4xf32> = [#moe.slice<"a" in "m" at 0 rows 4 strides 1 by 2147483648>]

// -----

// expected-error @+1 {{expected theta or frequencies, got both}}
module attributes {test.a = #moe.rotary<dims = 4, theta = 1.0e4, layout = half, frequencies = [1.0, 0.5]>} {}

// -----

// expected-error @+1 {{expected a frequency for each of 2 pairs, got 3}}
module attributes {test.a = #moe.rotary<dims = 4, layout = half, frequencies = [1.0, 0.5, 0.25]>} {}

// -----

// expected-error @+1 {{expected finite frequencies}}
module attributes {test.a = #moe.rotary<dims = 4, layout = half, frequencies = [1.0, 0x7FF0000000000000]>} {}
