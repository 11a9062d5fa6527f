// A residual stream of several parallel streams: how layers read and write it. A row holds the streams one after the other.
#ifndef MOEC_DIALECTS_MOE_STREAMOPS_TD
#define MOEC_DIALECTS_MOE_STREAMOPS_TD

include "dialects/moe/Attributes.td"

def MoE_StreamWeightsOp : MoE_Op<"stream_weights", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "with what weights a layer reads n streams, writes to them, and mixes them";
  let description = [{
    A row is [pre | post | mix]: n, n and n x n columns, or pre alone. With s = scale of the part x input + base:
    pre = sigmoid(s) + epsilon, post = 2 sigmoid(s). mix, row by row, is made doubly stochastic by Sinkhorn and Knopp: softmax of
    each row, plus epsilon; columns divided by (their sum + epsilon); then `iterations` - 1 times rows and columns likewise.
    Source: manifold-constrained hyper-connections, arXiv 2512.24880.

    Constraints:
    * C1: the input has n or n x (n + 2) columns, for the n of `streams`.
    * C2: scale has one element for each part, base one for each column.
    * C3: epsilon is not negative.

    Example:
    ```mlir
    %w = moe.stream_weights %x, %scale, %base {streams = 4 : i64, iterations = 20 : i64, epsilon = 1.0e-6 : f64}
      : tensor<?x24xf32>, tensor<3xf32>, tensor<24xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, MoE_WeightType:$scale, MoE_WeightType:$base,
                       ConfinedAttr<I64Attr, [IntPositive]>:$streams, ConfinedAttr<I64Attr, [IntPositive]>:$iterations, F64Attr:$epsilon);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "$input `,` $scale `,` $base attr-dict `:` type($input) `,` type($scale) `,` type($base)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Whether there is more than pre.
    bool mixes() { return widthOf(getType()) != int64_t(getStreams()); }
  }];
}

def MoE_MergeStreamsOp : MoE_Op<"merge_streams", [Pure]> {
  let summary = "what a layer reads: the sum of the streams by their weights";
  let description = [{
    y = sum over i of pre[i] x stream i, where pre is the first columns of a row of weights.

    Constraints:
    * C1: the streams' width is a multiple, n times, of the result's, and the weights have at least n columns.

    Example:
    ```mlir
    %x = moe.merge_streams %streams by %w : tensor<?x1024xf32>, tensor<?x24xf32> -> tensor<?x256xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$streams, MoE_Rows:$weights);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "$streams `by` $weights attr-dict `:` type($streams) `,` type($weights) `->` type($result)";
  let hasVerifier = 1;
}

def MoE_MixStreamsOp : MoE_Op<"mix_streams", [Pure, AllTypesMatch<["streams", "result"]>]> {
  let summary = "what a layer leaves: the streams mixed, and its result added to each by weight";
  let description = [{
    stream j of the result = post[j] x input + sum over i of mix[i, j] x stream i.

    Constraints:
    * C1: the streams' width is a multiple, n times, of the input's, and the weights have n x (n + 2) columns.

    Example:
    ```mlir
    %next = moe.mix_streams %y into %streams by %w : tensor<?x256xf32>, tensor<?x1024xf32>, tensor<?x24xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, MoE_Rows:$streams, MoE_Rows:$weights);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "$input `into` $streams `by` $weights attr-dict `:` type($input) `,` type($streams) `,` type($weights)";
  let hasVerifier = 1;
}

#endif // MOEC_DIALECTS_MOE_STREAMOPS_TD
