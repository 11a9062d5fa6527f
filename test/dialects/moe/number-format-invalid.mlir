// What the verifiers of dequantised weights refuse.
// RUN: moe-opt %s --split-input-file --verify-diagnostics

func.func @dequantize_c1(%v: tensor<8xf8E4M3FN>, %s: tensor<1xf32>) {
  // expected-error @+1 {{C1: expected values of rank 2 or 3, got 'tensor<8xf8E4M3FN>'}}
  %w = moe.dequantize %v by %s as <rows = 1, columns = 8> : tensor<8xf8E4M3FN>, tensor<1xf32>
  return
}

// -----

func.func @dequantize_c2(%v: tensor<136x200xf8E4M3FN>, %s: tensor<1x2xf32>) {
  // expected-error @+1 {{C2: expected scales [2, 2], got 'tensor<1x2xf32>'}}
  %w = moe.dequantize %v by %s as <rows = 128, columns = 128> : tensor<136x200xf8E4M3FN>, tensor<1x2xf32>
  return
}

// -----

func.func @dequantize_c2_stack(%v: tensor<4x24x32xf8E4M3FN>, %s: tensor<1x1xf32>) {
  // expected-error @+1 {{C2: expected scales [4, 1, 1] or [2, 1], got 'tensor<1x1xf32>'}}
  %w = moe.dequantize %v by %s as <rows = 128, columns = 128, tensor_rows = 40> : tensor<4x24x32xf8E4M3FN>, tensor<1x1xf32>
  return
}

// -----

func.func @dequantize_c3(%v: tensor<8x8xf8E4M3FN>, %s: tensor<1x1xi32>) {
  // expected-error @+1 {{C3: expected scales of floats, got 'tensor<1x1xi32>'}}
  %w = moe.dequantize %v by %s as <rows = 8, columns = 8> : tensor<8x8xf8E4M3FN>, tensor<1x1xi32>
  return
}

// -----

func.func @dequantize_c4(%v: tensor<8x8xf8E4M3FN>, %s: tensor<1x1xf32>) {
  // expected-error @+1 {{C4: expected no zero point for 'tensor<8x8xf8E4M3FN>', got 8}}
  %w = moe.dequantize %v by %s as <rows = 8, columns = 8, zero_point = 8> : tensor<8x8xf8E4M3FN>, tensor<1x1xf32>
  return
}

// -----

func.func @dequantize_c5(%v: tensor<8x8xf8E4M3FN>, %s: tensor<1x1xf32>, %g: tensor<2xf32>) {
  // expected-error @+1 {{C5: expected a global scale [1], got 'tensor<2xf32>'}}
  %w = moe.dequantize %v by %s global %g (tensor<2xf32>) as <rows = 8, columns = 8> : tensor<8x8xf8E4M3FN>, tensor<1x1xf32>
  return
}

// -----

func.func @dequantize_c5_divides(%v: tensor<8x8xf8E4M3FN>, %s: tensor<1x1xf32>) {
  // expected-error @+1 {{C5: expected a global scale that divides}}
  %w = moe.dequantize %v by %s as <rows = 8, columns = 8, divides = true> : tensor<8x8xf8E4M3FN>, tensor<1x1xf32>
  return
}

// -----

func.func @dequantize_c6(%v: tensor<8x8xf8E4M3FN>, %s: tensor<1x1xf32>) {
  // expected-error @+1 {{C6: expected a cut within 12 rows, got 8 from row 8}}
  %w = moe.dequantize %v by %s as <rows = 16, columns = 8, first_row = 8, tensor_rows = 12> : tensor<8x8xf8E4M3FN>, tensor<1x1xf32>
  return
}

// -----

func.func @dequantize_c7(%v: tensor<8x8xui4>, %s: tensor<8x2xf32>, %z: tensor<8x2xui4>) {
  // expected-error @+1 {{C7: expected zeros of ui8 shaped like the scales beside unsigned integers, got 'tensor<8x2xui4>' beside 'tensor<8x8xui4>'}}
  %w = moe.dequantize %v by %s zeros %z (tensor<8x2xui4>) as <rows = 1, columns = 4> : tensor<8x8xui4>, tensor<8x2xf32>
  return
}

// -----

func.func @dequantize_c7_shape(%v: tensor<8x8xui4>, %s: tensor<8x2xf32>, %z: tensor<2x8xui8>) {
  // expected-error @+1 {{C7: expected zeros of ui8 shaped like the scales beside unsigned integers, got 'tensor<2x8xui8>'}}
  %w = moe.dequantize %v by %s zeros %z (tensor<2x8xui8>) as <rows = 1, columns = 4> : tensor<8x8xui4>, tensor<8x2xf32>
  return
}

// -----

func.func @dequantize_c7_values(%v: tensor<8x8xi8>, %s: tensor<8x2xf32>, %z: tensor<8x2xui8>) {
  // expected-error @+1 {{C7: expected zeros of ui8 shaped like the scales beside unsigned integers, got 'tensor<8x2xui8>' beside 'tensor<8x8xi8>'}}
  %w = moe.dequantize %v by %s zeros %z (tensor<8x2xui8>) as <rows = 1, columns = 4> : tensor<8x8xi8>, tensor<8x2xf32>
  return
}

// -----

// A row of a number and a half is no row of bytes.
// expected-error @+1 {{expected a statically shaped tensor of a storage type, got 'tensor<2x3xui4>'}}
moe.weight @weight_half_bytes : tensor<2x3xui4> = [#moe.slice<"a" in "m" at 0 rows 2>]

// -----

// expected-error @+1 {{expected blocks of 0 < rows, columns < 2^31, got 0 and 8}}
func.func @blocks() attributes {format = #moe.number_format<rows = 0, columns = 8>} { return }

// -----

// expected-error @+1 {{expected 0 <= zero_point < 256, got 256}}
func.func @zero_point() attributes {format = #moe.number_format<rows = 1, columns = 8, zero_point = 256>} { return }

// -----

// expected-error @+1 {{expected 0 <= first_row <= tensor_rows < 2^31, got 4 and 0}}
func.func @cut() attributes {format = #moe.number_format<rows = 1, columns = 8, first_row = 4>} { return }
