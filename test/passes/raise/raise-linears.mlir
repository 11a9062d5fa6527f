// Products of rows with weights.
// RUN: moe-opt %s --moe-raise-linears | FileCheck %s
// RUN: moe-opt %s --check-passes --moe-raise-linears -o /dev/null
// RUN: moe-opt %s --moe-raise-linears --remark-format=emitRemark --remarks-filter=moe-raise-linears -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

moe.weight @w : tensor<3x6xf32> = [#moe.slice<"w" in "m" at 0 rows 3>]
moe.weight @stored : tensor<6x3xf32> = [#moe.slice<"stored" in "m" at 72 rows 6>]

// CHECK-LABEL: func.func @transposed
// CHECK: %[[W:.+]] = moe.get_weight @w
// CHECK: %[[Y:.+]] = moe.linear %arg0, %[[W]] : tensor<?x6xf32>, tensor<3x6xf32> -> tensor<?x3xf32>
// CHECK: return %[[Y]]
func.func @transposed(%x: tensor<?x6xf32> {moe.input = "x"}) -> (tensor<?x3xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %w = moe.get_weight @w : tensor<3x6xf32>
  %empty = tensor.empty() : tensor<6x3xf32>
  %turned = linalg.transpose ins(%w : tensor<3x6xf32>) outs(%empty : tensor<6x3xf32>) permutation = [1, 0]
  %e = tensor.empty(%n) : tensor<?x3xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x3xf32>) -> tensor<?x3xf32>
  %y = linalg.matmul ins(%x, %turned : tensor<?x6xf32>, tensor<6x3xf32>) outs(%z : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// Stored [in, out], and rows whose number is known.
// CHECK-LABEL: func.func @stored_in_out
// CHECK: %[[W:.+]] = moe.get_weight @stored
// CHECK: %[[TURNED:.+]] = linalg.transpose ins(%[[W]] : tensor<6x3xf32>)
// CHECK: %[[ROWS:.+]] = tensor.cast %arg0 : tensor<4x6xf32> to tensor<?x6xf32>
// CHECK: %[[Y:.+]] = moe.linear %[[ROWS]], %[[TURNED]] : tensor<?x6xf32>, tensor<3x6xf32> -> tensor<?x3xf32>
// CHECK: tensor.cast %[[Y]] : tensor<?x3xf32> to tensor<4x3xf32>
func.func @stored_in_out(%x: tensor<4x6xf32> {moe.input = "x"}) -> (tensor<4x3xf32> {moe.output = "y"}) {
  %zero = arith.constant 0.0 : f32
  %w = moe.get_weight @stored : tensor<6x3xf32>
  %e = tensor.empty() : tensor<4x3xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<4x3xf32>) -> tensor<4x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x3xf32>) outs(%z : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// A sum that begins with something, and a factor that is computed, are no moe.linear.
// CHECK-LABEL: func.func @not
// CHECK-COUNT-2: linalg.matmul
func.func @not(%x: tensor<4x6xf32> {moe.input = "x"}, %b: tensor<4x3xf32> {moe.input = "b"}, %f: tensor<6x3xf32> {moe.input = "f"})
    -> (tensor<4x3xf32> {moe.output = "y"}, tensor<4x3xf32> {moe.output = "z"}) {
  %zero = arith.constant 0.0 : f32
  %w = moe.get_weight @stored : tensor<6x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x3xf32>) outs(%b : tensor<4x3xf32>) -> tensor<4x3xf32>
  %e = tensor.empty() : tensor<4x3xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x3xf32>) -> tensor<4x3xf32>
  %z = linalg.matmul ins(%x, %f : tensor<4x6xf32>, tensor<6x3xf32>) outs(%zeros : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %y, %z : tensor<4x3xf32>, tensor<4x3xf32>
}

// A vector that is added to rows in another shape.
// CHECK-LABEL: func.func @bias
// CHECK: %[[B:.+]] = arith.constant dense
// CHECK: %[[Y:.+]] = moe.linear %arg0, %{{.*}} bias %[[B]](tensor<3xf32>)
// CHECK-NOT: arith.addf
func.func @bias(%x: tensor<?x6xf32> {moe.input = "x"}) -> (tensor<?x1x3xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %w = moe.get_weight @w : tensor<3x6xf32>
  %l = moe.linear %x, %w : tensor<?x6xf32>, tensor<3x6xf32> -> tensor<?x3xf32>
  %rows = tensor.expand_shape %l [[0], [1, 2]] output_shape [%n, 1, 3] : tensor<?x3xf32> into tensor<?x1x3xf32>
  %b = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %e = tensor.empty(%n) : tensor<?x1x3xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (k)>, affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%b, %rows : tensor<3xf32>, tensor<?x1x3xf32>) outs(%e : tensor<?x1x3xf32>) {
  ^bb0(%l1: f32, %r: f32, %o: f32):
    %v = arith.addf %l1, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x1x3xf32>
  return %y : tensor<?x1x3xf32>
}

// A vector that is added to rows in a branch alone stays there, and where a vector of the function is added, product and sum are in
// one branch.
// CHECK-LABEL: func.func @branches
// CHECK: %[[L:.+]] = moe.linear %arg0, %{{[^ ]+}} :
// CHECK: scf.if
// CHECK: arith.addf
// CHECK: moe.linear %{{.*}} bias
// CHECK: else
// REMARK: [Missed] moe-raise-linears {{.*}}"a vector stays beside a product: it is added in another block than the product"
func.func @branches(%x: tensor<?x6xf32> {moe.input = "x"}) -> (tensor<?x3xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %c = arith.cmpi sgt, %n, %c0 : index
  %w = moe.get_weight @w : tensor<3x6xf32>
  %b = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %l = moe.linear %x, %w : tensor<?x6xf32>, tensor<3x6xf32> -> tensor<?x3xf32>
  %e = tensor.empty(%n) : tensor<?x3xf32>
  %y = scf.if %c -> tensor<?x3xf32> {
    %d = arith.constant dense<[4.0, 5.0, 6.0]> : tensor<3xf32>
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%d, %l : tensor<3xf32>, tensor<?x3xf32>) outs(%e : tensor<?x3xf32>) {
    ^bb0(%p: f32, %r: f32, %o: f32):
      %v = arith.addf %p, %r : f32
      linalg.yield %v : f32
    } -> tensor<?x3xf32>
    %m = moe.linear %x, %w : tensor<?x6xf32>, tensor<3x6xf32> -> tensor<?x3xf32>
    %t = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%b, %m : tensor<3xf32>, tensor<?x3xf32>) outs(%e : tensor<?x3xf32>) {
    ^bb0(%p: f32, %r: f32, %o: f32):
      %v = arith.addf %p, %r : f32
      linalg.yield %v : f32
    } -> tensor<?x3xf32>
    %u = linalg.add ins(%s, %t : tensor<?x3xf32>, tensor<?x3xf32>) outs(%e : tensor<?x3xf32>) -> tensor<?x3xf32>
    scf.yield %u : tensor<?x3xf32>
  } else {
    scf.yield %e : tensor<?x3xf32>
  }
  return %y : tensor<?x3xf32>
}
