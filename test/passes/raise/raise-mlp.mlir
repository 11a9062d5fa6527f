// Gated MLPs between products with weights.
// RUN: moe-opt %s --moe-raise-mlp | FileCheck %s
// RUN: moe-opt %s --check-passes --moe-raise-mlp -o /dev/null
// RUN: moe-opt %s --moe-raise-mlp --remark-format=emitRemark --remarks-filter=moe-raise-mlp -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

#all = affine_map<(i, j) -> (i, j)>

moe.weight @a : tensor<6x4xf32> = [#moe.slice<"a" in "m" at 0 rows 6>]
moe.weight @b : tensor<6x4xf32> = [#moe.slice<"b" in "m" at 96 rows 6>]
moe.weight @down : tensor<4x6xf32> = [#moe.slice<"down" in "m" at 192 rows 4>]

// The second product is the gate.
// CHECK-LABEL: func.func @silu
// CHECK: %[[A:.+]] = moe.get_weight @a
// CHECK: %[[B:.+]] = moe.get_weight @b
// CHECK: %[[DOWN:.+]] = moe.get_weight @down
// CHECK: %[[Y:.+]] = moe.gated_mlp %arg0, %[[B]], %[[A]], %[[DOWN]] {activation = #moe.activation<kind = silu>}
// CHECK-NEXT: return %[[Y]]
// REMARK: [Passed] moe-raise-mlp {{.*}}Function=silu{{.*}}"a gated MLP with ", Remark=silu
func.func @silu(%x: tensor<?x4xf32> {moe.input = "x"}) -> (tensor<?x4xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %a = moe.get_weight @a : tensor<6x4xf32>
  %b = moe.get_weight @b : tensor<6x4xf32>
  %down = moe.get_weight @down : tensor<4x6xf32>
  %u = moe.linear %x, %a : tensor<?x4xf32>, tensor<6x4xf32> -> tensor<?x6xf32>
  %g = moe.linear %x, %b : tensor<?x4xf32>, tensor<6x4xf32> -> tensor<?x6xf32>
  %n = tensor.dim %g, %c0 : tensor<?x6xf32>
  %e = tensor.empty(%n) : tensor<?x6xf32>
  %h = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel"]} ins(%g, %u : tensor<?x6xf32>, tensor<?x6xf32>) outs(%e : tensor<?x6xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %negated = arith.negf %l : f32
    %power = math.exp %negated : f32
    %sum = arith.addf %power, %one : f32
    %sigmoid = arith.divf %one, %sum : f32
    %s = arith.mulf %l, %sigmoid : f32
    %p = arith.mulf %s, %r : f32
    linalg.yield %p : f32
  } -> tensor<?x6xf32>
  %y = moe.linear %h, %down : tensor<?x6xf32>, tensor<4x6xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// A sum of both is no gate.
// CHECK-LABEL: func.func @sum
// CHECK-NOT: moe.gated_mlp
// REMARK: [Missed] moe-raise-mlp {{.*}}Function=sum{{.*}}"two products that a third takes stay as they are: "
func.func @sum(%x: tensor<?x4xf32> {moe.input = "x"}) -> (tensor<?x4xf32> {moe.output = "y"}) {
  %a = moe.get_weight @a : tensor<6x4xf32>
  %b = moe.get_weight @b : tensor<6x4xf32>
  %down = moe.get_weight @down : tensor<4x6xf32>
  %u = moe.linear %x, %a : tensor<?x4xf32>, tensor<6x4xf32> -> tensor<?x6xf32>
  %g = moe.linear %x, %b : tensor<?x4xf32>, tensor<6x4xf32> -> tensor<?x6xf32>
  %h = arith.addf %u, %g : tensor<?x6xf32>
  %y = moe.linear %h, %down : tensor<?x6xf32>, tensor<4x6xf32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
