// Dequantised weights round-trip in custom and in generic form.
// RUN: moe-opt %s --split-input-file | moe-opt --split-input-file | FileCheck %s
// RUN: moe-opt %s --split-input-file --mlir-print-op-generic | moe-opt --split-input-file | FileCheck %s

// Blocks of rows and columns, the last of them ragged.
func.func @blocks(%v: tensor<136x200xf8E4M3FN>, %s: tensor<2x2xf32>) -> tensor<136x200xf32> {
  %w = moe.dequantize %v by %s as <rows = 128, columns = 128> : tensor<136x200xf8E4M3FN>, tensor<2x2xf32>
  return %w : tensor<136x200xf32>
}
// CHECK-LABEL: @blocks
// CHECK: moe.dequantize %{{.*}} by %{{.*}} as <rows = 128, columns = 128> : tensor<136x200xf8E4M3FN>, tensor<2x2xf32>

// A stack of matrices with scales of their own, and a global one each, to divide by.
func.func @stack(%v: tensor<4x6x32xf4E2M1FN>, %s: tensor<4x6x2xf8E4M3FN>, %g: tensor<4xf32>) -> tensor<4x6x32xf32> {
  %w = moe.dequantize %v by %s global %g (tensor<4xf32>) as <rows = 1, columns = 16, divides = true> : tensor<4x6x32xf4E2M1FN>, tensor<4x6x2xf8E4M3FN>
  return %w : tensor<4x6x32xf32>
}
// CHECK-LABEL: @stack
// CHECK: moe.dequantize %{{.*}} by %{{.*}} global %{{.*}}(tensor<4xf32>) as <rows = 1, columns = 16, divides = true> : tensor<4x6x32xf4E2M1FN>, tensor<4x6x2xf8E4M3FN>

// Integers with a zero point.
func.func @integers(%v: tensor<6x32xui4>, %s: tensor<6x1xbf16>) -> tensor<6x32xf32> {
  %w = moe.dequantize %v by %s as <rows = 1, columns = 32, zero_point = 8> : tensor<6x32xui4>, tensor<6x1xbf16>
  return %w : tensor<6x32xf32>
}
// CHECK-LABEL: @integers
// CHECK: as <rows = 1, columns = 32, zero_point = 8> : tensor<6x32xui4>, tensor<6x1xbf16>

// Integers whose groups have zero points of their own, all stored less 1.
func.func @zeros(%v: tensor<6x64xui4>, %s: tensor<6x2xf16>, %z: tensor<6x2xui8>) -> tensor<6x64xf32> {
  %w = moe.dequantize %v by %s zeros %z (tensor<6x2xui8>) as <rows = 1, columns = 32, zero_point = 1> : tensor<6x64xui4>, tensor<6x2xf16>
  return %w : tensor<6x64xf32>
}
// CHECK-LABEL: @zeros
// CHECK: moe.dequantize %{{.*}} by %{{.*}} zeros %{{.*}}(tensor<6x2xui8>) as <rows = 1, columns = 32, zero_point = 1> : tensor<6x64xui4>, tensor<6x2xf16>

// Heads cut out of one tensor, whose blocks straddle them.
func.func @heads(%v: tensor<4x24x32xf8E4M3FN>, %s: tensor<2x1xf8E8M0FNU>) -> tensor<4x24x32xf32> {
  %w = moe.dequantize %v by %s as <rows = 128, columns = 128, first_row = 16, tensor_rows = 40> : tensor<4x24x32xf8E4M3FN>, tensor<2x1xf8E8M0FNU>
  return %w : tensor<4x24x32xf32>
}
// CHECK-LABEL: @heads
// CHECK: as <rows = 128, columns = 128, first_row = 16, tensor_rows = 40> : tensor<4x24x32xf8E4M3FN>, tensor<2x1xf8E8M0FNU>

// Numbers of less than a byte are weights when their rows are whole bytes.
moe.weight @packed : tensor<3x4xui4> = [#moe.slice<"a" in "m" at 0 rows 3>]
// CHECK: moe.weight @packed : tensor<3x4xui4>
