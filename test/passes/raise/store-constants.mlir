// Constants that are weights.
// RUN: moe-opt %s --moe-store-constants | FileCheck %s

module attributes {moe.family = "onnx", moe.folder = "/"} {

// Declared once, behind other weights, under a name that is free.
// CHECK: moe.weight @norm : tensor<8xf32> = [#moe.slice<"other" in "m" at 0 rows 8>]
// CHECK: moe.weight @norm_0 : tensor<4xf32> = [#moe.slice<"norm" in "m" at 64 rows 4>]
// CHECK-NOT: moe.weight
moe.weight @norm : tensor<8xf32> = [#moe.slice<"other" in "m" at 0 rows 8>]

// CHECK-LABEL: func.func @norms
// CHECK-NOT: arith.constant
// CHECK: %[[W:.+]] = moe.get_weight @norm_0
// CHECK: moe.rms_norm %arg0, %[[W]]
// CHECK: %[[V:.+]] = moe.get_weight @norm_0
// CHECK: moe.rms_norm %{{.*}}, %[[V]]
func.func @norms(%x: tensor<?x4xf32> {moe.input = "x"}) -> (tensor<?x4xf32> {moe.output = "y"}) {
  %w = arith.constant {moe.stored = #moe.slice<"norm" in "m" at 64 rows 4>} dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %n = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : tensor<?x4xf32>, tensor<4xf32>
  %v = arith.constant {moe.stored = #moe.slice<"norm" in "m" at 64 rows 4>} dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %y = moe.rms_norm %n, %v {epsilon = 1.0e-6 : f64} : tensor<?x4xf32>, tensor<4xf32>
  return %y : tensor<?x4xf32>
}

// What is only computed with stays a number, and so does what no file holds.
// CHECK-LABEL: func.func @numbers
// CHECK: arith.constant
// CHECK: arith.constant
// CHECK-NOT: moe.get_weight
func.func @numbers(%x: tensor<4xf32> {moe.input = "x"}) -> (tensor<4xf32> {moe.output = "y"}) {
  %w = arith.constant {moe.stored = #moe.slice<"norm" in "m" at 64 rows 4>} dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %v = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %sum = arith.addf %x, %w : tensor<4xf32>
  %rows = tensor.expand_shape %sum [[0, 1]] output_shape [1, 4] : tensor<4xf32> into tensor<1x4xf32>
  %cast = tensor.cast %rows : tensor<1x4xf32> to tensor<?x4xf32>
  %n = moe.rms_norm %cast, %v {epsilon = 1.0e-6 : f64} : tensor<?x4xf32>, tensor<4xf32>
  %back = tensor.cast %n : tensor<?x4xf32> to tensor<1x4xf32>
  %y = tensor.collapse_shape %back [[0, 1]] : tensor<1x4xf32> into tensor<4xf32>
  return %y : tensor<4xf32>
}

// What angles are made of, and what hides keys, is computed with, whatever its shape is.
// CHECK-LABEL: func.func @angles
// CHECK: arith.constant
// CHECK: tensor.cast
// CHECK-NOT: moe.get_weight
// CHECK: moe.rope
func.func @angles(%x: tensor<?x4xf32> {moe.input = "x"}) -> (tensor<?x4xf32> {moe.output = "y"}) {
  %c = arith.constant {moe.stored = #moe.slice<"cos" in "m" at 128 rows 2>} dense<[[1.0, 1.0], [0.5, 0.6]]> : tensor<2x2xf32>
  %first = tensor.extract_slice %c[0, 0] [2, 2] [1, 1] : tensor<2x2xf32> to tensor<2x2xf32>
  %cos = tensor.cast %first : tensor<2x2xf32> to tensor<?x2xf32>
  %y = moe.rope %x by %cos, %cos : tensor<?x2xf32>, tensor<?x2xf32> {head_dim = 4 : i64, rotary = #moe.rotary<dims = 4, layout = half>} : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
}
