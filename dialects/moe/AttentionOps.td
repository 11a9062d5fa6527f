// Attention. In a step, every op reads rows of caches that a moe.append earlier in the function has written; in a function of tensors,
// rows that are operands.
#ifndef MOEC_DIALECTS_MOE_ATTENTIONOPS_TD
#define MOEC_DIALECTS_MOE_ATTENTIONOPS_TD

include "dialects/moe/Attributes.td"

/// A number for each sequence: tensor<?xi64>.
def MoE_Counts : Type<CPred<"::moec::moe::isCounts($_self)">, "tensor<?xi64>">,
  BuildableType<"::mlir::RankedTensorType::get({::mlir::ShapedType::kDynamic}, $_builder.getI64Type())">;
/// What is added to scores: [sequences or 1, heads or 1, queries or 1, keys or 1].
def MoE_ScoreBias : Type<CPred<"::moec::moe::isScoreBias($_self)">, "tensor of f32 of rank 4">;

def MoE_AttentionOp : MoE_Op<"attention", [DeclareOpInterfaceMethods<SymbolUserOpInterface>,
                                           DeclareOpInterfaceMethods<MemoryEffectsOpInterface>, AttrSizedOperandSegments]> {
  let summary = "attention with grouped key/value heads";
  let description = [{
    Head h of the query attends with key/value head h / (heads / kv_heads) to all positions up to its own:
    p = softmax(scale x q k^T), o = p V. `window` keeps the last so many positions, `chunk` those in the query's own chunk of so many
    positions; `soft_cap` c makes scores c tanh(s / c); `sinks` adds exp(sink[h]) to the softmax's denominator.

    After `and` comes a cache of entries, each of which stands for a block of positions and is key and value at once. A token also
    attends, in the same softmax, to the entries of blocks that end at or before its own position: to all of them, or with `among` to
    those in its list, where -1 is none.

    In a function of tensors, keys and values are rows, after `across`. `of` has the number of keys of every sequence; sequences have
    equally many rows of the query, and of the keys, of which those beyond their number are seen by none. `from` has the
    position of each sequence's first query among its keys: a query sees the keys up to its own position, and none where that is no
    key's. Without it, every query sees all keys. `bias` is added to scores, soft-capped ones, with sizes of 1 repeated. A query that
    sees nothing, or only keys with a bias of minus infinity, gives zeros.

    Constraints:
    * C1: keys and values name caches, or are rows; `head_dim` divides the query's and the keys' width, kv_heads divides heads and the
      values' width.
    * C2: the result is heads x (values' width / kv_heads) wide.
    * C3: sinks have one element per head.
    * C4: at most one of `window` and `chunk` is given.
    * C5: entries are as wide as keys and as values, and come with any list.
    * C6: rows of keys come with rows of values and with their numbers, and without entries and `chunk`; `window` needs `from`.

    Example:
    ```mlir
    %o = moe.attention %q over @layers.0.keys, @layers.0.values at %batch {head_dim = 16 : i64, scale = 2.5e-1 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
    %p = moe.attention %q across %k, %v : tensor<?x32xf32>, tensor<?x32xf32> of %lengths from %first {head_dim = 16 : i64, scale = 2.5e-1 : f64} : tensor<?x64xf32> -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins MoE_Rows:$query, Optional<MoE_BatchType>:$batch, Optional<MoE_Positions>:$positions, Optional<MoE_WeightType>:$sinks,
                       Optional<MoE_Rows>:$key_rows, Optional<MoE_Rows>:$value_rows, Optional<MoE_Counts>:$lengths,
                       Optional<MoE_Counts>:$first, Optional<MoE_ScoreBias>:$bias,
                       OptionalAttr<FlatSymbolRefAttr>:$keys, OptionalAttr<FlatSymbolRefAttr>:$values, OptionalAttr<FlatSymbolRefAttr>:$entries,
                       ConfinedAttr<I64Attr, [IntPositive]>:$head_dim, F64Attr:$scale,
                       OptionalAttr<ConfinedAttr<I64Attr, [IntPositive]>>:$window, OptionalAttr<ConfinedAttr<I64Attr, [IntPositive]>>:$chunk,
                       OptionalAttr<F64Attr>:$soft_cap, DefaultValuedAttr<MoE_ComputeAttr, "::moec::moe::Compute::F32">:$compute);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = [{
    $query (`across` $key_rows^ `,` $value_rows `:` type($key_rows) `,` type($value_rows) `of` $lengths (`from` $first^)?
            (`bias` $bias^ `:` type($bias))?)
    : (`over` $keys `,` $values (`and` $entries^)? `at` $batch (`among` $positions^ `(` type($positions) `)`)?)?
    (`sinks` $sinks^ `(` type($sinks) `)`)? attr-dict `:` type($query) `->` type($result)
  }];
  let builders = [
    OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$query, "::mlir::Value":$batch, "::mlir::Value":$positions,
                   "::mlir::Value":$sinks, "::mlir::FlatSymbolRefAttr":$keys, "::mlir::FlatSymbolRefAttr":$values,
                   "::mlir::FlatSymbolRefAttr":$entries, "int64_t":$headDim, "double":$scale, "std::optional<int64_t>":$window,
                   "std::optional<int64_t>":$chunk)>,
    OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$query, "::mlir::Value":$keyRows, "::mlir::Value":$valueRows,
                   "const ::moec::moe::Attended &":$attended, "::mlir::Value":$sinks, "int64_t":$headDim, "double":$scale,
                   "std::optional<int64_t>":$window, "std::optional<double>":$softCap)>];
  let hasVerifier = 1;
}

def MoE_SelectPositionsOp : MoE_Op<"select_positions", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the positions that matter most to each token";
  let description = [{
    Position s of the token's sequence, up to the token's own, scores sum over heads h of weights[h] x max(q_h k_s, 0), where k_s is
    its row of the cache. The result has the k positions that score highest, in ascending order; ties go to the lowest position.
    Where fewer are visible, it has all of them and then -1. Source: arXiv 2512.02556.
    Over a cache with a row for each block of positions, s counts blocks, of which those that have ended are visible.

    Constraints:
    * C1: the symbol names a cache, and the query is a row of it for each head, of which there are as many as weights.

    Example:
    ```mlir
    %p = moe.select_positions %q, %w over @layers.0.index_keys at %batch : tensor<?x1024xf32>, tensor<?x8xf32> -> tensor<?x64xi32>
    ```
  }];
  let arguments = (ins MoE_Rows:$query, MoE_Rows:$weights, MoE_BatchType:$batch, FlatSymbolRefAttr:$cache);
  let results = (outs MoE_Positions:$positions);
  let assemblyFormat = [{
    $query `,` $weights `over` $cache `at` $batch attr-dict `:` type($query) `,` type($weights) `->` type($positions)
  }];
}

def MoE_PoolBlocksOp : MoE_Op<"pool_blocks", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a block of cached rows pooled into one, column by column";
  let description = [{
    Positions are cut into blocks of as many as the bias has rows. A cached row is [values | gates]. For the token that ends a block:
    entry = sum over the block's positions j of softmax_j(gates_j + bias_j) x values_j, with a softmax for each column. Rows of other
    tokens are zero.

    When the result is half as wide as the bias, blocks overlap: an entry pools the first halves of the rows of the block before,
    with those of the bias, and the second halves of its own, in one softmax over both. The first block has none before it.

    Constraints:
    * C1: the bias has rank 2, and the symbol names a cache with a row for each position, twice as wide.
    * C2: the result is as wide as the bias, or half as wide.

    Example:
    ```mlir
    %e = moe.pool_blocks over @layers.0.projected at %batch bias %b : tensor<4x256xf32> -> tensor<?x128xf32>
    ```
  }];
  let arguments = (ins MoE_BatchType:$batch, MoE_WeightType:$bias, FlatSymbolRefAttr:$cache);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = "`over` $cache `at` $batch `bias` $bias attr-dict `:` type($bias) `->` type($result)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Positions of a block.
    int64_t getBlockSize() { return ::llvm::cast<::mlir::RankedTensorType>(getBias().getType()).getDimSize(0); }
    /// Whether an entry also pools rows of the block before its own.
    bool overlaps() { return widthOf(getType()) != widthOf(getBias().getType()); }
  }];
}

class MoE_LatentOp<string mnemonic> : MoE_Op<mnemonic, [DeclareOpInterfaceMethods<SymbolUserOpInterface>,
                                                        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>, AttrSizedOperandSegments]> {
  let arguments = (ins MoE_Rows:$query, Optional<MoE_BatchType>:$batch, MoE_WeightType:$key_up, MoE_WeightType:$value_up,
                       Optional<MoE_Positions>:$positions, Optional<MoE_Rows>:$latents, Optional<MoE_Rows>:$past_keys,
                       Optional<MoE_Rows>:$past_values, Optional<MoE_Counts>:$lengths, Optional<MoE_Counts>:$first,
                       Optional<MoE_ScoreBias>:$bias, OptionalAttr<FlatSymbolRefAttr>:$cache, F64Attr:$scale,
                       DefaultValuedAttr<MoE_ComputeAttr, "::moec::moe::Compute::F32">:$compute);
  let results = (outs MoE_Rows:$result);
  let assemblyFormat = [{
    $query (`across` $latents^ `:` type($latents) (`after` $past_keys^ `,` $past_values `:` type($past_keys) `,` type($past_values))?
            `of` $lengths (`from` $first^)? (`bias` $bias^ `:` type($bias))?)
    : (`over` $cache `at` $batch (`among` $positions^ `(` type($positions) `)`)?)? `with` $key_up `,` $value_up attr-dict
    `:` type($query) `,` type($key_up) `,` type($value_up) `->` type($result)
  }];
  let builders = [
    OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$query, "::mlir::Value":$batch, "::mlir::Value":$keyUp,
                   "::mlir::Value":$valueUp, "::mlir::Value":$positions, "::mlir::FlatSymbolRefAttr":$cache, "double":$scale,
                   CArg<"::moec::moe::Compute", "::moec::moe::Compute::F32">:$compute), [{
      build($_builder, $_state, result, query, batch, keyUp, valueUp, positions, {}, {}, {}, {}, {}, {}, cache,
            $_builder.getF64FloatAttr(scale), ::moec::moe::ComputeAttr::get($_builder.getContext(), compute));
    }]>,
    OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$query, "::mlir::Value":$latents, "::mlir::Value":$pastKeys,
                   "::mlir::Value":$pastValues, "const ::moec::moe::Attended &":$attended, "::mlir::Value":$keyUp,
                   "::mlir::Value":$valueUp, "double":$scale), [{
      build($_builder, $_state, result, query, {}, keyUp, valueUp, {}, latents, pastKeys, pastValues, attended.lengths, attended.first,
            attended.bias, {}, $_builder.getF64FloatAttr(scale),
            ::moec::moe::ComputeAttr::get($_builder.getContext(), ::moec::moe::Compute::F32));
    }]>];
  let hasVerifier = 1;
}

def MoE_LatentAttentionOp : MoE_LatentOp<"latent_attention"> {
  let summary = "multi-head latent attention as the model writes it";
  let description = [{
    A cache row is [c | k_pe]: the normalised latent and the rotated key that all heads share. A query head is [nope | pe]. With
    key_up W_UK [heads, nope, latent] and value_up W_UV [heads, value, latent], for each head:
    k_s = [W_UK c_s | k_pe_s], v_s = W_UV c_s, p = softmax(scale x q k^T) over positions up to the query's own, o = p V.
    `among` narrows these to the token's own list; -1 in it is no position. Sources: arXiv 2405.04434, 2512.02556.

    In a function of tensors, the rows come after `across`; `of`, `from` and `bias` are as in `moe.attention`. Keys and values of heads
    that are known otherwise are rows after `after`: equally many for each sequence, before those that the latents give.

    Constraints:
    * C1: key_up and value_up have rank 3 and agree in heads and latent.
    * C2: the query is heads x (nope + cache width - latent) wide, the result heads x value.
    * C3: the symbol names a cache wider than the latent, or rows are.
    * C4: rows of latents come with numbers of keys; past keys are as wide as the query, past values as the result.

    Example:
    ```mlir
    %o = moe.latent_attention %q over @layers.0.latent at %batch with %w_uk, %w_uv {scale = 0.144 : f64}
      : tensor<?x384xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x256xf32>
    ```
  }];
}

def MoE_AbsorbedAttentionOp : MoE_LatentOp<"absorbed_attention"> {
  let summary = "multi-head latent attention re-associated: attention over the latent cache itself";
  let description = [{
    The same function as `moe.latent_attention`: q' = q_nope W_UK, score = scale x (q' c_s + q_pe k_pe_s), o = W_UV (p C). The
    projections are two small batched products at run time and are never multiplied into other weights.

    Constraints: as `moe.latent_attention`, C1 to C4, and
    * C5: nothing comes after `after`: keys of heads have no latent.

    Example:
    ```mlir
    %o = moe.absorbed_attention %q over @layers.0.latent at %batch with %w_uk, %w_uv {scale = 0.144 : f64}
      : tensor<?x384xf32>, tensor<8x32x64xbf16>, tensor<8x32x64xbf16> -> tensor<?x256xf32>
    ```
  }];
}

#endif // MOEC_DIALECTS_MOE_ATTENTIONOPS_TD
