// Routing and experts.
#ifndef MOEC_DIALECTS_MOE_EXPERTOPS_TD
#define MOEC_DIALECTS_MOE_EXPERTOPS_TD

include "dialects/moe/Attributes.td"

def MoE_RouteOp : MoE_Op<"route", [Pure, AttrSizedOperandSegments]> {
  let summary = "router logits to expert ids and weights";
  let description = [{
    `#moe.routing` states the arithmetic. Ids are in order of falling selection key. With a table ([vocabulary, k], integer) the
    ids are the table's row of the token and no selection happens; weights are computed as otherwise. A table must hold ids of experts;
    kernels, which cannot refuse it, take the nearest.

    Constraints:
    * C1: ids and weights have k columns, and k is at most the number of logits.
    * C2: the groups divide the experts evenly, into two or more each for `top2_sum`, and the kept groups hold at least k experts.
    * C3: the bias has one element per expert.
    * C4: a table comes with token ids, has k columns and excludes a bias and groups.
    * C5: the score `sparse_mixer` excludes a bias and a table.

    Example:
    ```mlir
    %ids, %weights = moe.route %logits bias %b (tensor<16xf32>) {routing = #moe.routing<k = 4, score = sigmoid, groups = 4,
      kept_groups = 2, group_score = top2_sum, renormalize = true, epsilon = 1.0e-20, scale = 2.5>}
      : tensor<?x16xf32> -> tensor<?x4xi32>, tensor<?x4xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$logits, Optional<MoE_WeightType>:$bias, Optional<MoE_WeightType>:$table, Optional<MoE_TokenIds>:$token_ids,
                       MoE_RoutingAttr:$routing);
  let results = (outs MoE_ExpertIds:$ids, MoE_Rows:$weights);
  let assemblyFormat = [{
    $logits (`bias` $bias^ `(` type($bias) `)`)? (`table` $table^ `(` type($table) `)`)? (`for` $token_ids^)?
    attr-dict `:` type($logits) `->` type($ids) `,` type($weights)
  }];
  let hasVerifier = 1;
}

def MoE_ExpertsOp : MoE_Op<"experts", [Pure, AttrSizedOperandSegments]> {
  let summary = "sum over the chosen experts of weight x gated MLP";
  let description = [{
    y[t] = sum over j of weights[t, j] x mlp_{ids[t, j]}(x[t]). With biases the gated MLP adds them to gate, up and down (the
    down bias is weighted too). With `weight_on_input` the weight multiplies the expert's input instead of its output (Llama 4).

    Constraints:
    * C1: gate and up are [experts, intermediate, in], down is [experts, out, intermediate].
    * C2: ids and weights have the same number of columns.
    * C3: biases are [experts, intermediate] for gate and up, [experts, out] for down, and come all or none.

    Example:
    ```mlir
    %y = moe.experts %x to %ids, %weights with %gate, %up, %down {activation = #moe.activation<kind = silu>}
      : tensor<?x256xf32>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<16x128x256xbf16>, tensor<16x128x256xbf16>, tensor<16x256x128xbf16>
      -> tensor<?x256xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, MoE_ExpertIds:$ids, MoE_Rows:$weights,
                       MoE_WeightType:$gate, MoE_WeightType:$up, MoE_WeightType:$down,
                       Optional<MoE_WeightType>:$gate_bias, Optional<MoE_WeightType>:$up_bias, Optional<MoE_WeightType>:$down_bias,
                       MoE_ActivationAttr:$activation, UnitAttr:$weight_on_input,
                       DefaultValuedAttr<MoE_ComputeAttr, "::moec::moe::Compute::F32">:$compute);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = [{
    $input `to` $ids `,` $weights `with` $gate `,` $up `,` $down
    (`biases` $gate_bias^ `,` $up_bias `,` $down_bias `(` type($gate_bias) `,` type($up_bias) `,` type($down_bias) `)`)? attr-dict
    `:` type($input) `,` type($ids) `,` type($weights) `,` type($gate) `,` type($up) `,` type($down) `->` type($result)
  }];
  let hasVerifier = 1;
}

def MoE_FusedExpertsOp : MoE_Op<"fused_experts", [Pure, AttrSizedOperandSegments]> {
  let summary = "routing, token gather, experts, shared experts and residual as one";
  let description = [{
    y = experts(x, route(logits)) + shared gated MLP(x) + residual, as `moe.route`, `moe.experts` and `moe.gated_mlp` define them.
    Tokens are gathered in the loads of the gate and up product, whose epilogue applies the activation; the epilogue of the down
    product combines by weight. The chosen ids are a result, for whoever wants to see the routing.

    Constraints:
    * C1: gate, up and down are as C1 of `moe.experts` says, biases as C3 there; there is one logit per expert.
    * C2: the bias has one element per expert; ids have k columns; the groups are as C2 of `moe.route` says, and `sparse_mixer`
      excludes a bias.
    * C3: the shared weights come all or none: gate and up [shared intermediate, in], down [out, shared intermediate].
    * C4: the residual has the result's type.

    Example:
    ```mlir
    %y, %ids = moe.fused_experts %x by %logits with %gate, %up, %down residual %x (tensor<?x64xf32>)
      {routing = #moe.routing<k = 2, score = softmax_topk>, activation = #moe.activation<kind = silu>}
      : tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16>, tensor<8x64x32xbf16>
      -> tensor<?x64xf32>, tensor<?x2xi32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, MoE_Rows:$logits, Optional<MoE_WeightType>:$bias,
                       MoE_WeightType:$gate, MoE_WeightType:$up, MoE_WeightType:$down,
                       Optional<MoE_WeightType>:$gate_bias, Optional<MoE_WeightType>:$up_bias, Optional<MoE_WeightType>:$down_bias,
                       Optional<MoE_WeightType>:$shared_gate, Optional<MoE_WeightType>:$shared_up, Optional<MoE_WeightType>:$shared_down,
                       Optional<MoE_Rows>:$residual,
                       MoE_RoutingAttr:$routing, MoE_ActivationAttr:$activation, UnitAttr:$weight_on_input,
                       DefaultValuedAttr<MoE_ComputeAttr, "::moec::moe::Compute::F32">:$compute);
  let results = (outs MoE_Rows:$result, MoE_ExpertIds:$ids);
  let assemblyFormat = [{
    $input `by` $logits (`bias` $bias^ `(` type($bias) `)`)? `with` $gate `,` $up `,` $down
    (`biases` $gate_bias^ `,` $up_bias `,` $down_bias `(` type($gate_bias) `,` type($up_bias) `,` type($down_bias) `)`)?
    (`shared` $shared_gate^ `,` $shared_up `,` $shared_down `(` type($shared_gate) `,` type($shared_up) `,` type($shared_down) `)`)?
    (`residual` $residual^ `(` type($residual) `)`)? attr-dict
    `:` type($input) `,` type($logits) `,` type($gate) `,` type($up) `,` type($down) `->` type($result) `,` type($ids)
  }];
  let hasVerifier = 1;
}

// The stages of moe.fused_experts: what one launch each computes. An assignment is a (token, slot) pair, numbered token x k + slot.

def MoE_DispatchOp : MoE_Op<"dispatch", [Pure, TypesMatchWith<"order is shaped like ids", "ids", "order", "$_self">]> {
  let summary = "the assignments in order of expert";
  let description = [{
    `order` holds the numbers of all assignments, sorted by expert, then by number; those of expert e are entries
    [offsets[e], offsets[e + 1]). An expert id that occurs twice in a token's row counts twice.

    Constraints:
    * C1: there is one more offset than experts, at least two.

    Example:
    ```mlir
    %offsets, %order = moe.dispatch %ids : tensor<?x4xi32> -> tensor<17xi32>
    ```
  }];
  let arguments = (ins MoE_ExpertIds:$ids);
  let results = (outs 1DTensorOf<[I32]>:$offsets, MoE_ExpertIds:$order);
  let assemblyFormat = "$ids attr-dict `:` type($ids) `->` type($offsets)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{ int64_t getExperts() { return widthOf(getOffsets().getType()) - 1; } }];
}

def MoE_ExpertHiddenOp : MoE_Op<"expert_hidden", [Pure, AttrSizedOperandSegments]> {
  let summary = "activation(gate x, up x) of every chosen expert";
  let description = [{
    A token's result row is k x intermediate columns, slot by slot, then the shared experts' intermediate columns when there
    are shared weights. Gathers tokens through `order`, an expert at a time. With weights, a routed expert's input is multiplied by
    its weight first.

    Constraints:
    * C1: gate and up are [experts, intermediate, in]; shared gate and up are [shared intermediate, in] and come both or none.
    * C2: the result is k x intermediate + shared intermediate wide; there is one more offset than experts.
    * C3: biases are [experts, intermediate] and come both or none.
    * C4: weights and order have k columns.

    Example:
    ```mlir
    %h = moe.expert_hidden %x by %offsets, %order with %gate, %up {activation = #moe.activation<kind = silu>}
      : tensor<?x64xf32>, tensor<9xi32>, tensor<?x2xi32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, 1DTensorOf<[I32]>:$offsets, MoE_ExpertIds:$order, Optional<MoE_Rows>:$weights,
                       MoE_WeightType:$gate, MoE_WeightType:$up,
                       Optional<MoE_WeightType>:$gate_bias, Optional<MoE_WeightType>:$up_bias,
                       Optional<MoE_WeightType>:$shared_gate, Optional<MoE_WeightType>:$shared_up,
                       MoE_ActivationAttr:$activation, DefaultValuedAttr<MoE_ComputeAttr, "::moec::moe::Compute::F32">:$compute);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = [{
    $input `by` $offsets `,` $order (`weighted` $weights^ `(` type($weights) `)`)? `with` $gate `,` $up
    (`biases` $gate_bias^ `,` $up_bias `(` type($gate_bias) `,` type($up_bias) `)`)?
    (`shared` $shared_gate^ `,` $shared_up `(` type($shared_gate) `,` type($shared_up) `)`)? attr-dict
    `:` type($input) `,` type($offsets) `,` type($order) `,` type($gate) `,` type($up) `->` type($result)
  }];
  let hasVerifier = 1;
}

def MoE_CombineOp : MoE_Op<"combine", [Pure, AttrSizedOperandSegments]> {
  let summary = "the experts' down product, weighted and summed, plus shared experts and residual";
  let description = [{
    y[t] = sum over slots j of weights[t, j] x down_{expert of (t, j)}(hidden of slot j) + shared_down(shared hidden) + residual.
    Without weights each counts once. The sum runs over a token's experts in ascending order of id, then shared, then residual.

    Constraints:
    * C1: down is [experts, out, intermediate], shared_down [out, shared intermediate]; there is one more offset than experts.
    * C2: hidden is k x intermediate + shared intermediate wide, weights and order have k columns.
    * C3: the down bias is [experts, out].
    * C4: the residual has the result's type.

    Example:
    ```mlir
    %y = moe.combine %h by %offsets, %order weighted %weights (tensor<?x2xf32>) with %down residual %x (tensor<?x64xf32>)
      : tensor<?x64xf32>, tensor<9xi32>, tensor<?x2xi32>, tensor<8x64x32xbf16> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$hidden, Optional<MoE_Rows>:$weights, 1DTensorOf<[I32]>:$offsets, MoE_ExpertIds:$order, MoE_WeightType:$down,
                       Optional<MoE_WeightType>:$down_bias, Optional<MoE_WeightType>:$shared_down, Optional<MoE_Rows>:$residual,
                       DefaultValuedAttr<MoE_ComputeAttr, "::moec::moe::Compute::F32">:$compute);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = [{
    $hidden `by` $offsets `,` $order (`weighted` $weights^ `(` type($weights) `)`)? `with` $down (`bias` $down_bias^ `(` type($down_bias) `)`)?
    (`shared` $shared_down^ `(` type($shared_down) `)`)? (`residual` $residual^ `(` type($residual) `)`)? attr-dict
    `:` type($hidden) `,` type($offsets) `,` type($order) `,` type($down) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // MOEC_DIALECTS_MOE_EXPERTOPS_TD
