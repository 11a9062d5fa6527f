// What is done to the layout of weights before a moe op reads them is in the references to their bytes.
// RUN: moe-opt %s --moe-fold-weights | FileCheck %s
// That they are the same numbers the graphs of fixtures/onnx show (importers/onnx/cases-test.cpp): how large made-up ones are hangs on
// their columns, so that --check-passes cannot.

// Vectors that lie at odd distances; heads of a projection that is stored [in, out].
// CHECK-DAG: moe.weight @{{.*}} : tensor<2x4xf32> = [#moe.slice<"first" in "m" at 1000 rows 1 times 2 every 18>]
// CHECK-DAG: moe.weight @{{.*}} : tensor<2x2x4xf32> = [#moe.slice<"heads" in "m" at 2004 rows 1 times 2 every 12 strides 1 by 6>]
// A matrix that is stored [in, out].
// CHECK-DAG: moe.weight @stored_{{[0-9]+}} : tensor<3x6xf32> = [#moe.slice<"stored" in "m" at 64 rows 3 strides 1 by 3>]
// Gate and up of one product, and of one that takes turns.
// CHECK-DAG: moe.weight @both_{{[0-9]+}} : tensor<2x3x6xf32> = [#moe.slice<"both" in "m" at 1000 rows 1 times 2 every 144>]
// CHECK-DAG: moe.weight @both_{{[0-9]+}} : tensor<2x3x6xf32> = [#moe.slice<"both" in "m" at 1072 rows 1 times 2 every 144>]
// CHECK-DAG: moe.weight @turns_{{[0-9]+}} : tensor<2x3x6xf32> = [#moe.slice<"turns" in "m" at 2000 rows 1 times 2 every 144 strides 12 by 1>]
// CHECK-DAG: moe.weight @turns_{{[0-9]+}} : tensor<2x3x6xf32> = [#moe.slice<"turns" in "m" at 2024 rows 1 times 2 every 144 strides 12 by 1>]
// Experts one by one, of two files and stored [in, out]; those that lie evenly are a run.
// CHECK-DAG: moe.weight @down.0_{{[0-9]+}} : tensor<3x6x3xf32> = [#moe.slice<"down.0" in "m" at 3000 rows 1 times 2 every 500 strides 1 by 6>, #moe.slice<"down.2" in "n" at 0 rows 1 strides 1 by 6>]
// Numbers and scales are stacked each for themselves.
// CHECK-DAG: moe.weight @q.0_{{[0-9]+}} : tensor<2x3x64xi8> = [#moe.slice<"q.0" in "m" at 5000 rows 1 times 2 every 1000>]
// CHECK-DAG: moe.weight @s.0_{{[0-9]+}} : tensor<2x3x2xf32> = [#moe.slice<"s.0" in "m" at 5192 rows 1 times 2 every 1000>]
moe.weight @stored : tensor<6x3xf32> = [#moe.slice<"stored" in "m" at 64 rows 6>]
moe.weight @both : tensor<2x6x6xf32> = [#moe.slice<"both" in "m" at 1000 rows 2>]
moe.weight @turns : tensor<2x6x6xf32> = [#moe.slice<"turns" in "m" at 2000 rows 2>]
moe.weight @down.0 : tensor<3x6xf32> = [#moe.slice<"down.0" in "m" at 3000 rows 3>]
moe.weight @down.1 : tensor<3x6xf32> = [#moe.slice<"down.1" in "m" at 3500 rows 3>]
moe.weight @down.2 : tensor<3x6xf32> = [#moe.slice<"down.2" in "n" at 0 rows 3>]
moe.weight @down : tensor<2x6x3xf32> = [#moe.slice<"down" in "m" at 4000 rows 2>]
moe.weight @three : tensor<3x3x6xf32> = [#moe.slice<"three" in "m" at 4500 rows 3>]
moe.weight @q.0 : tensor<3x64xi8> = [#moe.slice<"q.0" in "m" at 5000 rows 3>]
moe.weight @q.1 : tensor<3x64xi8> = [#moe.slice<"q.1" in "m" at 6000 rows 3>]
moe.weight @s.0 : tensor<3x2xf32> = [#moe.slice<"s.0" in "m" at 5192 rows 3>]
moe.weight @s.1 : tensor<3x2xf32> = [#moe.slice<"s.1" in "m" at 6192 rows 3>]
moe.weight @wide : tensor<2x64x3xf32> = [#moe.slice<"wide" in "m" at 7000 rows 2>]

// CHECK-LABEL: func.func @linear
// CHECK-NEXT: %[[W:.+]] = moe.get_weight @stored_{{[0-9]+}} : tensor<3x6xf32>
// CHECK-NEXT: moe.linear %arg0, %[[W]]
func.func @linear(%x: tensor<?x6xf32> {moe.input = "x"}) -> (tensor<?x3xf32> {moe.output = "y"}) {
  %w = moe.get_weight @stored : tensor<6x3xf32>
  %empty = tensor.empty() : tensor<3x6xf32>
  %turned = linalg.transpose ins(%w : tensor<6x3xf32>) outs(%empty : tensor<3x6xf32>) permutation = [1, 0]
  %y = moe.linear %x, %turned : tensor<?x6xf32>, tensor<3x6xf32> -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// CHECK-LABEL: func.func @halves
// CHECK-NOT: tensor.extract_slice
// CHECK: moe.experts
func.func @halves(%x: tensor<?x6xf32> {moe.input = "x"}, %ids: tensor<?x1xi32> {moe.input = "ids"}, %weights: tensor<?x1xf32> {moe.input = "w"})
    -> (tensor<?x6xf32> {moe.output = "y"}) {
  %both = moe.get_weight @both : tensor<2x6x6xf32>
  %down = moe.get_weight @down : tensor<2x6x3xf32>
  %gate = tensor.extract_slice %both[0, 0, 0] [2, 3, 6] [1, 1, 1] : tensor<2x6x6xf32> to tensor<2x3x6xf32>
  %up = tensor.extract_slice %both[0, 3, 0] [2, 3, 6] [1, 1, 1] : tensor<2x6x6xf32> to tensor<2x3x6xf32>
  %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>}
    : tensor<?x6xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x3x6xf32>, tensor<2x3x6xf32>, tensor<2x6x3xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// CHECK-LABEL: func.func @taking_turns
// CHECK-NOT: tensor.extract_slice
// CHECK: moe.experts
func.func @taking_turns(%x: tensor<?x6xf32> {moe.input = "x"}, %ids: tensor<?x1xi32> {moe.input = "ids"}, %weights: tensor<?x1xf32> {moe.input = "w"})
    -> (tensor<?x6xf32> {moe.output = "y"}) {
  %both = moe.get_weight @turns : tensor<2x6x6xf32>
  %down = moe.get_weight @down : tensor<2x6x3xf32>
  %gate = tensor.extract_slice %both[0, 0, 0] [2, 3, 6] [1, 2, 1] : tensor<2x6x6xf32> to tensor<2x3x6xf32>
  %up = tensor.extract_slice %both[0, 1, 0] [2, 3, 6] [1, 2, 1] : tensor<2x6x6xf32> to tensor<2x3x6xf32>
  %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>}
    : tensor<?x6xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x3x6xf32>, tensor<2x3x6xf32>, tensor<2x6x3xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// CHECK-LABEL: func.func @apart
// CHECK-NOT: tensor.concat
// CHECK: moe.experts
func.func @apart(%x: tensor<?x6xf32> {moe.input = "x"}, %ids: tensor<?x1xi32> {moe.input = "ids"}, %weights: tensor<?x1xf32> {moe.input = "w"})
    -> (tensor<?x6xf32> {moe.output = "y"}) {
  %gate = moe.get_weight @three : tensor<3x3x6xf32>
  %d0 = moe.get_weight @down.0 : tensor<3x6xf32>
  %d1 = moe.get_weight @down.1 : tensor<3x6xf32>
  %d2 = moe.get_weight @down.2 : tensor<3x6xf32>
  %e0 = tensor.expand_shape %d0 [[0, 1], [2]] output_shape [1, 3, 6] : tensor<3x6xf32> into tensor<1x3x6xf32>
  %e1 = tensor.expand_shape %d1 [[0, 1], [2]] output_shape [1, 3, 6] : tensor<3x6xf32> into tensor<1x3x6xf32>
  %e2 = tensor.expand_shape %d2 [[0, 1], [2]] output_shape [1, 3, 6] : tensor<3x6xf32> into tensor<1x3x6xf32>
  %all = tensor.concat dim(0) %e0, %e1, %e2 : (tensor<1x3x6xf32>, tensor<1x3x6xf32>, tensor<1x3x6xf32>) -> tensor<3x3x6xf32>
  %empty = tensor.empty() : tensor<3x6x3xf32>
  %down = linalg.transpose ins(%all : tensor<3x3x6xf32>) outs(%empty : tensor<3x6x3xf32>) permutation = [0, 2, 1]
  %y = moe.experts %x to %ids, %weights with %gate, %gate, %down {activation = #moe.activation<kind = silu>}
    : tensor<?x6xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<3x3x6xf32>, tensor<3x3x6xf32>, tensor<3x6x3xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// CHECK-LABEL: func.func @quantised
// CHECK: %[[Q:.+]] = moe.get_weight @q.0_
// CHECK: %[[S:.+]] = moe.get_weight @s.0_
// CHECK: %[[W:.+]] = moe.dequantize %[[Q]] by %[[S]] as <rows = 1, columns = 32> : tensor<2x3x64xi8>, tensor<2x3x2xf32>
// CHECK: moe.experts {{.*}} with %[[W]], %{{.+}}, %{{.+}} {activation
func.func @quantised(%x: tensor<?x64xf32> {moe.input = "x"}, %ids: tensor<?x1xi32> {moe.input = "ids"}, %weights: tensor<?x1xf32> {moe.input = "w"})
    -> (tensor<?x64xf32> {moe.output = "y"}) {
  %q0 = moe.get_weight @q.0 : tensor<3x64xi8>
  %s0 = moe.get_weight @s.0 : tensor<3x2xf32>
  %w0 = moe.dequantize %q0 by %s0 as <rows = 1, columns = 32> : tensor<3x64xi8>, tensor<3x2xf32>
  %q1 = moe.get_weight @q.1 : tensor<3x64xi8>
  %s1 = moe.get_weight @s.1 : tensor<3x2xf32>
  %w1 = moe.dequantize %q1 by %s1 as <rows = 1, columns = 32> : tensor<3x64xi8>, tensor<3x2xf32>
  %e0 = tensor.expand_shape %w0 [[0, 1], [2]] output_shape [1, 3, 64] : tensor<3x64xf32> into tensor<1x3x64xf32>
  %e1 = tensor.expand_shape %w1 [[0, 1], [2]] output_shape [1, 3, 64] : tensor<3x64xf32> into tensor<1x3x64xf32>
  %gate = tensor.concat dim(0) %e0, %e1 : (tensor<1x3x64xf32>, tensor<1x3x64xf32>) -> tensor<2x3x64xf32>
  %down = moe.get_weight @wide : tensor<2x64x3xf32>
  %y = moe.experts %x to %ids, %weights with %gate, %gate, %down {activation = #moe.activation<kind = silu>}
    : tensor<?x64xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x3x64xf32>, tensor<2x3x64xf32>, tensor<2x64x3xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Another order of dimensions is none of a slice.
// CHECK-LABEL: func.func @turned
// CHECK: %[[W:.+]] = linalg.transpose
// CHECK: moe.experts {{.*}} with %transposed
func.func @turned(%x: tensor<?x6xf32> {moe.input = "x"}, %ids: tensor<?x1xi32> {moe.input = "ids"}, %weights: tensor<?x1xf32> {moe.input = "w"})
    -> (tensor<?x6xf32> {moe.output = "y"}) {
  %w = moe.get_weight @three : tensor<3x3x6xf32>
  %empty = tensor.empty() : tensor<3x3x6xf32>
  %gate = linalg.transpose ins(%w : tensor<3x3x6xf32>) outs(%empty : tensor<3x3x6xf32>) permutation = [1, 0, 2]
  %all = moe.get_weight @three : tensor<3x3x6xf32>
  %e = tensor.empty() : tensor<3x6x3xf32>
  %down = linalg.transpose ins(%all : tensor<3x3x6xf32>) outs(%e : tensor<3x6x3xf32>) permutation = [0, 2, 1]
  %y = moe.experts %x to %ids, %weights with %gate, %gate, %down {activation = #moe.activation<kind = silu>}
    : tensor<?x6xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<3x3x6xf32>, tensor<3x3x6xf32>, tensor<3x6x3xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// Vectors that lie at odd distances, one for each expert.
moe.weight @first : tensor<4xf32> = [#moe.slice<"first" in "m" at 1000 rows 4>]
moe.weight @second : tensor<4xf32> = [#moe.slice<"second" in "m" at 1018 rows 4>]
func.func @odd_distances(%x: tensor<?x6xf32> {moe.input = "x"}, %ids: tensor<?x1xi32> {moe.input = "ids"}, %s: tensor<?x1xf32> {moe.input = "s"}, %w: tensor<2x4x6xf32> {moe.input = "w"}, %d: tensor<2x6x4xf32> {moe.input = "d"}, %db: tensor<2x6xf32> {moe.input = "db"}) -> (tensor<?x6xf32> {moe.output = "y"}) {
  %a = moe.get_weight @first : tensor<4xf32>
  %b = moe.get_weight @second : tensor<4xf32>
  %a1 = tensor.expand_shape %a [[0, 1]] output_shape [1, 4] : tensor<4xf32> into tensor<1x4xf32>
  %b1 = tensor.expand_shape %b [[0, 1]] output_shape [1, 4] : tensor<4xf32> into tensor<1x4xf32>
  %all = tensor.concat dim(0) %a1, %b1 : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<2x4xf32>
  %y = moe.experts %x to %ids, %s with %w, %w, %d biases %all, %all, %db (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x6xf32>) {activation = #moe.activation<kind = silu>} : tensor<?x6xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x4x6xf32>, tensor<2x4x6xf32>, tensor<2x6x4xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// Heads of a projection that is stored [in, out].
moe.weight @heads : tensor<4x6xf32> = [#moe.slice<"heads" in "m" at 2000 rows 4>]
moe.weight @values : tensor<2x2x4xf32> = [#moe.slice<"values" in "m" at 3000 rows 2>]
func.func @split_heads(%q: tensor<?x6xf32> {moe.input = "q"}, %c: tensor<?x5xf32> {moe.input = "c"}, %n: tensor<?xi64> {moe.input = "n"}) -> (tensor<?x4xf32> {moe.output = "y"}) {
  %w = moe.get_weight @heads : tensor<4x6xf32>
  %v = moe.get_weight @values : tensor<2x2x4xf32>
  %e = tensor.empty() : tensor<6x4xf32>
  %turned = linalg.transpose ins(%w : tensor<4x6xf32>) outs(%e : tensor<6x4xf32>) permutation = [1, 0]
  %split = tensor.expand_shape %turned [[0, 1], [2]] output_shape [2, 3, 4] : tensor<6x4xf32> into tensor<2x3x4xf32>
  %k = tensor.extract_slice %split[0, 1, 0] [2, 2, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x2x4xf32>
  %y = moe.latent_attention %q across %c : tensor<?x5xf32> of %n with %k, %v {scale = 0.5 : f64} : tensor<?x6xf32>, tensor<2x2x4xf32>, tensor<2x2x4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
