// What the verifiers of weights, caches and constants refuse.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{C1: expected parts of 80 bytes in all, got 64}}
plan.weight @weight_c1 : tensor<5x4xf32> = [#plan.part<"a" at 0 bytes 32>, #plan.part<"b" at 64 bytes 32>]

// -----

// expected-error @+1 {{C1: expected a statically shaped tensor of bytes, got 'tensor<?x4xf32>'}}
plan.weight @weight_c1_dynamic : tensor<?x4xf32> = [#plan.part<"a" at 0 bytes 32>]

// -----

// Without a row there is no row to divide by.
// expected-error @+1 {{C1: expected a statically shaped tensor of bytes, got 'tensor<0x4xf32>'}}
plan.weight @weight_c1_empty : tensor<0x4xf32> = [#plan.part<"a" at 0 bytes 32>]

// -----

// expected-error @+1 {{C1: expected a statically shaped tensor of bytes}}
plan.weight @weight_c1_huge : tensor<1099511627776x1099511627776xf32> = [#plan.part<"a" at 0 bytes 32>]

// -----

// expected-error @+1 {{C2: expected parts of whole rows of 16 bytes, got #plan.part<"a" at 0 bytes 40>}}
plan.weight @weight_c2 : tensor<5x4xf32> = [#plan.part<"a" at 0 bytes 40>, #plan.part<"a" at 40 bytes 40>]

// -----

// expected-error @+1 {{expected a file name for a part}}
plan.weight @part_file : tensor<4xf32> = [#plan.part<"" at 0 bytes 16>]

// -----

// expected-error @+1 {{expected offset >= 0 and bytes > 0 in a part of 'a', got offset -1 and bytes 16}}
plan.weight @part_offset : tensor<4xf32> = [#plan.part<"a" at -1 bytes 16>]

// -----

// expected-error @+1 {{C1: expected parts of 80 bytes in all, got 96}}
plan.weight @weight_c1_run : tensor<5x4xf32> = [#plan.part<"a" at 0 bytes 32 times 3 every 32>]

// -----

// expected-error @+1 {{expected times > 1 and every > 0 in a run of parts of 'a', got times 1 and every 16}}
plan.weight @part_once : tensor<4xf32> = [#plan.part<"a" at 0 bytes 16 times 1 every 16>]

// -----

// expected-error @+1 {{expected times > 1 and every > 0 in a run of parts of 'a', got times -2 and every 16}}
plan.weight @part_times : tensor<4xf32> = [#plan.part<"a" at 0 bytes 16 times -2 every 16>]

// -----

// expected-error @+1 {{expected bytes and offsets below 2^63 in a run of parts of 'a', got times 4294967296 and every 4294967296}}
plan.weight @part_beyond : tensor<4xf32> = [#plan.part<"a" at 0 bytes 16 times 4294967296 every 4294967296>]

// -----

// expected-error @+1 {{C1: expected tensor<?xWxf32> or tensor<?xWxbf16>, got 'tensor<?x80xf16>'}}
plan.cache @cache_c1 : tensor<?x80xf16>

// -----

// expected-error @+1 {{C1: expected a statically shaped tensor of bytes, got 'tensor<?xf32>'}}
plan.constant @constant_c1 : tensor<?xf32> = "unknown"

// -----

// expected-error @+1 {{attribute 'page_size' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
plan.model "m" {vocabulary = 4096 : i64, layers = 3 : i64, parameters = 8300000 : i64, max_sequence = 2048 : i64, max_batch = 8 : i64,
  page_size = 0 : i64, eos = array<i64>, compute = "f32"}

// -----

// expected-error @+1 {{expected strides, dimension 0 or 1 and each of the places 0 to 3, or 0 to 7, beside the words of a part of 'a'}}
plan.weight @part_words : tensor<8x8xui8> = [#plan.part<"a" at 0 bytes 64 words [0, 1, 2, 3] along 0>]

// -----

// expected-error @+1 {{expected strides > 0 in a part of 'a', got 1 and -4}}
plan.weight @part_strides : tensor<4x4xf32> = [#plan.part<"a" at 0 bytes 64 strides 1 by -4>]
