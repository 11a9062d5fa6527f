// One routing that several ops compute.
// RUN: moe-opt %s --moe-raise-routing --remark-format=emitRemark --remarks-filter=moe-raise-routing --mlir-disable-threading -o - 2>&1 | FileCheck %s
// RUN: moe-opt %s --check-passes --moe-raise-routing -o /dev/null

#each = affine_map<(t, e) -> (t, e)>
#row = affine_map<(t, e) -> (t)>
#columns = affine_map<(t, e) -> (e)>
#silu = #moe.activation<kind = silu>

moe.weight @bias : tensor<4xf32> = [#moe.slice<"bias" in "m" at 0 rows 4>]
moe.weight @gate : tensor<4x3x6xf32> = [#moe.slice<"gate" in "m" at 16 rows 4>]
moe.weight @down : tensor<4x6x3xf32> = [#moe.slice<"down" in "m" at 400 rows 4>]
moe.weight @many_biases : tensor<48xf32> = [#moe.slice<"many_biases" in "m" at 800 rows 48>]
moe.weight @many_gates : tensor<48x3x6xf32> = [#moe.slice<"many_gates" in "m" at 1000 rows 48>]
moe.weight @many_downs : tensor<48x6x3xf32> = [#moe.slice<"many_downs" in "m" at 5000 rows 48>]

// DeepSeek's: chosen by biased scores, weighted by those without the bias, which are gathered, made to add up to 1, and scaled.
// CHECK-DAG: remark: [Passed] moe-raise-routing {{.*}}Function=gathered
// CHECK-DAG: remark: [Missed] moe-raise-routing {{.*}}Function=squared{{.*}}"who is chosen with which weight is nothing that #moe.routing says"
// CHECK-LABEL: func.func @gathered
// CHECK: %[[BIAS:.+]] = moe.get_weight @bias
// CHECK: %[[IDS:.+]], %[[WEIGHTS:.+]] = moe.route %arg1 bias %[[BIAS]](tensor<4xf32>) {routing = #moe.routing<k = 2, score = sigmoid, renormalize = true, scale = 2.500000e+00>}
// CHECK-NEXT: moe.experts %arg0 to %[[IDS]], %[[WEIGHTS]]
func.func @gathered(%x: tensor<?x6xf32> {moe.input = "x"}, %logits: tensor<?x4xf32> {moe.input = "logits"})
    -> (tensor<?x6xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %logits, %c0 : tensor<?x4xf32>
  %bias = moe.get_weight @bias : tensor<4xf32>
  %gate = moe.get_weight @gate : tensor<4x3x6xf32>
  %down = moe.get_weight @down : tensor<4x6x3xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %scores = linalg.generic {indexing_maps = [#each, #each], iterator_types = ["parallel", "parallel"]}
      ins(%logits : tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) {
  ^bb0(%logit: f32, %out: f32):
    %one = arith.constant 1.0 : f32
    %negative = arith.negf %logit : f32
    %power = math.exp %negative : f32
    %sum = arith.addf %one, %power : f32
    %score = arith.divf %one, %sum : f32
    linalg.yield %score : f32
  } -> tensor<?x4xf32>
  %biased = linalg.generic {indexing_maps = [#each, #columns, #each], iterator_types = ["parallel", "parallel"]}
      ins(%scores, %bias : tensor<?x4xf32>, tensor<4xf32>) outs(%e : tensor<?x4xf32>) {
  ^bb0(%score: f32, %b: f32, %out: f32):
    %sum = arith.addf %score, %b : f32
    linalg.yield %sum : f32
  } -> tensor<?x4xf32>
  %ids, %unused = moe.route %biased {routing = #moe.routing<k = 2, score = softmax>} : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %e2 = tensor.empty(%n) : tensor<?x2xf32>
  %gathered = linalg.generic {indexing_maps = [#each, #each], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<?x2xi32>) outs(%e2 : tensor<?x2xf32>) {
  ^bb0(%id: i32, %out: f32):
    %token = linalg.index 0 : index
    %expert = arith.index_cast %id : i32 to index
    %score = tensor.extract %scores[%token, %expert] : tensor<?x4xf32>
    linalg.yield %score : f32
  } -> tensor<?x2xf32>
  %zero = arith.constant 0.0 : f32
  %e1 = tensor.empty(%n) : tensor<?xf32>
  %z1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?xf32>) -> tensor<?xf32>
  %total = linalg.reduce { arith.addf } ins(%gathered : tensor<?x2xf32>) outs(%z1 : tensor<?xf32>) dimensions = [1]
  %weights = linalg.generic {indexing_maps = [#each, #row, #each], iterator_types = ["parallel", "parallel"]}
      ins(%gathered, %total : tensor<?x2xf32>, tensor<?xf32>) outs(%e2 : tensor<?x2xf32>) {
  ^bb0(%score: f32, %of: f32, %out: f32):
    %scale = arith.constant 2.5 : f32
    %share = arith.divf %score, %of : f32
    %scaled = arith.mulf %share, %scale : f32
    linalg.yield %scaled : f32
  } -> tensor<?x2xf32>
  %y = moe.experts %x to %ids, %weights with %gate, %gate, %down {activation = #silu}
    : tensor<?x6xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x3x6xf32>, tensor<4x3x6xf32>, tensor<4x6x3xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// Scores that are small beside a bias as large as those of a sigmoid: ERNIE's, of as many experts.
// CHECK-LABEL: func.func @of_many
// CHECK: %[[BIAS:.+]] = moe.get_weight @many_biases
// CHECK: moe.route %arg1 bias %[[BIAS]](tensor<48xf32>) {routing = #moe.routing<k = 6, score = softmax, renormalize = true>}
func.func @of_many(%x: tensor<?x6xf32> {moe.input = "x"}, %logits: tensor<?x48xf32> {moe.input = "logits"})
    -> (tensor<?x6xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %logits, %c0 : tensor<?x48xf32>
  %bias = moe.get_weight @many_biases : tensor<48xf32>
  %gate = moe.get_weight @many_gates : tensor<48x3x6xf32>
  %down = moe.get_weight @many_downs : tensor<48x6x3xf32>
  %e = tensor.empty(%n) : tensor<?x48xf32>
  %powers = math.exp %logits : tensor<?x48xf32>
  %zero = arith.constant 0.0 : f32
  %e1 = tensor.empty(%n) : tensor<?xf32>
  %z1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.reduce { arith.addf } ins(%powers : tensor<?x48xf32>) outs(%z1 : tensor<?xf32>) dimensions = [1]
  %scores = linalg.generic {indexing_maps = [#each, #row, #each], iterator_types = ["parallel", "parallel"]}
      ins(%powers, %sum : tensor<?x48xf32>, tensor<?xf32>) outs(%e : tensor<?x48xf32>) {
  ^bb0(%power: f32, %of: f32, %out: f32):
    %score = arith.divf %power, %of : f32
    linalg.yield %score : f32
  } -> tensor<?x48xf32>
  %biased = linalg.generic {indexing_maps = [#each, #columns, #each], iterator_types = ["parallel", "parallel"]}
      ins(%scores, %bias : tensor<?x48xf32>, tensor<48xf32>) outs(%e : tensor<?x48xf32>) {
  ^bb0(%score: f32, %b: f32, %out: f32):
    %both = arith.addf %score, %b : f32
    linalg.yield %both : f32
  } -> tensor<?x48xf32>
  %ids, %unused = moe.route %biased {routing = #moe.routing<k = 6, score = softmax>} : tensor<?x48xf32> -> tensor<?x6xi32>, tensor<?x6xf32>
  %e2 = tensor.empty(%n) : tensor<?x6xf32>
  %gathered = linalg.generic {indexing_maps = [#each, #each], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<?x6xi32>) outs(%e2 : tensor<?x6xf32>) {
  ^bb0(%id: i32, %out: f32):
    %token = linalg.index 0 : index
    %expert = arith.index_cast %id : i32 to index
    %score = tensor.extract %scores[%token, %expert] : tensor<?x48xf32>
    linalg.yield %score : f32
  } -> tensor<?x6xf32>
  %total = linalg.reduce { arith.addf } ins(%gathered : tensor<?x6xf32>) outs(%z1 : tensor<?xf32>) dimensions = [1]
  %weights = linalg.generic {indexing_maps = [#each, #row, #each], iterator_types = ["parallel", "parallel"]}
      ins(%gathered, %total : tensor<?x6xf32>, tensor<?xf32>) outs(%e2 : tensor<?x6xf32>) {
  ^bb0(%score: f32, %of: f32, %out: f32):
    %share = arith.divf %score, %of : f32
    linalg.yield %share : f32
  } -> tensor<?x6xf32>
  %y = moe.experts %x to %ids, %weights with %gate, %gate, %down {activation = #silu}
    : tensor<?x6xf32>, tensor<?x6xi32>, tensor<?x6xf32>, tensor<48x3x6xf32>, tensor<48x3x6xf32>, tensor<48x6x3xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// Nothing that the dialect has: weights that are squared.
// CHECK-LABEL: func.func @squared
// CHECK: %[[IDS:.+]], %[[WEIGHTS:.+]] = moe.route
// CHECK: %[[SQUARES:.+]] = arith.mulf %[[WEIGHTS]], %[[WEIGHTS]]
// CHECK: moe.experts %arg0 to %[[IDS]], %[[SQUARES]]
func.func @squared(%x: tensor<?x6xf32> {moe.input = "x"}, %logits: tensor<?x4xf32> {moe.input = "logits"})
    -> (tensor<?x6xf32> {moe.output = "y"}) {
  %gate = moe.get_weight @gate : tensor<4x3x6xf32>
  %down = moe.get_weight @down : tensor<4x6x3xf32>
  %ids, %weights = moe.route %logits {routing = #moe.routing<k = 2, score = softmax>} : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %squares = arith.mulf %weights, %weights : tensor<?x2xf32>
  %y = moe.experts %x to %ids, %squares with %gate, %gate, %down {activation = #silu}
    : tensor<?x6xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x3x6xf32>, tensor<4x3x6xf32>, tensor<4x6x3xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}
