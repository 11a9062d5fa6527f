// Attention as products, masks and a softmax.
// RUN: moe-opt %s --moe-raise-attention --split-input-file | FileCheck %s
// RUN: moe-opt %s --moe-raise-attention --split-input-file --remark-format=emitRemark --remarks-filter=moe-raise-attention \
// RUN:   -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

#all = affine_map<(b, h, s, t) -> (b, h, s, t)>
#mask = affine_map<(b, h, s, t) -> (b, 0, s, t)>
#one = affine_map<(b, h, s, t) -> (b, h, s, 0)>
#row = affine_map<(b, h, s, t) -> (b, h, s)>
#scalar = affine_map<(b, h, s, t) -> ()>
#left = affine_map<(b, h, s, t, d) -> (b, h, s, d)>
#right = affine_map<(b, h, s, t, d) -> (b, h, t, d)>
#values = affine_map<(b, h, s, t, d) -> (b, h, d, t)>
#result = affine_map<(b, h, s, t, d) -> (b, h, s, t)>

// A mask that is added, and the largest score subtracted.
// CHECK-LABEL: func.func @softmax
// CHECK: %[[BIAS:.+]] = tensor.expand_shape %arg3
// CHECK: moe.attention %{{.*}} across %{{.*}}, %{{.*}} : tensor<?x8xf32>, tensor<?x6xf32> of %{{.*}} bias %[[BIAS]] : tensor<?x1x?x?xf32> {head_dim = 4 : i64, scale = 5.000000e-01 : f64} : tensor<?x8xf32> -> tensor<?x6xf32>
// CHECK-NOT: math.exp
// REMARK: [Passed] moe-raise-attention {{.*}}Function=softmax{{.*}}scale 0.5000, a bias
func.func @softmax(%q: tensor<?x2x?x4xf32> {moe.input = "q"}, %k: tensor<?x2x?x4xf32> {moe.input = "k"}, %v: tensor<?x2x?x3xf32> {moe.input = "v"}, %mask: tensor<?x1x?x?xf32> {moe.input = "mask"}) -> (tensor<?x2x?x3xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %scale = arith.constant dense<0.5> : tensor<f32>
  %b = tensor.dim %q, %c0 : tensor<?x2x?x4xf32>
  %s = tensor.dim %q, %c2 : tensor<?x2x?x4xf32>
  %t = tensor.dim %k, %c2 : tensor<?x2x?x4xf32>
  %square = tensor.empty(%b, %s, %t) : tensor<?x2x?x?xf32>
  %rows = tensor.empty(%b, %s) : tensor<?x2x?xf32>
  %result = tensor.empty(%b, %s) : tensor<?x2x?x3xf32>
  %none = linalg.fill ins(%zero : f32) outs(%square : tensor<?x2x?x?xf32>) -> tensor<?x2x?x?xf32>
  %least = linalg.fill ins(%lowest : f32) outs(%rows : tensor<?x2x?xf32>) -> tensor<?x2x?xf32>
  %nothing = linalg.fill ins(%zero : f32) outs(%rows : tensor<?x2x?xf32>) -> tensor<?x2x?xf32>
  %empty = linalg.fill ins(%zero : f32) outs(%result : tensor<?x2x?x3xf32>) -> tensor<?x2x?x3xf32>
  %scores = linalg.generic {indexing_maps = [#left, #right, #result], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%q, %k : tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) outs(%none : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %e = arith.addf %o, %p : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %scaled = linalg.generic {indexing_maps = [#all, #scalar, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%scores, %scale : tensor<?x2x?x?xf32>, tensor<f32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %e = arith.mulf %l, %r : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %masked = linalg.generic {indexing_maps = [#all, #mask, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%scaled, %mask : tensor<?x2x?x?xf32>, tensor<?x1x?x?xf32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %e = arith.addf %l, %r : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %largest = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%masked : tensor<?x2x?x?xf32>) outs(%least : tensor<?x2x?xf32>) {
  ^bb0(%l: f32, %o: f32):
    %e = arith.maximumf %l, %o : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?xf32>
  %most = tensor.expand_shape %largest [[0], [1], [2, 3]] output_shape [%b, 2, %s, 1] : tensor<?x2x?xf32> into tensor<?x2x?x1xf32>
  %shifted = linalg.generic {indexing_maps = [#all, #one, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%masked, %most : tensor<?x2x?x?xf32>, tensor<?x2x?x1xf32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %e = arith.subf %l, %r : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %powers = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%shifted : tensor<?x2x?x?xf32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %o: f32):
    %e = math.exp %l : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %sums = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%powers : tensor<?x2x?x?xf32>) outs(%nothing : tensor<?x2x?xf32>) {
  ^bb0(%l: f32, %o: f32):
    %e = arith.addf %o, %l : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?xf32>
  %total = tensor.expand_shape %sums [[0], [1], [2, 3]] output_shape [%b, 2, %s, 1] : tensor<?x2x?xf32> into tensor<?x2x?x1xf32>
  %weights = linalg.generic {indexing_maps = [#all, #one, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%powers, %total : tensor<?x2x?x?xf32>, tensor<?x2x?x1xf32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %e = arith.divf %l, %r : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %y = linalg.generic {indexing_maps = [#left, #values, #result], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%weights, %v : tensor<?x2x?x?xf32>, tensor<?x2x?x3xf32>) outs(%empty : tensor<?x2x?x3xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %e = arith.addf %o, %p : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x3xf32>
  return %y : tensor<?x2x?x3xf32>
}

// -----

#all = affine_map<(b, h, s, t) -> (b, h, s, t)>
#mask = affine_map<(b, h, s, t) -> (b, 0, s, t)>
#one = affine_map<(b, h, s, t) -> (b, h, s, 0)>
#row = affine_map<(b, h, s, t) -> (b, h, s)>
#scalar = affine_map<(b, h, s, t) -> ()>
#left = affine_map<(b, h, s, t, d) -> (b, h, s, d)>
#right = affine_map<(b, h, s, t, d) -> (b, h, t, d)>
#values = affine_map<(b, h, s, t, d) -> (b, h, d, t)>
#result = affine_map<(b, h, s, t, d) -> (b, h, s, t)>

// A mask that chooses: what it makes of scores of zero is the bias.
// CHECK-LABEL: func.func @hidden
// CHECK: arith.select
// CHECK: moe.attention {{.*}} bias %{{.*}} : tensor<?x2x?x?xf32> {head_dim = 4 : i64, scale = 5.000000e-01 : f64}
// CHECK-NOT: math.exp
// REMARK: [Passed] moe-raise-attention {{.*}}Function=hidden{{.*}}scale 0.5000, a bias
func.func @hidden(%q: tensor<?x2x?x4xf32> {moe.input = "q"}, %k: tensor<?x2x?x4xf32> {moe.input = "k"}, %v: tensor<?x2x?x3xf32> {moe.input = "v"}, %mask: tensor<?x1x?x?xi1> {moe.input = "mask"}) -> (tensor<?x2x?x3xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %scale = arith.constant dense<0.5> : tensor<f32>
  %b = tensor.dim %q, %c0 : tensor<?x2x?x4xf32>
  %s = tensor.dim %q, %c2 : tensor<?x2x?x4xf32>
  %t = tensor.dim %k, %c2 : tensor<?x2x?x4xf32>
  %square = tensor.empty(%b, %s, %t) : tensor<?x2x?x?xf32>
  %rows = tensor.empty(%b, %s) : tensor<?x2x?xf32>
  %result = tensor.empty(%b, %s) : tensor<?x2x?x3xf32>
  %none = linalg.fill ins(%zero : f32) outs(%square : tensor<?x2x?x?xf32>) -> tensor<?x2x?x?xf32>
  %least = linalg.fill ins(%lowest : f32) outs(%rows : tensor<?x2x?xf32>) -> tensor<?x2x?xf32>
  %nothing = linalg.fill ins(%zero : f32) outs(%rows : tensor<?x2x?xf32>) -> tensor<?x2x?xf32>
  %empty = linalg.fill ins(%zero : f32) outs(%result : tensor<?x2x?x3xf32>) -> tensor<?x2x?x3xf32>
  %scores = linalg.generic {indexing_maps = [#left, #right, #result], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%q, %k : tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) outs(%none : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %e = arith.addf %o, %p : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %scaled = linalg.generic {indexing_maps = [#all, #scalar, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%scores, %scale : tensor<?x2x?x?xf32>, tensor<f32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %e = arith.mulf %l, %r : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %masked = linalg.generic {indexing_maps = [#all, #mask, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%scaled, %mask : tensor<?x2x?x?xf32>, tensor<?x1x?x?xi1>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: i1, %o: f32):
    %hidden = arith.constant -3.40282347E+38 : f32
    %e = arith.select %r, %l, %hidden : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %largest = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%masked : tensor<?x2x?x?xf32>) outs(%least : tensor<?x2x?xf32>) {
  ^bb0(%l: f32, %o: f32):
    %e = arith.maximumf %l, %o : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?xf32>
  %most = tensor.expand_shape %largest [[0], [1], [2, 3]] output_shape [%b, 2, %s, 1] : tensor<?x2x?xf32> into tensor<?x2x?x1xf32>
  %shifted = linalg.generic {indexing_maps = [#all, #one, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%masked, %most : tensor<?x2x?x?xf32>, tensor<?x2x?x1xf32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %e = arith.subf %l, %r : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %powers = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%shifted : tensor<?x2x?x?xf32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %o: f32):
    %e = math.exp %l : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %sums = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%powers : tensor<?x2x?x?xf32>) outs(%nothing : tensor<?x2x?xf32>) {
  ^bb0(%l: f32, %o: f32):
    %e = arith.addf %o, %l : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?xf32>
  %total = tensor.expand_shape %sums [[0], [1], [2, 3]] output_shape [%b, 2, %s, 1] : tensor<?x2x?xf32> into tensor<?x2x?x1xf32>
  %weights = linalg.generic {indexing_maps = [#all, #one, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%powers, %total : tensor<?x2x?x?xf32>, tensor<?x2x?x1xf32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %e = arith.divf %l, %r : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %y = linalg.generic {indexing_maps = [#left, #values, #result], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%weights, %v : tensor<?x2x?x?xf32>, tensor<?x2x?x3xf32>) outs(%empty : tensor<?x2x?x3xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %e = arith.addf %o, %p : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x3xf32>
  return %y : tensor<?x2x?x3xf32>
}

// -----

#all = affine_map<(b, h, s, t) -> (b, h, s, t)>
#mask = affine_map<(b, h, s, t) -> (b, 0, s, t)>
#one = affine_map<(b, h, s, t) -> (b, h, s, 0)>
#row = affine_map<(b, h, s, t) -> (b, h, s)>
#scalar = affine_map<(b, h, s, t) -> ()>
#left = affine_map<(b, h, s, t, d) -> (b, h, s, d)>
#right = affine_map<(b, h, s, t, d) -> (b, h, t, d)>
#values = affine_map<(b, h, s, t, d) -> (b, h, d, t)>
#result = affine_map<(b, h, s, t, d) -> (b, h, s, t)>

// Powers of two are no softmax.
// CHECK-LABEL: func.func @powers_of_two
// CHECK-NOT: moe.attention
// CHECK: math.exp2
// REMARK-NOT: {{.*}}Function=powers_of_two
func.func @powers_of_two(%q: tensor<?x2x?x4xf32> {moe.input = "q"}, %k: tensor<?x2x?x4xf32> {moe.input = "k"}, %v: tensor<?x2x?x3xf32> {moe.input = "v"}, %mask: tensor<?x1x?x?xf32> {moe.input = "mask"}) -> (tensor<?x2x?x3xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %scale = arith.constant dense<0.5> : tensor<f32>
  %b = tensor.dim %q, %c0 : tensor<?x2x?x4xf32>
  %s = tensor.dim %q, %c2 : tensor<?x2x?x4xf32>
  %t = tensor.dim %k, %c2 : tensor<?x2x?x4xf32>
  %square = tensor.empty(%b, %s, %t) : tensor<?x2x?x?xf32>
  %rows = tensor.empty(%b, %s) : tensor<?x2x?xf32>
  %result = tensor.empty(%b, %s) : tensor<?x2x?x3xf32>
  %none = linalg.fill ins(%zero : f32) outs(%square : tensor<?x2x?x?xf32>) -> tensor<?x2x?x?xf32>
  %least = linalg.fill ins(%lowest : f32) outs(%rows : tensor<?x2x?xf32>) -> tensor<?x2x?xf32>
  %nothing = linalg.fill ins(%zero : f32) outs(%rows : tensor<?x2x?xf32>) -> tensor<?x2x?xf32>
  %empty = linalg.fill ins(%zero : f32) outs(%result : tensor<?x2x?x3xf32>) -> tensor<?x2x?x3xf32>
  %scores = linalg.generic {indexing_maps = [#left, #right, #result], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%q, %k : tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) outs(%none : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %e = arith.addf %o, %p : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %scaled = linalg.generic {indexing_maps = [#all, #scalar, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%scores, %scale : tensor<?x2x?x?xf32>, tensor<f32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %e = arith.mulf %l, %r : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %masked = linalg.generic {indexing_maps = [#all, #mask, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%scaled, %mask : tensor<?x2x?x?xf32>, tensor<?x1x?x?xf32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %e = arith.addf %l, %r : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %largest = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%masked : tensor<?x2x?x?xf32>) outs(%least : tensor<?x2x?xf32>) {
  ^bb0(%l: f32, %o: f32):
    %e = arith.maximumf %l, %o : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?xf32>
  %most = tensor.expand_shape %largest [[0], [1], [2, 3]] output_shape [%b, 2, %s, 1] : tensor<?x2x?xf32> into tensor<?x2x?x1xf32>
  %shifted = linalg.generic {indexing_maps = [#all, #one, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%masked, %most : tensor<?x2x?x?xf32>, tensor<?x2x?x1xf32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %e = arith.subf %l, %r : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %powers = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%shifted : tensor<?x2x?x?xf32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %o: f32):
    %e = math.exp2 %l : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %sums = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%powers : tensor<?x2x?x?xf32>) outs(%nothing : tensor<?x2x?xf32>) {
  ^bb0(%l: f32, %o: f32):
    %e = arith.addf %o, %l : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?xf32>
  %total = tensor.expand_shape %sums [[0], [1], [2, 3]] output_shape [%b, 2, %s, 1] : tensor<?x2x?xf32> into tensor<?x2x?x1xf32>
  %weights = linalg.generic {indexing_maps = [#all, #one, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%powers, %total : tensor<?x2x?x?xf32>, tensor<?x2x?x1xf32>) outs(%square : tensor<?x2x?x?xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %e = arith.divf %l, %r : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x?xf32>
  %y = linalg.generic {indexing_maps = [#left, #values, #result], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%weights, %v : tensor<?x2x?x?xf32>, tensor<?x2x?x3xf32>) outs(%empty : tensor<?x2x?x3xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %e = arith.addf %o, %p : f32
    linalg.yield %e : f32
  } -> tensor<?x2x?x3xf32>
  return %y : tensor<?x2x?x3xf32>
}
