// What a model consists of besides arithmetic: weights, caches, embedding, the choice of outputs, groups of row-wise ops.
#ifndef MOEC_DIALECTS_MOE_MODELOPS_TD
#define MOEC_DIALECTS_MOE_MODELOPS_TD

include "dialects/moe/Attributes.td"

def MoE_WeightOp : MoE_Op<"weight", [Symbol]> {
  let summary = "a weight: a named reference to slices of files";
  let description = [{
    Declares a constant tensor whose first dimension is the concatenation of its slices. Stacked experts are a slice an
    expert, heads of a latent projection a slice a head, in runs where they lie evenly; fused projections are a slice a projection. No pass reads the bytes.

    Constraints:
    * C1: the rows of the slices add up to the first dimension.
    * C2: there is at least one slice.
    * C3: a slice with strides is one matrix: rows of a weight of rank 2, or one entry of a weight of rank 3.
    * C4: elements in words are unsigned integers, and a word has no more bits for each than the weight's elements.

    Example:
    ```mlir
    moe.weight @norm : tensor<256xbf16> = [#moe.slice<"model.norm.weight" in "model.safetensors" at 4096 rows 256>]
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrBase<"::mlir::RankedTensorType", "tensor type">:$type, MoE_SliceArrayAttr:$slices);
  let assemblyFormat = "$sym_name `:` $type `=` $slices attr-dict";
  let hasVerifier = 1;
}

def MoE_GetWeightOp : MoE_Op<"get_weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a weight";
  let description = [{
    Constraints:
    * C1: the symbol names a `moe.weight` of the result's type.

    Example:
    ```mlir
    %w = moe.get_weight @norm : tensor<256xbf16>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs MoE_WeightType:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def MoE_DequantizeOp : MoE_Op<"dequantize", [Pure, AttrSizedOperandSegments,
                                             TypesMatchWith<"the result has the values' shape in f32", "values", "result",
                                                            "::moec::moe::dequantizedType($_self)">]> {
  let summary = "the weight that stored numbers and their scales stand for";
  let description = [{
    What `#moe.number_format` says, exactly. It names a weight and moves nothing: kernels read the stored numbers and dequantise them
    in registers, so its result is only ever an operand of products.

    Constraints:
    * C1: the values have rank 2 or 3.
    * C2: there is a scale for each block: [blocks of rows, blocks of columns], for values of rank 3 either that for each entry, or
      the entries' rows follow one another in the tensor whose blocks are counted.
    * C3: scales and global scale are floats.
    * C4: a zero point is of integers.
    * C5: the global scale has one element for each entry of values of rank 3, else one; it is there when it divides.
    * C6: a cut lies within the rows it is cut from.
    * C7: zeros are bytes, ui8, in the shape of the scales, and the values unsigned integers.

    Example:
    ```mlir
    %w = moe.dequantize %v by %s as <rows = 128, columns = 128> : tensor<136x200xf8E4M3FN>, tensor<2x2xf32>
    ```
  }];
  let arguments = (ins MoE_WeightType:$values, MoE_WeightType:$scales, Optional<MoE_WeightType>:$global,
                       Optional<MoE_WeightType>:$zeros, MoE_NumberFormatAttr:$format);
  let results = (outs MoE_WeightType:$result);
  let assemblyFormat = [{
    $values `by` $scales (`global` $global^ `(` type($global) `)`)? (`zeros` $zeros^ `(` type($zeros) `)`)? `as` $format attr-dict `:` type($values) `,` type($scales)
  }];
  let hasVerifier = 1;
}

def MoE_CacheOp : MoE_Op<"cache", [Symbol]> {
  let summary = "a key/value cache: one row per position of every sequence";
  let description = [{
    Rows are of the given width; rows beyond a sequence's length are undefined. With `block` there is a row for each block of so
    many positions, row b for positions from b x block on.

    Constraints:
    * C1: the type is `tensor<?xWxf32>` or `tensor<?xWxbf16>` with W static.

    Example:
    ```mlir
    moe.cache @layers.0.latent : tensor<?x80xf32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrBase<"::mlir::RankedTensorType", "tensor type">:$type,
                       DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "1">:$block);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
  let hasVerifier = 1;
}

def MoE_AppendOp : MoE_Op<"append", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "write the new tokens' rows into a cache";
  let description = [{
    For each token, its rows of all `values`, one after the other, become the row of its position in its sequence's cache,
    rounded to the cache's type. To a cache with a row for each block, only tokens that end a block write.

    Constraints:
    * C1: the symbol names a `moe.cache` whose width is the sum of the values' widths.
    * C2: there is at least one value.

    Example:
    ```mlir
    moe.append %latent, %k_pe to @layers.0.latent at %batch : tensor<?x64xf32>, tensor<?x16xf32>
    ```
  }];
  let arguments = (ins Variadic<MoE_Rows>:$values, MoE_BatchType:$batch, FlatSymbolRefAttr:$cache);
  let assemblyFormat = "$values `to` $cache `at` $batch attr-dict `:` type($values)";
  let hasVerifier = 1;
}

def MoE_EmbedOp : MoE_Op<"embed", [Pure]> {
  let summary = "rows of a table, by token id";
  let description = [{
    Ids outside the table cannot reach a step: whoever runs one checks them. A result that is n times as wide as the table has the
    row n times, one behind the other.

    Constraints:
    * C1: the table has rank 2, and its width divides the result's.

    Example:
    ```mlir
    %x = moe.embed %ids, %table : tensor<4096x256xbf16> -> tensor<?x256xf32>
    ```
  }];
  let arguments = (ins MoE_TokenIds:$ids, MoE_WeightType:$table);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "$ids `,` $table attr-dict `:` type($table) `->` type($result)";
  let hasVerifier = 1;
}

def MoE_GatherOutputsOp : MoE_Op<"gather_outputs", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "the rows of the tokens whose result the caller wants";
  let description = [{
    For generation that is each sequence's last token. Everything after this op has one row per output, in token order.

    Example:
    ```mlir
    %last = moe.gather_outputs %x at %batch : tensor<?x256xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, MoE_BatchType:$batch);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "$input `at` $batch attr-dict `:` type($input)";
}

def MoE_SampleOp : MoE_Op<"sample", [Pure]> {
  let summary = "the next token of each output, chosen from its logits";
  let description = [{
    A row of the settings has five words of 32 bits:

    | word | what it says |
    |---|---|
    | 0 | what is wanted: 0 nothing, 1 the largest logit, 2 a draw |
    | 1 | log2(e) / temperature, an f32 |
    | 2 | how many of the likeliest ids are kept; 0 for all |
    | 3 | the share of their weight that the likeliest of these must have to be kept, in units of 2^-32; 0 for all |
    | 4 | a random number, unsigned |

    Ids are likelier the larger their logit is, and the lower they are where logits are equal; what is no number is least likely.
    The result is -1 where nothing is wanted, the likeliest id where the largest logit is, or where that is infinite or no number.
    Everything else is in integers, so that every machine draws the same:

    * The weight of a logit l is 2^40 x 2^d, rounded down, for d = (l - m) x word 1, where m is the largest logit and each operation
      rounds to f32; 0 below d = -64 and for what is no number. With n = d rounded to nearest even and f = d - n, 2^f is
      the sum of ln(2)^i / i! x f^i for i up to 6 by Horner's rule, fused and rounded to f32 at each step.
    * Kept are the `word 2` likeliest ids; of these as few of the likeliest as weigh at least floor(t x word 3 / 2^32), and at least 1
      in all, where t is the weight of those.
    * Drawn is the first id, from 0 on, up to which the kept ids weigh more than floor(t x word 4 / 2^32), where t is the weight of
      all that are kept.

    Example:
    ```mlir
    %token = moe.sample %logits by %settings : tensor<?x4096xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$logits, MoE_Sampling:$settings);
  let results = (outs MoE_ChosenTokens:$result);
  let assemblyFormat = "$logits `by` $settings attr-dict `:` type($logits)";
}

def MoE_RowwiseOp : MoE_Op<"rowwise", [IsolatedFromAbove, SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects]> {
  let summary = "a group of ops that treat each row by itself";
  let description = [{
    Means what its region means; that the region runs row by row is what makes the group one kernel. Made by
    `moe-fuse-rowwise`: norms, residual sums, rotary embeddings, slices, cache writes and routing between two matrix products.

    Constraints:
    * C1: the region's arguments have the operands' types, and its terminator yields the results' types.
    * C2: the region holds only `moe.rms_norm`, `moe.layer_norm`, `moe.rope`, `moe.scale_by_position`, `moe.append`, `moe.route`, `moe.columns`, `moe.activate`,
      `moe.stream_weights`, `moe.merge_streams`, `moe.mix_streams` and `arith` ops.

    Example:
    ```mlir
    %sum, %normed = moe.rowwise(%x, %y, %w) : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    ^bb0(%a: tensor<?x8xf32>, %b: tensor<?x8xf32>, %v: tensor<8xf32>):
      %s = arith.addf %a, %b : tensor<?x8xf32>
      %n = moe.rms_norm %s, %v {epsilon = 1.0e-6 : f64} : tensor<?x8xf32>, tensor<8xf32>
      moe.yield %s, %n : tensor<?x8xf32>, tensor<?x8xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$inputs);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`(` $inputs `)` attr-dict `:` functional-type($inputs, results) $body";
  let hasVerifier = 1;
}

def MoE_YieldOp : MoE_Op<"yield", [Pure, Terminator, ReturnLike, ParentOneOf<["RowwiseOp"]>]> {
  let summary = "the results of a group";
  let description = [{
    Example: see `moe.rowwise`.
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
}

def MoE_ColumnsOp : MoE_Op<"columns", [Pure]> {
  let summary = "a range of columns of every row";
  let description = [{
    `tensor.extract_slice` without the row count, which a ragged batch does not have as a value.

    Constraints:
    * C1: columns [offset, offset + width of the result) lie within the input.

    Example:
    ```mlir
    %k_pe = moe.columns %kv from 64 : tensor<?x80xf32> -> tensor<?x16xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$input, ConfinedAttr<I64Attr, [IntNonNegative]>:$offset);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "$input `from` $offset attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

#endif // MOEC_DIALECTS_MOE_MODELOPS_TD
