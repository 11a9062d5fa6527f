// The dialect itself, its one type, and the base of its operations.
#ifndef MOEC_DIALECTS_MOE_DIALECT_TD
#define MOEC_DIALECTS_MOE_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def MoE_Dialect : Dialect {
  let name = "moe";
  let summary = "Mixture-of-Experts language models at the level of tensors";
  let description = [{
    A model is a function over a *ragged batch*: the token ids of any number of sequences, one after the other, and a
    `!moe.batch` that says which token belongs to which sequence and position. Activations are `tensor<?xWxf32>` with
    one row per token. Weights are references to slices of files (`moe.weight`), never bytes. Key/value caches are
    module-level symbols (`moe.cache`) with one row per position of every sequence; how they are paged is not visible here.

    All arithmetic is f32 (the reference evaluator accumulates in f64). An op with `compute = bf16` rounds its
    activations (never its weights, which keep their storage type) to bf16, to nearest even, where they enter a matrix product.
  }];
  let cppNamespace = "::moec::moe";
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
  }];
}

def MoE_BatchType : TypeDef<MoE_Dialect, "Batch"> {
  let mnemonic = "batch";
  let summary = "the ragged batch of one step";
  let description = [{
    Sequences, each with a number of new tokens, the position of its first new token (the length of its cache before the
    step), and the tokens whose result the caller wants. Written by the runtime, read by every op that depends on positions.
  }];
}

/// One row per token (or per output): tensor<?xWxf32>, W static.
def MoE_Rows : Type<CPred<"::moec::moe::isRows($_self)">, "tensor<?xWxf32> with static width W < 2^31">;
/// The ids of the tokens: tensor<?xi32>.
def MoE_TokenIds : Type<CPred<"::moec::moe::isTokenIds($_self)">, "tensor<?xi32>">,
  BuildableType<"::mlir::RankedTensorType::get({::mlir::ShapedType::kDynamic}, $_builder.getI32Type())">;
/// Positions that a token attends to, ascending, -1 where there are fewer: tensor<?xkxi32>.
def MoE_Positions : Type<CPred<"::moec::moe::isExpertIds($_self)">, "tensor<?xkxi32> with static k">;
/// The chosen experts, k per token: tensor<?xkxi32>.
def MoE_ExpertIds : Type<CPred<"::moec::moe::isExpertIds($_self)">, "tensor<?xkxi32> with static k">;
/// How the next token of each output is to be chosen: tensor<?x5xi32>, see moe.sample.
def MoE_Sampling : Type<CPred<"::moec::moe::isSampling($_self)">, "tensor<?x5xi32>">,
  BuildableType<"::moec::moe::samplingType($_builder.getContext())">;
/// A token for each output: tensor<?x1xi32>.
def MoE_ChosenTokens : Type<CPred<"::moec::moe::isExpertIds($_self) && ::moec::moe::widthOf($_self) == 1">, "tensor<?x1xi32>">,
  BuildableType<"::mlir::RankedTensorType::get({::mlir::ShapedType::kDynamic, 1}, $_builder.getI32Type())">;
/// A whole weight in its storage type.
def MoE_WeightType : Type<CPred<"::moec::moe::isWeight($_self)">, "statically shaped tensor of a float or integer storage type with rows of whole bytes">;

class MoE_Op<string mnemonic, list<Trait> traits = []> : Op<MoE_Dialect, mnemonic, traits>;

#endif // MOEC_DIALECTS_MOE_DIALECT_TD
