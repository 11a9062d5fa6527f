// Keys and values that are parts of one product with a latent; keys that are not.
// RUN: moe-opt %s --moe-raise-latent-attention --split-input-file | FileCheck %s
// RUN: moe-opt %s --moe-raise-latent-attention --split-input-file --remark-format=emitRemark --remarks-filter=moe-raise-latent-attention \
// RUN:   -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

#repeat = affine_map<(b, t, h, d) -> (b, t, 0, d)>
#all = affine_map<(b, t, h, d) -> (b, t, h, d)>

// Two heads: of a key 2 columns come from the latent and 4 from the key that both share; of 5 rows of a head 3 are its value's.
// CHECK-LABEL: func.func @shared
// CHECK: %[[KEY_UP:.+]] = tensor.extract_slice %{{.*}}[0, 0, 0] [2, 2, 3] [1, 1, 1]
// CHECK: %[[VALUE_UP:.+]] = tensor.extract_slice %{{.*}}[0, 2, 0] [2, 3, 3] [1, 1, 1]
// CHECK: %[[LATENTS:.+]] = tensor.concat dim(1) %{{.*}}, %{{.*}} : (tensor<?x3xf32>, tensor<?x4xf32>) -> tensor<?x7xf32>
// CHECK: moe.latent_attention %{{.*}} across %[[LATENTS]] : tensor<?x7xf32> of %{{.*}} with %[[KEY_UP]], %[[VALUE_UP]] {scale = 5.000000e-01 : f64}
// CHECK-NOT: moe.attention
// REMARK: [Passed] moe-raise-latent-attention {{.*}}Function=shared{{.*}}2 heads, nope 2, latent 3, rope 4, value 3
func.func @shared(%q: tensor<?x?x12xf32> {moe.input = "q"}, %c: tensor<?x?x3xf32> {moe.input = "c"}, %pe: tensor<?x?x1x4xf32> {moe.input = "pe"},
                  %w: tensor<10x3xf32> {moe.input = "w"}) -> (tensor<?x6xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %c, %c0 : tensor<?x?x3xf32>
  %t = tensor.dim %c, %c1 : tensor<?x?x3xf32>
  %rows = tensor.collapse_shape %c [[0, 1], [2]] : tensor<?x?x3xf32> into tensor<?x3xf32>
  %kv = moe.linear %rows, %w : tensor<?x3xf32>, tensor<10x3xf32> -> tensor<?x10xf32>
  %heads = tensor.expand_shape %kv [[0, 1], [2, 3]] output_shape [%b, %t, 2, 5] : tensor<?x10xf32> into tensor<?x?x2x5xf32>
  %nope = tensor.extract_slice %heads[0, 0, 0, 0] [%b, %t, 2, 2] [1, 1, 1, 1] : tensor<?x?x2x5xf32> to tensor<?x?x2x2xf32>
  %value = tensor.extract_slice %heads[0, 0, 0, 2] [%b, %t, 2, 3] [1, 1, 1, 1] : tensor<?x?x2x5xf32> to tensor<?x?x2x3xf32>
  %empty = tensor.empty(%b, %t) : tensor<?x?x2x4xf32>
  %both = linalg.generic {indexing_maps = [#repeat, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%pe : tensor<?x?x1x4xf32>) outs(%empty : tensor<?x?x2x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<?x?x2x4xf32>
  %key = tensor.concat dim(3) %nope, %both : (tensor<?x?x2x2xf32>, tensor<?x?x2x4xf32>) -> tensor<?x?x2x6xf32>
  %k = tensor.collapse_shape %key [[0, 1], [2, 3]] : tensor<?x?x2x6xf32> into tensor<?x12xf32>
  %v = tensor.collapse_shape %value [[0, 1], [2, 3]] : tensor<?x?x2x3xf32> into tensor<?x6xf32>
  %query = tensor.collapse_shape %q [[0, 1], [2]] : tensor<?x?x12xf32> into tensor<?x12xf32>
  %length = arith.index_cast %t : index to i64
  %sequences = tensor.empty(%b) : tensor<?xi64>
  %lengths = linalg.fill ins(%length : i64) outs(%sequences : tensor<?xi64>) -> tensor<?xi64>
  %y = moe.attention %query across %k, %v : tensor<?x12xf32>, tensor<?x6xf32> of %lengths {head_dim = 6 : i64, scale = 0.5 : f64} : tensor<?x12xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

// The rest of a key is a head's own.
// CHECK-LABEL: func.func @own
// CHECK: moe.attention
// REMARK: [Missed] moe-raise-latent-attention {{.*}}Function=own{{.*}}the rest of its keys is not one that all heads share
func.func @own(%q: tensor<?x?x12xf32> {moe.input = "q"}, %c: tensor<?x?x3xf32> {moe.input = "c"}, %pe: tensor<?x?x2x4xf32> {moe.input = "pe"},
               %w: tensor<10x3xf32> {moe.input = "w"}) -> (tensor<?x6xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %c, %c0 : tensor<?x?x3xf32>
  %t = tensor.dim %c, %c1 : tensor<?x?x3xf32>
  %rows = tensor.collapse_shape %c [[0, 1], [2]] : tensor<?x?x3xf32> into tensor<?x3xf32>
  %kv = moe.linear %rows, %w : tensor<?x3xf32>, tensor<10x3xf32> -> tensor<?x10xf32>
  %heads = tensor.expand_shape %kv [[0, 1], [2, 3]] output_shape [%b, %t, 2, 5] : tensor<?x10xf32> into tensor<?x?x2x5xf32>
  %nope = tensor.extract_slice %heads[0, 0, 0, 0] [%b, %t, 2, 2] [1, 1, 1, 1] : tensor<?x?x2x5xf32> to tensor<?x?x2x2xf32>
  %value = tensor.extract_slice %heads[0, 0, 0, 2] [%b, %t, 2, 3] [1, 1, 1, 1] : tensor<?x?x2x5xf32> to tensor<?x?x2x3xf32>
  %key = tensor.concat dim(3) %nope, %pe : (tensor<?x?x2x2xf32>, tensor<?x?x2x4xf32>) -> tensor<?x?x2x6xf32>
  %k = tensor.collapse_shape %key [[0, 1], [2, 3]] : tensor<?x?x2x6xf32> into tensor<?x12xf32>
  %v = tensor.collapse_shape %value [[0, 1], [2, 3]] : tensor<?x?x2x3xf32> into tensor<?x6xf32>
  %query = tensor.collapse_shape %q [[0, 1], [2]] : tensor<?x?x12xf32> into tensor<?x12xf32>
  %length = arith.index_cast %t : index to i64
  %sequences = tensor.empty(%b) : tensor<?xi64>
  %lengths = linalg.fill ins(%length : i64) outs(%sequences : tensor<?xi64>) -> tensor<?xi64>
  %y = moe.attention %query across %k, %v : tensor<?x12xf32>, tensor<?x6xf32> of %lengths {head_dim = 6 : i64, scale = 0.5 : f64} : tensor<?x12xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}
