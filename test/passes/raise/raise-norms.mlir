// Norms in the spellings of exporters.
// RUN: moe-opt %s --moe-raise-norms | FileCheck %s
// RUN: moe-opt %s --moe-raise-norms --remark-format=emitRemark --remarks-filter=moe-raise-norms -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

#all = affine_map<(b, s, d) -> (b, s, d)>
#row = affine_map<(b, s, d) -> (b, s)>
#one = affine_map<(b, s, d) -> (b, s, 0)>
#last = affine_map<(b, s, d) -> (d)>

moe.weight @w : tensor<4xf32> = [#moe.slice<"w" in "m" at 0 rows 4>]

// The root of the mean of squares, of which the reciprocal is taken, and the weight last.
// CHECK-LABEL: func.func @reciprocal
// CHECK: %[[W:.+]] = moe.get_weight @w
// CHECK: moe.rms_norm %{{.*}}, %[[W]] {epsilon = 1.000000e-05 : f64} : tensor<?x4xf32>, tensor<4xf32>
// CHECK-NOT: math.
// REMARK: [Passed] moe-raise-norms {{.*}}Function=reciprocal{{.*}}"a norm with epsilon 1.00e-05"
func.func @reciprocal(%x: tensor<?x?x4xf32> {moe.input = "x"}) -> (tensor<?x?x4xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %x, %c0 : tensor<?x?x4xf32>
  %s = tensor.dim %x, %c1 : tensor<?x?x4xf32>
  %w = moe.get_weight @w : tensor<4xf32>
  %e = tensor.empty(%b, %s) : tensor<?x?xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %sum = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<?x?x4xf32>) outs(%zeros : tensor<?x?xf32>) {
  ^bb0(%v: f32, %o: f32):
    %square = arith.mulf %v, %v : f32
    %next = arith.addf %o, %square : f32
    linalg.yield %next : f32
  } -> tensor<?x?xf32>
  %column = tensor.expand_shape %sum [[0], [1, 2]] output_shape [%b, %s, 1] : tensor<?x?xf32> into tensor<?x?x1xf32>
  %e1 = tensor.empty(%b, %s) : tensor<?x?x1xf32>
  %root = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel"]} ins(%column : tensor<?x?x1xf32>) outs(%e1 : tensor<?x?x1xf32>) {
  ^bb0(%v: f32, %o: f32):
    %four = arith.constant 4.0 : f32
    %epsilon = arith.constant 1.0e-05 : f32
    %one = arith.constant 1.0 : f32
    %mean = arith.divf %v, %four : f32
    %more = arith.addf %mean, %epsilon : f32
    %r = math.sqrt %more : f32
    %q = arith.divf %one, %r : f32
    linalg.yield %q : f32
  } -> tensor<?x?x1xf32>
  %e2 = tensor.empty(%b, %s) : tensor<?x?x4xf32>
  %n = linalg.generic {indexing_maps = [#all, #one, #all], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %root : tensor<?x?x4xf32>, tensor<?x?x1xf32>) outs(%e2 : tensor<?x?x4xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    linalg.yield %p : f32
  } -> tensor<?x?x4xf32>
  %y = linalg.generic {indexing_maps = [#last, #all, #all], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w, %n : tensor<4xf32>, tensor<?x?x4xf32>) outs(%e2 : tensor<?x?x4xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    linalg.yield %p : f32
  } -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// The root of the sum, not of the mean: no norm.
// CHECK-LABEL: func.func @of_sum
// CHECK-NOT: moe.rms_norm
// CHECK: math.rsqrt
// REMARK: [Missed] moe-raise-norms {{.*}}Function=of_sum{{.*}}"a quotient by a root of a sum stays as it is: "
func.func @of_sum(%x: tensor<?x4xf32> {moe.input = "x"}) -> (tensor<?x4xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %w = moe.get_weight @w : tensor<4xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x4xf32>) outs(%zeros : tensor<?xf32>) {
  ^bb0(%v: f32, %o: f32):
    %square = arith.mulf %v, %v : f32
    %next = arith.addf %o, %square : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  %root = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%sum : tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%v: f32, %o: f32):
    %epsilon = arith.constant 1.0e-05 : f32
    %more = arith.addf %v, %epsilon : f32
    %r = math.rsqrt %more : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %e2 = tensor.empty(%n) : tensor<?x4xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x, %root : tensor<?x4xf32>, tensor<?xf32>) outs(%e2 : tensor<?x4xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    linalg.yield %p : f32
  } -> tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%w, %m : tensor<4xf32>, tensor<?x4xf32>) outs(%e2 : tensor<?x4xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    linalg.yield %p : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
#j = affine_map<(i, j) -> (j)>

// Of what is left without the mean, and nothing is added.
// CHECK-LABEL: func.func @centred
// CHECK-SAME: (%[[X:.+]]: tensor<?x4xf32>
// CHECK: %[[W:.+]] = moe.get_weight @w
// CHECK: moe.layer_norm %[[X]], %[[W]] {epsilon = 1.000000e-05 : f64} : tensor<?x4xf32>, tensor<4xf32>
// CHECK-NOT: math.
// REMARK: [Passed] moe-raise-norms {{.*}}Function=centred{{.*}}"a norm with epsilon 1.00e-05"
func.func @centred(%x: tensor<?x4xf32> {moe.input = "x"}) -> (tensor<?x4xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %w = moe.get_weight @w : tensor<4xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %e2 = tensor.empty(%n) : tensor<?x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<?x4xf32>) outs(%zeros : tensor<?xf32>) {
  ^bb0(%v: f32, %o: f32):
    %next = arith.addf %o, %v : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  %left = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]} ins(%x, %sum : tensor<?x4xf32>, tensor<?xf32>) outs(%e2 : tensor<?x4xf32>) {
  ^bb0(%v: f32, %s: f32, %o: f32):
    %four = arith.constant 4.0 : f32
    %mean = arith.divf %s, %four : f32
    %d = arith.subf %v, %mean : f32
    linalg.yield %d : f32
  } -> tensor<?x4xf32>
  %squares = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]} ins(%left : tensor<?x4xf32>) outs(%zeros : tensor<?xf32>) {
  ^bb0(%v: f32, %o: f32):
    %square = arith.mulf %v, %v : f32
    %next = arith.addf %o, %square : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  %root = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%squares : tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%v: f32, %o: f32):
    %four = arith.constant 4.0 : f32
    %epsilon = arith.constant 1.0e-05 : f32
    %variance = arith.divf %v, %four : f32
    %more = arith.addf %variance, %epsilon : f32
    %r = math.rsqrt %more : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %m = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]} ins(%left, %root : tensor<?x4xf32>, tensor<?xf32>) outs(%e2 : tensor<?x4xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    linalg.yield %p : f32
  } -> tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [#j, #ij, #ij], iterator_types = ["parallel", "parallel"]} ins(%w, %m : tensor<4xf32>, tensor<?x4xf32>) outs(%e2 : tensor<?x4xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    linalg.yield %p : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
