// The passes over the moe dialect, and the phases they make up.
#ifndef MOEC_PASSES_PASSES_H
#define MOEC_PASSES_PASSES_H

#include "dialects/moe/MoE.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"
#include "passes/Cost.h"

namespace moec::passes {

/// What the weights of products are in a compiled model: as the checkpoint has them, or integers with a scale for every group of
/// neighbours.
enum class WeightFormat { AsStored, Int8, Int4 };

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

/// What the optimize phase can be told.
struct OptimizeOptions : mlir::PassPipelineOptions<OptimizeOptions> {
  Option<moe::Compute> compute{*this, "compute", llvm::cl::desc("type of activations in matrix products"),
                               llvm::cl::init(moe::Compute::F32),
                               llvm::cl::values(clEnumValN(moe::Compute::F32, "f32", "32-bit floats"),
                                                clEnumValN(moe::Compute::BF16, "bf16", "16-bit floats of the same range"))};
  Option<WeightFormat> weightFormat{*this, "weight-format", llvm::cl::desc("what the weights of products are rounded to"),
                                    llvm::cl::init(WeightFormat::AsStored),
                                    llvm::cl::values(clEnumValN(WeightFormat::AsStored, "as-stored", "nothing"),
                                                     clEnumValN(WeightFormat::Int8, "int8", "8 bits, groups of 128"),
                                                     clEnumValN(WeightFormat::Int4, "int4", "4 bits, groups of 32"))};
};

/// Imported moe in; the same model in one canonical form out.
void buildNormalize(mlir::OpPassManager &passes);
/// Normalized moe in; specialised, fused and grouped moe out, ready to be planned.
void buildOptimize(mlir::OpPassManager &passes, const OptimizeOptions &options);

/// Registers every pass, and the phases as --moe-normalize and --moe-optimize.
void registerMoEPasses();

} // namespace moec::passes

#endif // MOEC_PASSES_PASSES_H
