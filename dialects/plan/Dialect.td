// The dialect itself, its enums and attributes, and the base of its operations.
#ifndef MOEC_DIALECTS_PLAN_DIALECT_TD
#define MOEC_DIALECTS_PLAN_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Plan_Dialect : Dialect {
  let name = "plan";
  let summary = "a compiled step: kernels, buffers and launches";
  let description = [{
    A kernel is keyed by what it computes and shared by all the places that need it; a program is a list of launches over
    buffers whose addresses the runtime knows before it starts. Every op is one record of the artifact's manifest
    (runtime/schema/Artifact.fbs), so that writing an artifact takes no decisions.
  }];
  let cppNamespace = "::moec::plan";
  let useDefaultAttributePrinterParser = 1;
}

class Plan_Op<string mnemonic, list<Trait> traits = []> : Op<Plan_Dialect, mnemonic, traits>;

class Plan_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::moec::plan";
  let genSpecializedAttr = 0;
}

def Plan_ExtentEnum : Plan_Enum<"Extent", "what a count grows with", [
  I32EnumAttrCase<"Constant", 0, "constant">,     // the number itself
  I32EnumAttrCase<"Tokens", 1, "tokens">,         // new tokens of the step
  I32EnumAttrCase<"Outputs", 2, "outputs">,       // tokens whose result is wanted
  I32EnumAttrCase<"Sequences", 3, "sequences">]>; // sequences of the step
def Plan_ExtentAttr : EnumAttr<Plan_Dialect, Plan_ExtentEnum, "extent">;

def Plan_BufferKindEnum : Plan_Enum<"BufferKind", "where a buffer's memory is", [
  I32EnumAttrCase<"Arena", 0, "arena">,                  // in the step's arena, live for a part of the step
  I32EnumAttrCase<"Weight", 1, "weight">,                // a plan.weight: the array of its parts' addresses
  I32EnumAttrCase<"Constant", 2, "constant">,            // a plan.constant
  I32EnumAttrCase<"Cache", 3, "cache">,                  // a plan.cache: the base of its pages
  I32EnumAttrCase<"TokenIds", 4, "token_ids">,           // i32 [tokens]
  I32EnumAttrCase<"Positions", 5, "positions">,          // i32 [tokens]
  I32EnumAttrCase<"TokenSequence", 6, "token_sequence">, // i32 [tokens]
  I32EnumAttrCase<"Starts", 7, "starts">,                // i32 [sequences + 1]
  I32EnumAttrCase<"Pages", 8, "pages">,                  // i32 [sequences, max pages]
  I32EnumAttrCase<"OutputTokens", 9, "output_tokens">,   // i32 [outputs]
  I32EnumAttrCase<"Sampling", 10, "sampling">]>;         // i32 [outputs, 5], how the token of each is to be chosen: moe.sample
def Plan_BufferKindAttr : EnumAttr<Plan_Dialect, Plan_BufferKindEnum, "buffer_kind">;

def Plan_PartAttr : AttrDef<Plan_Dialect, "Part"> {
  let mnemonic = "part";
  let summary = "contiguous bytes of one file that are some leading rows of a weight";
  let description = [{
    `file` is a name relative to the module's `moe.folder`. Example: `#plan.part<"model.safetensors" at 4096 bytes 40960>`.

    With `times` and `every` it is a run of that many such parts, each beginning `every` bytes after the one before.
    Example: `#plan.part<"model.safetensors" at 4096 bytes 2048 times 16 every 6144>`.

    With strides a part is a matrix, of whose elements (r, c) lies `row_stride` x r + `column_stride` x c elements behind the first
    in the file. Kernels read rows of neighbouring elements, so whoever writes the artifact lays such parts out anew; `bytes` are
    those of the result. Example: `#plan.part<"model.safetensors" at 4096 bytes 2048 strides 1 by 64>`.

    With words, as many neighbours along dimension `word_axis` of that matrix (0: in a column, 1: in a row) as `words` has entries share
    a word of 32 bits in the file, the n-th at place `words`[n] from the low bits; strides count places, along that dimension from a
    word to the next.
    Example: `#plan.part<"model.safetensors" at 4096 bytes 2048 strides 8 by 512 words[0, 1, 2, 3, 4, 5, 6, 7] along 1>`.
  }];
  let parameters = (ins StringRefParameter<>:$file, "int64_t":$offset, "int64_t":$bytes,
                        DefaultValuedParameter<"int64_t", "1">:$times,
                        DefaultValuedParameter<"int64_t", "0">:$every,
                        DefaultValuedParameter<"int64_t", "0">:$row_stride,
                        DefaultValuedParameter<"int64_t", "0">:$column_stride,
                        OptionalArrayRefParameter<"int64_t">:$words,
                        DefaultValuedParameter<"int64_t", "-1">:$word_axis);
  let assemblyFormat = [{
    `<` $file `at` $offset `bytes` $bytes (`times` $times^ `every` $every)? (`strides` $row_stride^ `by` $column_stride)?
    (`words` `[` $words^ `]` `along` $word_axis)? `>`
  }];
  let genVerifyDecl = 1;
  let builders = [AttrBuilder<(ins "::llvm::StringRef":$file, "int64_t":$offset, "int64_t":$bytes, CArg<"int64_t", "1">:$times,
                                   CArg<"int64_t", "0">:$every), [{
    return $_get($_ctxt, file, offset, bytes, times, every, /*row_stride=*/0, /*column_stride=*/0,
                 /*words=*/::llvm::ArrayRef<int64_t>(), /*word_axis=*/-1);
  }]>];
  let extraClassDeclaration = [{
    /// Bytes of all parts of the run.
    int64_t getAllBytes() const { return getBytes() * getTimes(); }
    /// Where part `index` of the run begins.
    int64_t getOffsetOf(int64_t index) const { return getOffset() + index * getEvery(); }
    /// Whether elements do not simply follow each other in the file.
    bool isStrided() const { return getColumnStride() != 0; }
  }];
}
def Plan_PartArrayAttr : TypedArrayAttrBase<Plan_PartAttr, "array of parts">;
def Plan_PartRowsAttr : TypedArrayAttrBase<DenseI64ArrayAttr, "array of row counts">;

def Plan_TensorTypeAttr : TypeAttrBase<"::mlir::RankedTensorType", "tensor type">;
def Plan_Count : ConfinedAttr<I64Attr, [IntNonNegative]>;
def Plan_PositiveCount : ConfinedAttr<I64Attr, [IntPositive]>;

#endif // MOEC_DIALECTS_PLAN_DIALECT_TD
