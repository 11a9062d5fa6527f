// Dense arithmetic of a decoder: matrix products, norms, rotary embeddings, gated MLPs.
#ifndef MOEC_DIALECTS_MOE_DENSEOPS_TD
#define MOEC_DIALECTS_MOE_DENSEOPS_TD

include "dialects/moe/Attributes.td"

def MoE_LinearOp : MoE_Op<"linear", [Pure, AttrSizedOperandSegments]> {
  let summary = "matrix product with a weight: y = x W^T + bias + residual";
  let description = [{
    W is [out, in], as checkpoints store it.

    Constraints:
    * C1: W has rank 2, its rows are the result's width, its columns the input's.
    * C2: the bias has one element per column of the result.
    * C3: the residual has the result's type.

    Example:
    ```mlir
    %y = moe.linear %x, %w residual %r (tensor<?x80xf32>) : tensor<?x256xf32>, tensor<80x256xbf16> -> tensor<?x80xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, MoE_WeightType:$weight, Optional<MoE_WeightType>:$bias, Optional<MoE_Rows>:$residual,
                       DefaultValuedAttr<MoE_ComputeAttr, "::moec::moe::Compute::F32">:$compute);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = [{
    $input `,` $weight (`bias` $bias^ `(` type($bias) `)`)? (`residual` $residual^ `(` type($residual) `)`)? attr-dict
    `:` type($input) `,` type($weight) `->` type($result)
  }];
  let hasVerifier = 1;
}

def MoE_GroupedLinearOp : MoE_Op<"grouped_linear", [Pure]> {
  let summary = "matrix product with a block-diagonal weight: groups of columns, each with a matrix of its own";
  let description = [{
    W is [out, in / groups]; the columns of input and result are cut into groups, and group g of the result is group g of the input
    times the transpose of the g-th of as many parts of W's rows.

    Constraints:
    * C1: W has rank 2, its rows are the result's width, and its columns divide the input's width into groups, which divide the
      result's.

    Example:
    ```mlir
    %y = moe.grouped_linear %x, %w : tensor<?x512xf32>, tensor<64x128xbf16> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, MoE_WeightType:$weight,
                       DefaultValuedAttr<MoE_ComputeAttr, "::moec::moe::Compute::F32">:$compute);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "$input `,` $weight attr-dict `:` type($input) `,` type($weight) `->` type($result)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    int64_t getGroups() { return widthOf(getInput().getType()) / widthOf(getWeight().getType()); }
  }];
}

def MoE_RMSNormOp : MoE_Op<"rms_norm", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "y = x / sqrt(mean(x^2) + epsilon) x weight, in groups of columns";
  let description = [{
    Groups are as wide as the weight (a head's norm has the head's width); without a weight, `group` says how wide.
    Source: arXiv 1910.07467.

    Constraints:
    * C1: exactly one of the weight and `group` is given.
    * C2: the weight has rank 1, and its size (or `group`) divides the row's width.
    * C3: epsilon is not negative.

    Example:
    ```mlir
    %y = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : tensor<?x256xf32>, tensor<256xbf16>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, Optional<MoE_WeightType>:$weight, F64Attr:$epsilon, OptionalAttr<I64Attr>:$group);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "$input (`,` $weight^)? attr-dict `:` type($input) (`,` type($weight)^)?";
  let hasVerifier = 1;
}

def MoE_LayerNormOp : MoE_Op<"layer_norm", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "y = (x - mean(x)) / sqrt(variance(x) + epsilon) x weight + bias, in groups of columns";
  let description = [{
    Groups are as wide as the weight. Without a bias nothing is added. Source: arXiv 1607.06450.

    Constraints:
    * C1: weight and bias have rank 1 and one size, which divides the row's width.
    * C2: epsilon is not negative.

    Example:
    ```mlir
    %y = moe.layer_norm %x, %w, %b {epsilon = 1.0e-6 : f64} : tensor<?x128xf32>, tensor<128xbf16>, tensor<128xbf16>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, MoE_WeightType:$weight, Optional<MoE_WeightType>:$bias, F64Attr:$epsilon);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "$input `,` $weight (`,` $bias^)? attr-dict `:` type($input) `,` type($weight) (`,` type($bias)^)?";
  let hasVerifier = 1;
}

def MoE_RopeOp : MoE_Op<"rope", [Pure, AllTypesMatch<["input", "result"]>, AttrSizedOperandSegments]> {
  let summary = "rotary position embedding of every head";
  let description = [{
    The row is cut into heads of `head_dim` columns; `rotary` says what turns in each. With `position_scale` the whole row
    is scaled afterwards. With `block` a row turns as at the first position of its block of so many. Source: arXiv 2104.09864.

    In a function of tensors, each row turns by angles of its own: `by` has their cosines and sines, a column for each pair. Of `rotary`
    they replace the frequencies.

    Constraints:
    * C1: `head_dim` divides the row's width.
    * C2: the rotary slice lies within a head.
    * C3: cosines and sines have half as many columns as the slice, and come without theta, yarn, frequencies, position scale and block.

    Example:
    ```mlir
    %r = moe.rope %q at %batch {head_dim = 48 : i64, rotary = #moe.rotary<dims = 16, theta = 1.0e4, layout = interleaved, offset = 32>} : tensor<?x384xf32>
    %s = moe.rope %q by %cos, %sin : tensor<?x8xf32>, tensor<?x8xf32> {head_dim = 48 : i64, rotary = #moe.rotary<dims = 16, layout = half>} : tensor<?x384xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, Optional<MoE_BatchType>:$batch, Optional<MoE_Rows>:$cos, Optional<MoE_Rows>:$sin,
                       ConfinedAttr<I64Attr, [IntPositive]>:$head_dim, MoE_RotaryAttr:$rotary,
                       OptionalAttr<MoE_PositionScaleAttr>:$position_scale, DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "1">:$block);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = [{
    $input (`by` $cos^ `,` $sin `:` type($cos) `,` type($sin)) : (`at` $batch)? attr-dict `:` type($input)
  }];
  let builders = [
    OpBuilder<(ins "::mlir::Value":$input, "::mlir::Value":$batch, "int64_t":$headDim, "::moec::moe::RotaryAttr":$rotary,
                   CArg<"::moec::moe::PositionScaleAttr", "{}">:$positionScale, CArg<"int64_t", "1">:$block), [{
      build($_builder, $_state, input.getType(), input, batch, {}, {}, uint64_t(headDim), rotary, positionScale, uint64_t(block));
    }]>,
    OpBuilder<(ins "::mlir::Value":$input, "::mlir::Value":$cos, "::mlir::Value":$sin, "int64_t":$headDim,
                   "::moec::moe::RotaryAttr":$rotary), [{
      build($_builder, $_state, input.getType(), input, {}, cos, sin, uint64_t(headDim), rotary, {}, 1);
    }]>];
  let hasVerifier = 1;
}

def MoE_ScaleByPositionOp : MoE_Op<"scale_by_position", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "rows multiplied by a scale that grows with their position";
  let description = [{
    For queries of layers without a rotary embedding; `moe.rope` has the same scale as an attribute.

    Example:
    ```mlir
    %r = moe.scale_by_position %q at %batch {scale = #moe.position_scale<beta = 1.0e-1, original_positions = 8192, shift = 1>} : tensor<?x384xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, MoE_BatchType:$batch, MoE_PositionScaleAttr:$scale);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "$input `at` $batch attr-dict `:` type($input)";
}

def MoE_ActivateOp : MoE_Op<"activate", [Pure, AllTypesMatch<["gate", "up", "result"]>]> {
  let summary = "gate and up combined by an activation";
  let description = [{
    Example:
    ```mlir
    %h = moe.activate %gate, %up {activation = #moe.activation<kind = silu>} : tensor<?x512xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$gate, MoE_Rows:$up, MoE_ActivationAttr:$activation);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "$gate `,` $up attr-dict `:` type($result)";
}

def MoE_GateUpOp : MoE_Op<"gate_up", [Pure]> {
  let summary = "activation(gate x, up x): the first half of a gated MLP";
  let description = [{
    Constraints:
    * C1: gate and up are [intermediate, in]; in and intermediate are the widths of input and result.

    Example:
    ```mlir
    %h = moe.gate_up %x, %gate, %up {activation = #moe.activation<kind = silu>}
      : tensor<?x256xf32>, tensor<512x256xbf16>, tensor<512x256xbf16> -> tensor<?x512xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, MoE_WeightType:$gate, MoE_WeightType:$up, MoE_ActivationAttr:$activation,
                       DefaultValuedAttr<MoE_ComputeAttr, "::moec::moe::Compute::F32">:$compute);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "$input `,` $gate `,` $up attr-dict `:` type($input) `,` type($gate) `,` type($up) `->` type($result)";
  let hasVerifier = 1;
}

def MoE_GatedMLPOp : MoE_Op<"gated_mlp", [Pure]> {
  let summary = "down(activation(gate x, up x)) + residual";
  let description = [{
    Constraints:
    * C1: gate and up are [intermediate, in], down is [out, intermediate]; in and out are the widths of input and result.
    * C2: the residual has the result's type.

    Example:
    ```mlir
    %y = moe.gated_mlp %x, %gate, %up, %down {activation = #moe.activation<kind = silu>}
      : tensor<?x256xf32>, tensor<512x256xbf16>, tensor<512x256xbf16>, tensor<256x512xbf16> -> tensor<?x256xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, MoE_WeightType:$gate, MoE_WeightType:$up, MoE_WeightType:$down, Optional<MoE_Rows>:$residual,
                       MoE_ActivationAttr:$activation, DefaultValuedAttr<MoE_ComputeAttr, "::moec::moe::Compute::F32">:$compute);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = [{
    $input `,` $gate `,` $up `,` $down (`residual` $residual^ `(` type($residual) `)`)? attr-dict
    `:` type($input) `,` type($gate) `,` type($up) `,` type($down) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // MOEC_DIALECTS_MOE_DENSEOPS_TD
