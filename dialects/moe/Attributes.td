// Attributes and enums of the moe dialect.
#ifndef MOEC_DIALECTS_MOE_ATTRIBUTES_TD
#define MOEC_DIALECTS_MOE_ATTRIBUTES_TD

include "dialects/moe/Dialect.td"

class MoE_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::moec::moe";
  let genSpecializedAttr = 0;
}

def MoE_ComputeEnum : MoE_Enum<"Compute", "type to which activations are rounded where they enter a matrix product", [
  I32EnumAttrCase<"F32", 0, "f32">,
  I32EnumAttrCase<"BF16", 1, "bf16">]>;
def MoE_ComputeAttr : EnumAttr<MoE_Dialect, MoE_ComputeEnum, "compute">;

def MoE_ScoreEnum : MoE_Enum<"Score", "router score function", [
  I32EnumAttrCase<"Softmax", 0, "softmax">,            // over all experts
  I32EnumAttrCase<"SoftmaxTopK", 1, "softmax_topk">,   // over the chosen logits only
  I32EnumAttrCase<"Sigmoid", 2, "sigmoid">,
  I32EnumAttrCase<"SqrtSoftplus", 3, "sqrt_softplus">,
  I32EnumAttrCase<"SparseMixer", 4, "sparse_mixer">]>; // over the logits near each chosen one
def MoE_ScoreAttr : EnumAttr<MoE_Dialect, MoE_ScoreEnum, "score">;

def MoE_GroupScoreEnum : MoE_Enum<"GroupScore", "score of a group of experts", [
  I32EnumAttrCase<"Max", 0, "max">,
  I32EnumAttrCase<"Top2Sum", 1, "top2_sum">]>;
def MoE_GroupScoreAttr : EnumAttr<MoE_Dialect, MoE_GroupScoreEnum, "group_score">;

def MoE_MaskFillEnum : MoE_Enum<"MaskFill", "selection score of an expert in a dropped group", [
  I32EnumAttrCase<"NegativeInfinity", 0, "negative_infinity">,
  I32EnumAttrCase<"Zero", 1, "zero">]>;
def MoE_MaskFillAttr : EnumAttr<MoE_Dialect, MoE_MaskFillEnum, "mask_fill">;

def MoE_RotaryLayoutEnum : MoE_Enum<"RotaryLayout", "which two elements of a rotary slice form a pair", [
  I32EnumAttrCase<"Interleaved", 0, "interleaved">,    // 2i and 2i + 1 (GPT-J)
  I32EnumAttrCase<"Half", 1, "half">]>;                // i and i + dims / 2 (NeoX, rotate_half)
def MoE_RotaryLayoutAttr : EnumAttr<MoE_Dialect, MoE_RotaryLayoutEnum, "rotary_layout">;

def MoE_ActivationKindEnum : MoE_Enum<"ActivationKind", "nonlinearity of the gate", [
  I32EnumAttrCase<"SiLU", 0, "silu">,
  I32EnumAttrCase<"GELU", 1, "gelu">,
  I32EnumAttrCase<"GELUTanh", 2, "gelu_tanh">,
  I32EnumAttrCase<"ReLU", 3, "relu">,
  I32EnumAttrCase<"Identity", 4, "identity">]>;
def MoE_ActivationKindAttr : EnumAttr<MoE_Dialect, MoE_ActivationKindEnum, "activation_kind">;

/// A double that prints so that it parses to the same bits.
class MoE_F64<string default = ""> : AttrOrTypeParameter<"::moec::moe::F64", "f64"> {
  let printer = "$_printer.printFloat(::llvm::APFloat($_self))";
  let defaultValue = !if(!empty(default), "", "::moec::moe::F64(" # default # ")");
}
def MoE_OptionalF64 : OptionalParameter<"std::optional<::moec::moe::F64>"> {
  let printer = "$_printer.printFloat(::llvm::APFloat(*$_self))";
}

/// Numbers that print so, too; null for none.
def MoE_OptionalNumbers : OptionalParameter<"::mlir::DenseF64ArrayAttr"> {
  let printer = "printNumbers($_printer, $_self)";
  let parser = "parseNumbers($_parser)";
}

class MoE_Attr<string name, string attrMnemonic, list<Trait> traits = []> : AttrDef<MoE_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def MoE_SliceAttr : MoE_Attr<"Slice", "slice"> {
  let summary = "bytes of one file that are some leading rows of a weight";
  let description = [{
    `rows` entries of the weight's first dimension, stored row-major in the weight's element type from byte `offset` of `file`,
    a name relative to the module's `moe.folder`. `tensor` is the name under which the checkpoint knows the bytes.
    Example: `#moe.slice<"model.norm.weight" in "model.safetensors" at 4096 rows 256>`.

    With `times` and `every` it is a run of that many such slices, each beginning `every` bytes after the one before, as experts and
    heads mostly lie in a file; `tensor` is the name of the first. Cost grows with runs, not with experts.
    Example: `#moe.slice<"experts.0.up_proj.weight" in "model.safetensors" at 4096 rows 1 times 16 every 12288>`.

    With strides, element (r, c) of the matrix that a slice is, or of each vector's row, lies `row_stride` x r + `column_stride` x c
    elements behind its first: a matrix stored transposed, or every second row. A slice of a weight of rank 3 is then one matrix.
    Example: `#moe.slice<"experts.gate_up_proj" in "model.safetensors" at 4096 rows 1 times 16 every 8192 strides 2 by 64>`.

    With words, the matrix is unsigned integers packed into words of 32 bits: as many neighbours along dimension `word_axis` (0: in a
    column, 1: in a row) as `words` has entries share one, the n-th of them at place `words`[n] counted from the low bits. A place
    takes 32 bits divided by the number of entries; the weight's elements may be wider. Strides count places: along that dimension
    from a word to the next, along the other as ever.
    Example: `#moe.slice<"up_proj.qweight" in "model.safetensors" at 4096 rows 64 strides 8 by 64 words[0, 4, 1, 5, 2, 6, 3, 7] along 0>`.
  }];
  let parameters = (ins StringRefParameter<>:$tensor, StringRefParameter<>:$file, "int64_t":$offset, "int64_t":$rows,
                        DefaultValuedParameter<"int64_t", "1">:$times,
                        DefaultValuedParameter<"int64_t", "0">:$every,
                        DefaultValuedParameter<"int64_t", "0">:$row_stride,
                        DefaultValuedParameter<"int64_t", "0">:$column_stride,
                        OptionalArrayRefParameter<"int64_t">:$words,
                        DefaultValuedParameter<"int64_t", "-1">:$word_axis);
  let assemblyFormat = [{
    `<` $tensor `in` $file `at` $offset `rows` $rows (`times` $times^ `every` $every)? (`strides` $row_stride^ `by` $column_stride)?
    (`words` `[` $words^ `]` `along` $word_axis)? `>`
  }];
  let genVerifyDecl = 1;
  let builders = [AttrBuilder<(ins "::llvm::StringRef":$tensor, "::llvm::StringRef":$file, "int64_t":$offset, "int64_t":$rows,
                                   CArg<"int64_t", "1">:$times, CArg<"int64_t", "0">:$every, CArg<"int64_t", "0">:$row_stride,
                                   CArg<"int64_t", "0">:$column_stride), [{
    return $_get($_ctxt, tensor, file, offset, rows, times, every, row_stride, column_stride, /*words=*/::llvm::ArrayRef<int64_t>(),
                 /*word_axis=*/-1);
  }]>];
  let extraClassDeclaration = [{
    /// Rows of all slices of the run.
    int64_t getAllRows() const { return getRows() * getTimes(); }
    /// Where slice `index` of the run begins.
    int64_t getOffsetOf(int64_t index) const { return getOffset() + index * getEvery(); }
    /// Whether elements do not simply follow each other.
    bool isStrided() const { return getColumnStride() != 0; }
    /// Bits of one of the numbers in a word.
    int64_t getPlaceBits() const { return 32 / int64_t(getWords().size()); }
  }];
}
def MoE_SliceArrayAttr : TypedArrayAttrBase<MoE_SliceAttr, "array of slices">;

def MoE_NumberFormatAttr : MoE_Attr<"NumberFormat", "number_format"> {
  let summary = "how stored numbers and their scales make a weight";
  let description = [{
    Blocks of `rows` x `columns` elements share a scale, counted from the first row and column; the last blocks of a row or column of
    blocks may be smaller. An element is (stored - zero) x its block's scale, times the global scale where there is one, or
    divided by it when it `divides`. Zero is `zero_point`, or, where blocks have zeros, the block's + `zero_point` modulo 2^(bits of an
    element). Element types are those of the tensors; elements narrower than a byte lie from its low bits up.

    Where a weight is a cut of a tensor, `tensor_rows` are the rows of the tensor (for rank 3: that each entry has in it) and
    `first_row` is where the cut begins: blocks are counted in the tensor. `tensor_rows` = 0 says that nothing was cut.
    Example: `#moe.number_format<rows = 128, columns = 128>`.
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns,
                        DefaultValuedParameter<"int64_t", "0">:$zero_point,
                        DefaultValuedParameter<"bool", "false">:$divides,
                        DefaultValuedParameter<"int64_t", "0">:$first_row,
                        DefaultValuedParameter<"int64_t", "0">:$tensor_rows);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def MoE_YarnAttr : MoE_Attr<"Yarn", "yarn"> {
  let summary = "YaRN interpolation of rotary frequencies (arXiv 2309.00071)";
  let description = [{
    Frequencies below the ramp are divided by `factor`, those above kept, linear between; the ramp lies between the dimensions
    that turn `beta_fast` and `beta_slow` times in `original_positions`, rounded outwards when `truncate`.
  }];
  let parameters = (ins MoE_F64<>:$factor, "int64_t":$original_positions,
                        MoE_F64<"32.0">:$beta_fast,
                        MoE_F64<"1.0">:$beta_slow,
                        DefaultValuedParameter<"bool", "true">:$truncate);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def MoE_PositionScaleAttr : MoE_Attr<"PositionScale", "position_scale"> {
  let summary = "scale that grows with the position: 1 + beta ln(1 + floor((position + shift) / original_positions))";
  let parameters = (ins MoE_F64<>:$beta, "int64_t":$original_positions,
                        DefaultValuedParameter<"int64_t", "0">:$shift);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def MoE_RotaryAttr : MoE_Attr<"Rotary", "rotary"> {
  let summary = "a rotary position embedding";
  let description = [{
    Rotates elements [offset, offset + dims) of every head; pair i turns by position x frequency(i), where frequency(i) =
    theta^(-2i/dims), changed by `yarn` when given, or frequencies[i]. cos and sin are multiplied with `multiplier`; `inverse` turns
    backwards. Without theta and frequencies the angles are given otherwise.
  }];
  let parameters = (ins "int64_t":$dims, MoE_OptionalF64:$theta, EnumParameter<MoE_RotaryLayoutEnum>:$layout,
                        DefaultValuedParameter<"int64_t", "0">:$offset,
                        MoE_F64<"1.0">:$multiplier,
                        DefaultValuedParameter<"bool", "false">:$inverse,
                        OptionalParameter<"::moec::moe::YarnAttr">:$yarn,
                        MoE_OptionalNumbers:$frequencies);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let builders = [AttrBuilder<(ins "int64_t":$dims, "::std::optional<::moec::moe::F64>":$theta, "::moec::moe::RotaryLayout":$layout,
                                   "int64_t":$offset, "::moec::moe::F64":$multiplier, "bool":$inverse,
                                   "::moec::moe::YarnAttr":$yarn), [{
    return $_get($_ctxt, dims, theta, layout, offset, multiplier, inverse, yarn, /*frequencies=*/::mlir::DenseF64ArrayAttr());
  }]>];
}

def MoE_ActivationAttr : MoE_Attr<"Activation", "activation"> {
  let summary = "how gate and up combine in a gated MLP";
  let description = [{
    y = f(min(g, gate_max)) x (clamp(u, -up_limit, up_limit) + up_offset), where f is `kind`, applied as g sigmoid(alpha g) for silu.
    Limits are infinite by default. silu alone is SwiGLU; gate_max = up_limit = 7, alpha = 1.702, up_offset = 1 is gpt-oss.
  }];
  let parameters = (ins EnumParameter<MoE_ActivationKindEnum>:$kind,
                        MoE_F64<"1.0">:$alpha,
                        MoE_OptionalF64:$gate_max,
                        MoE_OptionalF64:$up_limit,
                        MoE_F64<"0.0">:$up_offset);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def MoE_RoutingAttr : MoE_Attr<"Routing", "routing"> {
  let summary = "how router logits become expert ids and weights";
  let description = [{
    1. s = score(logits), in f32: softmax over all experts, sigmoid, or sqrt(softplus); for softmax_topk and sparse_mixer s = logits.
    2. selection key b = s + bias (when a bias operand is given; it never reaches the weights).
    3. with `groups` > 1 (experts cut into that many equal groups): a group's score is the `group_score` of its b; all but the
       `kept_groups` best groups get b = `mask_fill`.
    4. the k largest b choose the experts; ties go to the lowest id, and so do ties between groups.
    5. w = s of the chosen; softmax_topk: w = softmax(w); sparse_mixer: each w by a softmax of its own, over the experts e not chosen
       before it whose s is near its own: not (s - s_e) / max(|s_e|, s) > 2 x `jitter_epsilon`; `renormalize`: w = w / (sum w + epsilon);
       then w = w x scale.
    Sources: Mixtral (arXiv 2401.04088), DeepSeek-V2 (2405.04434), DeepSeek-V3 (2412.19437), PhiMoE (2409.12136) and their transformers
    classes.
  }];
  let parameters = (ins "int64_t":$k, EnumParameter<MoE_ScoreEnum>:$score,
                        DefaultValuedParameter<"int64_t", "1">:$groups,
                        DefaultValuedParameter<"int64_t", "1">:$kept_groups,
                        DefaultValuedParameter<"::moec::moe::GroupScore", "::moec::moe::GroupScore::Max">:$group_score,
                        DefaultValuedParameter<"::moec::moe::MaskFill", "::moec::moe::MaskFill::NegativeInfinity">:$mask_fill,
                        DefaultValuedParameter<"bool", "false">:$renormalize,
                        MoE_F64<"0.0">:$epsilon,
                        MoE_F64<"1.0">:$scale,
                        MoE_F64<"0.0">:$jitter_epsilon);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let builders = [AttrBuilder<(ins "int64_t":$k, "::moec::moe::Score":$score, "int64_t":$groups, "int64_t":$kept_groups,
                                   "::moec::moe::GroupScore":$group_score, "::moec::moe::MaskFill":$mask_fill, "bool":$renormalize,
                                   "::moec::moe::F64":$epsilon, "::moec::moe::F64":$scale), [{
    return $_get($_ctxt, k, score, groups, kept_groups, group_score, mask_fill, renormalize, epsilon, scale, /*jitter_epsilon=*/F64(0.0));
  }]>];
}

#endif // MOEC_DIALECTS_MOE_ATTRIBUTES_TD
