// Rotary embeddings in the spellings of exporters.
// RUN: moe-opt %s --moe-raise-rope --split-input-file | FileCheck %s
// RUN: moe-opt %s --moe-raise-rope --split-input-file --remark-format=emitRemark --remarks-filter=moe-raise-rope -o /dev/null 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK

#all = affine_map<(b, h, s, d) -> (b, h, s, d)>
#shared = affine_map<(b, h, s, d) -> (b, 0, s, d)>

// Two halves, two products each; two heads share the factors.
// CHECK-LABEL: func.func @halves
// CHECK: %[[Y:.+]] = moe.rope %{{.*}} by %{{.*}}, %{{.*}} : tensor<?x2xf32>, tensor<?x2xf32> {head_dim = 4 : i64, rotary = #moe.rotary<dims = 4, layout = half>} : tensor<?x8xf32>
// CHECK-NOT: arith.mulf
// REMARK: [Passed] moe-raise-rope {{.*}}Function=halves{{.*}}"a rotary embedding ", Remark="of halves"
func.func @halves(%x: tensor<?x2x?x4xf32> {moe.input = "x"}, %cos: tensor<?x1x?x2xf32> {moe.input = "cos"}, %sin: tensor<?x1x?x2xf32> {moe.input = "sin"}) -> (tensor<?x2x?x4xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %x, %c0 : tensor<?x2x?x4xf32>
  %s = tensor.dim %x, %c2 : tensor<?x2x?x4xf32>
  %out = tensor.empty(%b, %s) : tensor<?x2x?x2xf32>
  %x1 = tensor.extract_slice %x[0, 0, 0, 0] [%b, 2, %s, 2] [1, 1, 1, 1] : tensor<?x2x?x4xf32> to tensor<?x2x?x2xf32>
  %x2 = tensor.extract_slice %x[0, 0, 0, 2] [%b, 2, %s, 2] [1, 1, 1, 1] : tensor<?x2x?x4xf32> to tensor<?x2x?x2xf32>
  %c1 = linalg.generic {indexing_maps = [#all, #shared, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x1, %cos : tensor<?x2x?x2xf32>, tensor<?x1x?x2xf32>) outs(%out : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.mulf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %s2 = linalg.generic {indexing_maps = [#all, #shared, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x2, %sin : tensor<?x2x?x2xf32>, tensor<?x1x?x2xf32>) outs(%out : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.mulf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %first = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%c1, %s2 : tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>) outs(%out : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.subf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %c2x = linalg.generic {indexing_maps = [#all, #shared, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x2, %cos : tensor<?x2x?x2xf32>, tensor<?x1x?x2xf32>) outs(%out : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.mulf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %s1 = linalg.generic {indexing_maps = [#all, #shared, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x1, %sin : tensor<?x2x?x2xf32>, tensor<?x1x?x2xf32>) outs(%out : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.mulf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %second = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%c2x, %s1 : tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>) outs(%out : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.addf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %y = tensor.concat dim(3) %first, %second : (tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>) -> tensor<?x2x?x4xf32>
  return %y : tensor<?x2x?x4xf32>
}

// -----

#all = affine_map<(b, h, s, d) -> (b, h, s, d)>
#shared = affine_map<(b, h, s, d) -> (b, 0, s, d)>

// Both halves turn with a plus: a reflection, and no rotation.
// CHECK-LABEL: func.func @no_rotation
// CHECK-NOT: moe.rope
// CHECK: tensor.concat
// REMARK: [Missed] moe-raise-rope {{.*}}Function=no_rotation{{.*}}"the op that would take its place differs from it
func.func @no_rotation(%x: tensor<?x2x?x4xf32> {moe.input = "x"}, %cos: tensor<?x1x?x2xf32> {moe.input = "cos"}, %sin: tensor<?x1x?x2xf32> {moe.input = "sin"}) -> (tensor<?x2x?x4xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %x, %c0 : tensor<?x2x?x4xf32>
  %s = tensor.dim %x, %c2 : tensor<?x2x?x4xf32>
  %out = tensor.empty(%b, %s) : tensor<?x2x?x2xf32>
  %x1 = tensor.extract_slice %x[0, 0, 0, 0] [%b, 2, %s, 2] [1, 1, 1, 1] : tensor<?x2x?x4xf32> to tensor<?x2x?x2xf32>
  %x2 = tensor.extract_slice %x[0, 0, 0, 2] [%b, 2, %s, 2] [1, 1, 1, 1] : tensor<?x2x?x4xf32> to tensor<?x2x?x2xf32>
  %c1 = linalg.generic {indexing_maps = [#all, #shared, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x1, %cos : tensor<?x2x?x2xf32>, tensor<?x1x?x2xf32>) outs(%out : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.mulf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %s2 = linalg.generic {indexing_maps = [#all, #shared, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x2, %sin : tensor<?x2x?x2xf32>, tensor<?x1x?x2xf32>) outs(%out : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.mulf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %first = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%c1, %s2 : tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>) outs(%out : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.subf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %c2x = linalg.generic {indexing_maps = [#all, #shared, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x2, %cos : tensor<?x2x?x2xf32>, tensor<?x1x?x2xf32>) outs(%out : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.mulf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %s1 = linalg.generic {indexing_maps = [#all, #shared, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x1, %sin : tensor<?x2x?x2xf32>, tensor<?x1x?x2xf32>) outs(%out : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.mulf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %second = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%c2x, %s1 : tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>) outs(%out : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.subf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %y = tensor.concat dim(3) %first, %second : (tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>) -> tensor<?x2x?x4xf32>
  return %y : tensor<?x2x?x4xf32>
}

// -----

#all = affine_map<(b, h, s, d) -> (b, h, s, d)>
#shared = affine_map<(b, h, s, d) -> (b, 0, s, d)>

// Factors twice as wide, of which both halves are alike, and a half negated.
// CHECK-LABEL: func.func @rotate_half
// CHECK: moe.rope %{{.*}} by %{{.*}}, %{{.*}} : tensor<?x2xf32>, tensor<?x2xf32> {head_dim = 4 : i64, rotary = #moe.rotary<dims = 4, layout = half>} : tensor<?x8xf32>
// CHECK-NOT: arith.mulf
// REMARK: [Passed] moe-raise-rope {{.*}}Function=rotate_half
func.func @rotate_half(%x: tensor<?x2x?x4xf32> {moe.input = "x"}, %cos: tensor<?x1x?x2xf32> {moe.input = "cos"}, %sin: tensor<?x1x?x2xf32> {moe.input = "sin"}) -> (tensor<?x2x?x4xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %x, %c0 : tensor<?x2x?x4xf32>
  %s = tensor.dim %x, %c2 : tensor<?x2x?x4xf32>
  %half = tensor.empty(%b, %s) : tensor<?x2x?x2xf32>
  %out = tensor.empty(%b, %s) : tensor<?x2x?x4xf32>
  %x1 = tensor.extract_slice %x[0, 0, 0, 0] [%b, 2, %s, 2] [1, 1, 1, 1] : tensor<?x2x?x4xf32> to tensor<?x2x?x2xf32>
  %x2 = tensor.extract_slice %x[0, 0, 0, 2] [%b, 2, %s, 2] [1, 1, 1, 1] : tensor<?x2x?x4xf32> to tensor<?x2x?x2xf32>
  %negated = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x2 : tensor<?x2x?x2xf32>) outs(%half : tensor<?x2x?x2xf32>) {
  ^bb0(%l: f32, %o: f32):
    %v = arith.negf %l : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x2xf32>
  %turned = tensor.concat dim(3) %negated, %x1 : (tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>) -> tensor<?x2x?x4xf32>
  %cos2 = tensor.concat dim(3) %cos, %cos : (tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>) -> tensor<?x1x?x4xf32>
  %sin2 = tensor.concat dim(3) %sin, %sin : (tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>) -> tensor<?x1x?x4xf32>
  %a = linalg.generic {indexing_maps = [#all, #shared, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x, %cos2 : tensor<?x2x?x4xf32>, tensor<?x1x?x4xf32>) outs(%out : tensor<?x2x?x4xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.mulf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x4xf32>
  %t = linalg.generic {indexing_maps = [#all, #shared, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%turned, %sin2 : tensor<?x2x?x4xf32>, tensor<?x1x?x4xf32>) outs(%out : tensor<?x2x?x4xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.mulf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x4xf32>
  %y = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%a, %t : tensor<?x2x?x4xf32>, tensor<?x2x?x4xf32>) outs(%out : tensor<?x2x?x4xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %v = arith.addf %l, %r : f32
    linalg.yield %v : f32
  } -> tensor<?x2x?x4xf32>
  return %y : tensor<?x2x?x4xf32>
}
