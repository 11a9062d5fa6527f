// Experts as a graph computes them: every expert on every token, with a share that is 0 for all but the chosen.
// RUN: moe-opt %s --moe-raise-experts --split-input-file | FileCheck %s
// RUN: moe-opt %s --moe-raise-experts --split-input-file --remark-format=emitRemark --remarks-filter=moe-raise-experts 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK
// What each of them computes stays: with made-up weights and inputs, before and after.
// RUN: moe-opt %s --check-passes --moe-raise-experts --split-input-file -o /dev/null

#row_by_row = affine_map<(t, e, f) -> (t, e)>
#row_by_other = affine_map<(t, e, f) -> (t, f)>
#each = affine_map<(t, e) -> (t, e)>
#first_in = affine_map<(t, e, i, h) -> (t, h)>
#first_weight = affine_map<(t, e, i, h) -> (e, i, h)>
#first_out = affine_map<(t, e, i, h) -> (t, e, i)>
#second_in = affine_map<(t, e, h, i) -> (t, e, i)>
#second_weight = affine_map<(t, e, h, i) -> (e, h, i)>
#second_out = affine_map<(t, e, h, i) -> (t, e, h)>
#activate = affine_map<(t, e, i) -> (t, e, i)>
#sum_in = affine_map<(t, h, e) -> (t, e, h)>
#sum_share = affine_map<(t, h, e) -> (t, e)>
#sum_out = affine_map<(t, h, e) -> (t, h)>

// The two largest logits, sigmoid, shares that add up to 2.5.
// CHECK-LABEL: func.func @sigmoid
// CHECK: %[[GATE:.+]] = moe.get_weight @gate
// CHECK: %[[UP:.+]] = moe.get_weight @up
// CHECK: %[[DOWN:.+]] = moe.get_weight @down
// CHECK: %[[LOGITS:.+]] = linalg.matmul
// CHECK-NEXT: %[[IDS:.+]], %[[WEIGHTS:.+]] = moe.route %[[LOGITS]] {routing = #moe.routing<k = 2, score = sigmoid, renormalize = true, scale = 2.500000e+00>}
// CHECK-NEXT: %[[Y:.+]] = moe.experts %arg0 to %[[IDS]], %[[WEIGHTS]] with %[[GATE]], %[[UP]], %[[DOWN]] {activation = #moe.activation<kind = relu>}
// CHECK-NEXT: return %[[Y]]
// REMARK: [Passed] moe-raise-experts {{.*}}Function=sigmoid{{.*}}"found ", Remark=4, Remark=" experts, of which ", Remark=2
moe.weight @router : tensor<6x4xf32> = [#moe.slice<"router" in "m" at 0 rows 6>]
moe.weight @gate : tensor<4x3x6xf32> = [#moe.slice<"gate" in "m" at 96 rows 4>]
moe.weight @up : tensor<4x3x6xf32> = [#moe.slice<"up" in "m" at 384 rows 4>]
moe.weight @down : tensor<4x6x3xf32> = [#moe.slice<"down" in "m" at 672 rows 4>]
func.func @sigmoid(%x: tensor<?x6xf32> {moe.input = "x"}) -> (tensor<?x6xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %none = arith.constant 0 : i32
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %router = moe.get_weight @router : tensor<6x4xf32>
  %gate = moe.get_weight @gate : tensor<4x3x6xf32>
  %up = moe.get_weight @up : tensor<4x3x6xf32>
  %down = moe.get_weight @down : tensor<4x6x3xf32>
  %e_scores = tensor.empty(%n) : tensor<?x4xf32>
  %z_scores = linalg.fill ins(%zero : f32) outs(%e_scores : tensor<?x4xf32>) -> tensor<?x4xf32>
  %logits = linalg.matmul ins(%x, %router : tensor<?x6xf32>, tensor<6x4xf32>) outs(%z_scores : tensor<?x4xf32>) -> tensor<?x4xf32>
  %e_ranks = tensor.empty(%n) : tensor<?x4xi32>
  %z_ranks = linalg.fill ins(%none : i32) outs(%e_ranks : tensor<?x4xi32>) -> tensor<?x4xi32>
  %ranks = linalg.generic {indexing_maps = [#row_by_row, #row_by_other, #row_by_row], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%logits, %logits : tensor<?x4xf32>, tensor<?x4xf32>) outs(%z_ranks : tensor<?x4xi32>) {
  ^bb0(%own: f32, %other: f32, %rank: i32):
    %larger = arith.cmpf ogt, %other, %own : f32
    %one = arith.extui %larger : i1 to i32
    %next = arith.addi %rank, %one : i32
    linalg.yield %next : i32
  } -> tensor<?x4xi32>
  %chosen = linalg.generic {indexing_maps = [#each, #each, #each], iterator_types = ["parallel", "parallel"]}
      ins(%logits, %ranks : tensor<?x4xf32>, tensor<?x4xi32>) outs(%e_scores : tensor<?x4xf32>) {
  ^bb0(%logit: f32, %rank: i32, %out: f32):
    %two = arith.constant 2 : i32
    %unit = arith.constant 1.0 : f32
    %negative = arith.negf %logit : f32
    %power = math.exp %negative : f32
    %sum = arith.addf %unit, %power : f32
    %score = arith.divf %unit, %sum : f32
    %is_chosen = arith.cmpi slt, %rank, %two : i32
    %share = arith.select %is_chosen, %score, %zero : f32
    linalg.yield %share : f32
  } -> tensor<?x4xf32>
  %e_total = tensor.empty(%n) : tensor<?xf32>
  %z_total = linalg.fill ins(%zero : f32) outs(%e_total : tensor<?xf32>) -> tensor<?xf32>
  %total = linalg.reduce { arith.addf } ins(%chosen : tensor<?x4xf32>) outs(%z_total : tensor<?xf32>) dimensions = [1]
  %shares = linalg.generic {indexing_maps = [#each, affine_map<(t, e) -> (t)>, #each], iterator_types = ["parallel", "parallel"]}
      ins(%chosen, %total : tensor<?x4xf32>, tensor<?xf32>) outs(%e_scores : tensor<?x4xf32>) {
  ^bb0(%share: f32, %of: f32, %out: f32):
    %scale = arith.constant 2.5 : f32
    %part = arith.divf %share, %of : f32
    %scaled = arith.mulf %part, %scale : f32
    linalg.yield %scaled : f32
  } -> tensor<?x4xf32>
  %e_hidden = tensor.empty(%n) : tensor<?x4x3xf32>
  %z_hidden = linalg.fill ins(%zero : f32) outs(%e_hidden : tensor<?x4x3xf32>) -> tensor<?x4x3xf32>
  %g = linalg.generic {indexing_maps = [#first_in, #first_weight, #first_out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %gate : tensor<?x6xf32>, tensor<4x3x6xf32>) outs(%z_hidden : tensor<?x4x3xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %product = arith.mulf %a, %b : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x4x3xf32>
  %u = linalg.generic {indexing_maps = [#first_in, #first_weight, #first_out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %up : tensor<?x6xf32>, tensor<4x3x6xf32>) outs(%z_hidden : tensor<?x4x3xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %product = arith.mulf %a, %b : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x4x3xf32>
  %h = linalg.generic {indexing_maps = [#activate, #activate, #activate], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%g, %u : tensor<?x4x3xf32>, tensor<?x4x3xf32>) outs(%e_hidden : tensor<?x4x3xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %positive = arith.maximumf %a, %zero : f32
    %product = arith.mulf %positive, %b : f32
    linalg.yield %product : f32
  } -> tensor<?x4x3xf32>
  %e_outputs = tensor.empty(%n) : tensor<?x4x6xf32>
  %z_outputs = linalg.fill ins(%zero : f32) outs(%e_outputs : tensor<?x4x6xf32>) -> tensor<?x4x6xf32>
  %outputs = linalg.generic {indexing_maps = [#second_in, #second_weight, #second_out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%h, %down : tensor<?x4x3xf32>, tensor<4x6x3xf32>) outs(%z_outputs : tensor<?x4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %product = arith.mulf %a, %b : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x4x6xf32>
  %e_y = tensor.empty(%n) : tensor<?x6xf32>
  %z_y = linalg.fill ins(%zero : f32) outs(%e_y : tensor<?x6xf32>) -> tensor<?x6xf32>
  %y = linalg.generic {indexing_maps = [#sum_in, #sum_share, #sum_out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%outputs, %shares : tensor<?x4x6xf32>, tensor<?x4xf32>) outs(%z_y : tensor<?x6xf32>) {
  ^bb0(%a: f32, %share: f32, %sum: f32):
    %product = arith.mulf %a, %share : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

#row_by_row = affine_map<(t, e, f) -> (t, e)>
#row_by_other = affine_map<(t, e, f) -> (t, f)>
#each = affine_map<(t, e) -> (t, e)>
#first_in = affine_map<(t, e, i, h) -> (t, h)>
#first_weight = affine_map<(t, e, i, h) -> (e, i, h)>
#first_out = affine_map<(t, e, i, h) -> (t, e, i)>
#second_in = affine_map<(t, e, h, i) -> (t, e, i)>
#second_weight = affine_map<(t, e, h, i) -> (e, h, i)>
#second_out = affine_map<(t, e, h, i) -> (t, e, h)>
#activate = affine_map<(t, e, i) -> (t, e, i)>
#sum_in = affine_map<(t, h, e) -> (t, e, h)>
#sum_share = affine_map<(t, h, e) -> (t, e)>
#sum_out = affine_map<(t, h, e) -> (t, h)>

// Shares that are squares of scores are none that the dialect has.
// CHECK-LABEL: func.func @squared
// CHECK-NOT: moe.route
// REMARK: [Missed] moe-raise-experts {{.*}}Function=squared{{.*}}"no experts: ", Remark="who is chosen with which weight is nothing that #moe.routing says"
moe.weight @router : tensor<6x4xf32> = [#moe.slice<"router" in "m" at 0 rows 6>]
moe.weight @gate : tensor<4x3x6xf32> = [#moe.slice<"gate" in "m" at 96 rows 4>]
moe.weight @up : tensor<4x3x6xf32> = [#moe.slice<"up" in "m" at 384 rows 4>]
moe.weight @down : tensor<4x6x3xf32> = [#moe.slice<"down" in "m" at 672 rows 4>]
func.func @squared(%x: tensor<?x6xf32> {moe.input = "x"}) -> (tensor<?x6xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %none = arith.constant 0 : i32
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %router = moe.get_weight @router : tensor<6x4xf32>
  %gate = moe.get_weight @gate : tensor<4x3x6xf32>
  %up = moe.get_weight @up : tensor<4x3x6xf32>
  %down = moe.get_weight @down : tensor<4x6x3xf32>
  %e_scores = tensor.empty(%n) : tensor<?x4xf32>
  %z_scores = linalg.fill ins(%zero : f32) outs(%e_scores : tensor<?x4xf32>) -> tensor<?x4xf32>
  %logits = linalg.matmul ins(%x, %router : tensor<?x6xf32>, tensor<6x4xf32>) outs(%z_scores : tensor<?x4xf32>) -> tensor<?x4xf32>
  %e_ranks = tensor.empty(%n) : tensor<?x4xi32>
  %z_ranks = linalg.fill ins(%none : i32) outs(%e_ranks : tensor<?x4xi32>) -> tensor<?x4xi32>
  %ranks = linalg.generic {indexing_maps = [#row_by_row, #row_by_other, #row_by_row], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%logits, %logits : tensor<?x4xf32>, tensor<?x4xf32>) outs(%z_ranks : tensor<?x4xi32>) {
  ^bb0(%own: f32, %other: f32, %rank: i32):
    %larger = arith.cmpf ogt, %other, %own : f32
    %one = arith.extui %larger : i1 to i32
    %next = arith.addi %rank, %one : i32
    linalg.yield %next : i32
  } -> tensor<?x4xi32>
  %chosen = linalg.generic {indexing_maps = [#each, #each, #each], iterator_types = ["parallel", "parallel"]}
      ins(%logits, %ranks : tensor<?x4xf32>, tensor<?x4xi32>) outs(%e_scores : tensor<?x4xf32>) {
  ^bb0(%logit: f32, %rank: i32, %out: f32):
    %two = arith.constant 2 : i32
    %unit = arith.constant 1.0 : f32
    %negative = arith.negf %logit : f32
    %power = math.exp %negative : f32
    %sum = arith.addf %unit, %power : f32
    %score = arith.divf %unit, %sum : f32
    %is_chosen = arith.cmpi slt, %rank, %two : i32
    %square = arith.mulf %score, %score : f32
    %share = arith.select %is_chosen, %square, %zero : f32
    linalg.yield %share : f32
  } -> tensor<?x4xf32>
  %e_total = tensor.empty(%n) : tensor<?xf32>
  %z_total = linalg.fill ins(%zero : f32) outs(%e_total : tensor<?xf32>) -> tensor<?xf32>
  %total = linalg.reduce { arith.addf } ins(%chosen : tensor<?x4xf32>) outs(%z_total : tensor<?xf32>) dimensions = [1]
  %shares = linalg.generic {indexing_maps = [#each, affine_map<(t, e) -> (t)>, #each], iterator_types = ["parallel", "parallel"]}
      ins(%chosen, %total : tensor<?x4xf32>, tensor<?xf32>) outs(%e_scores : tensor<?x4xf32>) {
  ^bb0(%share: f32, %of: f32, %out: f32):
    %scale = arith.constant 2.5 : f32
    %part = arith.divf %share, %of : f32
    %scaled = arith.mulf %part, %scale : f32
    linalg.yield %scaled : f32
  } -> tensor<?x4xf32>
  %e_hidden = tensor.empty(%n) : tensor<?x4x3xf32>
  %z_hidden = linalg.fill ins(%zero : f32) outs(%e_hidden : tensor<?x4x3xf32>) -> tensor<?x4x3xf32>
  %g = linalg.generic {indexing_maps = [#first_in, #first_weight, #first_out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %gate : tensor<?x6xf32>, tensor<4x3x6xf32>) outs(%z_hidden : tensor<?x4x3xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %product = arith.mulf %a, %b : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x4x3xf32>
  %u = linalg.generic {indexing_maps = [#first_in, #first_weight, #first_out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %up : tensor<?x6xf32>, tensor<4x3x6xf32>) outs(%z_hidden : tensor<?x4x3xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %product = arith.mulf %a, %b : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x4x3xf32>
  %h = linalg.generic {indexing_maps = [#activate, #activate, #activate], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%g, %u : tensor<?x4x3xf32>, tensor<?x4x3xf32>) outs(%e_hidden : tensor<?x4x3xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %positive = arith.maximumf %a, %zero : f32
    %product = arith.mulf %positive, %b : f32
    linalg.yield %product : f32
  } -> tensor<?x4x3xf32>
  %e_outputs = tensor.empty(%n) : tensor<?x4x6xf32>
  %z_outputs = linalg.fill ins(%zero : f32) outs(%e_outputs : tensor<?x4x6xf32>) -> tensor<?x4x6xf32>
  %outputs = linalg.generic {indexing_maps = [#second_in, #second_weight, #second_out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%h, %down : tensor<?x4x3xf32>, tensor<4x6x3xf32>) outs(%z_outputs : tensor<?x4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %product = arith.mulf %a, %b : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x4x6xf32>
  %e_y = tensor.empty(%n) : tensor<?x6xf32>
  %z_y = linalg.fill ins(%zero : f32) outs(%e_y : tensor<?x6xf32>) -> tensor<?x6xf32>
  %y = linalg.generic {indexing_maps = [#sum_in, #sum_share, #sum_out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%outputs, %shares : tensor<?x4x6xf32>, tensor<?x4xf32>) outs(%z_y : tensor<?x6xf32>) {
  ^bb0(%a: f32, %share: f32, %sum: f32):
    %product = arith.mulf %a, %share : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----

#row_by_row = affine_map<(t, e, f) -> (t, e)>
#row_by_other = affine_map<(t, e, f) -> (t, f)>
#each = affine_map<(t, e) -> (t, e)>
#first_in = affine_map<(t, e, i, h) -> (t, h)>
#first_weight = affine_map<(t, e, i, h) -> (e, i, h)>
#first_out = affine_map<(t, e, i, h) -> (t, e, i)>
#second_in = affine_map<(t, e, h, i) -> (t, e, i)>
#second_weight = affine_map<(t, e, h, i) -> (e, h, i)>
#second_out = affine_map<(t, e, h, i) -> (t, e, h)>
#activate = affine_map<(t, e, i) -> (t, e, i)>
#sum_in = affine_map<(t, h, e) -> (t, e, h)>
#sum_share = affine_map<(t, h, e) -> (t, e)>
#sum_out = affine_map<(t, h, e) -> (t, h)>

// Nor is there such an activation.
// CHECK-LABEL: func.func @shifted
// CHECK-NOT: moe.route
// REMARK: [Missed] moe-raise-experts {{.*}}Function=shifted{{.*}}"no experts: ", Remark="what the experts compute is no MLP that #moe.activation says"
moe.weight @router : tensor<6x4xf32> = [#moe.slice<"router" in "m" at 0 rows 6>]
moe.weight @gate : tensor<4x3x6xf32> = [#moe.slice<"gate" in "m" at 96 rows 4>]
moe.weight @up : tensor<4x3x6xf32> = [#moe.slice<"up" in "m" at 384 rows 4>]
moe.weight @down : tensor<4x6x3xf32> = [#moe.slice<"down" in "m" at 672 rows 4>]
func.func @shifted(%x: tensor<?x6xf32> {moe.input = "x"}) -> (tensor<?x6xf32> {moe.output = "y"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %none = arith.constant 0 : i32
  %n = tensor.dim %x, %c0 : tensor<?x6xf32>
  %router = moe.get_weight @router : tensor<6x4xf32>
  %gate = moe.get_weight @gate : tensor<4x3x6xf32>
  %up = moe.get_weight @up : tensor<4x3x6xf32>
  %down = moe.get_weight @down : tensor<4x6x3xf32>
  %e_scores = tensor.empty(%n) : tensor<?x4xf32>
  %z_scores = linalg.fill ins(%zero : f32) outs(%e_scores : tensor<?x4xf32>) -> tensor<?x4xf32>
  %logits = linalg.matmul ins(%x, %router : tensor<?x6xf32>, tensor<6x4xf32>) outs(%z_scores : tensor<?x4xf32>) -> tensor<?x4xf32>
  %e_ranks = tensor.empty(%n) : tensor<?x4xi32>
  %z_ranks = linalg.fill ins(%none : i32) outs(%e_ranks : tensor<?x4xi32>) -> tensor<?x4xi32>
  %ranks = linalg.generic {indexing_maps = [#row_by_row, #row_by_other, #row_by_row], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%logits, %logits : tensor<?x4xf32>, tensor<?x4xf32>) outs(%z_ranks : tensor<?x4xi32>) {
  ^bb0(%own: f32, %other: f32, %rank: i32):
    %larger = arith.cmpf ogt, %other, %own : f32
    %one = arith.extui %larger : i1 to i32
    %next = arith.addi %rank, %one : i32
    linalg.yield %next : i32
  } -> tensor<?x4xi32>
  %chosen = linalg.generic {indexing_maps = [#each, #each, #each], iterator_types = ["parallel", "parallel"]}
      ins(%logits, %ranks : tensor<?x4xf32>, tensor<?x4xi32>) outs(%e_scores : tensor<?x4xf32>) {
  ^bb0(%logit: f32, %rank: i32, %out: f32):
    %two = arith.constant 2 : i32
    %unit = arith.constant 1.0 : f32
    %negative = arith.negf %logit : f32
    %power = math.exp %negative : f32
    %sum = arith.addf %unit, %power : f32
    %score = arith.divf %unit, %sum : f32
    %is_chosen = arith.cmpi slt, %rank, %two : i32
    %share = arith.select %is_chosen, %score, %zero : f32
    linalg.yield %share : f32
  } -> tensor<?x4xf32>
  %e_total = tensor.empty(%n) : tensor<?xf32>
  %z_total = linalg.fill ins(%zero : f32) outs(%e_total : tensor<?xf32>) -> tensor<?xf32>
  %total = linalg.reduce { arith.addf } ins(%chosen : tensor<?x4xf32>) outs(%z_total : tensor<?xf32>) dimensions = [1]
  %shares = linalg.generic {indexing_maps = [#each, affine_map<(t, e) -> (t)>, #each], iterator_types = ["parallel", "parallel"]}
      ins(%chosen, %total : tensor<?x4xf32>, tensor<?xf32>) outs(%e_scores : tensor<?x4xf32>) {
  ^bb0(%share: f32, %of: f32, %out: f32):
    %scale = arith.constant 2.5 : f32
    %part = arith.divf %share, %of : f32
    %scaled = arith.mulf %part, %scale : f32
    linalg.yield %scaled : f32
  } -> tensor<?x4xf32>
  %e_hidden = tensor.empty(%n) : tensor<?x4x3xf32>
  %z_hidden = linalg.fill ins(%zero : f32) outs(%e_hidden : tensor<?x4x3xf32>) -> tensor<?x4x3xf32>
  %g = linalg.generic {indexing_maps = [#first_in, #first_weight, #first_out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %gate : tensor<?x6xf32>, tensor<4x3x6xf32>) outs(%z_hidden : tensor<?x4x3xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %product = arith.mulf %a, %b : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x4x3xf32>
  %u = linalg.generic {indexing_maps = [#first_in, #first_weight, #first_out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %up : tensor<?x6xf32>, tensor<4x3x6xf32>) outs(%z_hidden : tensor<?x4x3xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %product = arith.mulf %a, %b : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x4x3xf32>
  %h = linalg.generic {indexing_maps = [#activate, #activate, #activate], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%g, %u : tensor<?x4x3xf32>, tensor<?x4x3xf32>) outs(%e_hidden : tensor<?x4x3xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %positive = arith.maximumf %a, %zero : f32
    %shift = arith.constant 0.5 : f32
    %shifted = arith.addf %positive, %shift : f32
    %product = arith.mulf %shifted, %b : f32
    linalg.yield %product : f32
  } -> tensor<?x4x3xf32>
  %e_outputs = tensor.empty(%n) : tensor<?x4x6xf32>
  %z_outputs = linalg.fill ins(%zero : f32) outs(%e_outputs : tensor<?x4x6xf32>) -> tensor<?x4x6xf32>
  %outputs = linalg.generic {indexing_maps = [#second_in, #second_weight, #second_out], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%h, %down : tensor<?x4x3xf32>, tensor<4x6x3xf32>) outs(%z_outputs : tensor<?x4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %product = arith.mulf %a, %b : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x4x6xf32>
  %e_y = tensor.empty(%n) : tensor<?x6xf32>
  %z_y = linalg.fill ins(%zero : f32) outs(%e_y : tensor<?x6xf32>) -> tensor<?x6xf32>
  %y = linalg.generic {indexing_maps = [#sum_in, #sum_share, #sum_out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%outputs, %shares : tensor<?x4x6xf32>, tensor<?x4xf32>) outs(%z_y : tensor<?x6xf32>) {
  ^bb0(%a: f32, %share: f32, %sum: f32):
    %product = arith.mulf %a, %share : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}
