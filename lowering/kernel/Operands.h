// What the larger families of kernels are given: buffers and sizes by the names of their ops.
#ifndef MOEC_LOWERING_KERNEL_OPERANDS_H
#define MOEC_LOWERING_KERNEL_OPERANDS_H

#include "lowering/kernel/KernelArguments.h"

namespace moec::lowering {

struct AttentionOperands {
  AttentionOperands(const KernelArguments &arguments, moe::AttentionOp op);

  Batch batch;
  Cache keys, values;
  std::optional<Cache> entries;
  Weight sinks;
  Pointer query, result;
  Pointer lists; ///< of the entries to attend to, `listed` a token; without a builder if there are none
  int64_t listed = 0;
  int64_t headDim, queryWidth, resultWidth, keyHeads, valueDim;
  int64_t group; ///< query heads that share a key/value head
};

/// Of both forms of latent attention.
struct LatentOperands {
  template <typename OpT>
  LatentOperands(const KernelArguments &arguments, OpT op)
      : batch(arguments.batch(op.getBatch())), cache(arguments.cache(op.getCacheAttr())), keyUp(arguments.weight(op.getKeyUp())),
        valueUp(arguments.weight(op.getValueUp())), query(arguments.buffer(op.getQuery())), result(arguments.result(0)) {
    if (op.getPositions()) {
      positions = arguments.buffer(op.getPositions());
      listed = moe::widthOf(op.getPositions().getType());
    }
  }

  Batch batch;
  Cache cache;
  Weight keyUp, valueUp;
  Pointer query, result;
  Pointer positions; ///< lists of those to attend to, `listed` a token; without a builder if there are none
  int64_t listed = 0;
};

struct LatentSizes {
  template <typename OpT>
  LatentSizes(const LatentOperands &operands, OpT op)
      : LatentSizes(llvm::cast<mlir::RankedTensorType>(op.getKeyUp().getType()),
                    llvm::cast<mlir::RankedTensorType>(op.getValueUp().getType()), operands.cache) {}

  int64_t heads, nope, latent, rotary;
  int64_t query, value; ///< of one head

private:
  LatentSizes(mlir::RankedTensorType keyUp, mlir::RankedTensorType valueUp, const Cache &cache)
      : heads(keyUp.getDimSize(0)), nope(keyUp.getDimSize(1)), latent(keyUp.getDimSize(2)), rotary(cache.width - latent),
        query(nope + rotary), value(valueUp.getDimSize(1)) {}
};

/// The rows of hidden columns that moe.expert_hidden writes and moe.combine reads: k slots, then the shared experts' columns.
struct HiddenRows {
  Pointer base;
  int64_t width, k, intermediate;

  /// Where an assignment's slot begins, and where the shared columns of a row do.
  Pointer slot(Number assignment) const { return base + assignment / k * width + assignment % k * intermediate; }
  Pointer shared(Number row) const { return base + row * width + k * intermediate; }
};

struct ExpertHiddenOperands {
  ExpertHiddenOperands(const KernelArguments &arguments, moe::ExpertHiddenOp op);

  Weight gate, up, gateBias, upBias, sharedGate, sharedUp;
  Pointer input, offsets, order;
  Pointer weights; ///< of the experts' inputs; without a builder if there are none
  int64_t experts, intermediate, in, k;
  HiddenRows hidden; ///< the result
};

struct CombineOperands {
  CombineOperands(const KernelArguments &arguments, moe::CombineOp op);

  Weight down, downBias, sharedDown;
  Pointer offsets, order, result;
  Pointer weights, residual; ///< without a builder if there are none
  int64_t experts, out, intermediate, k;
  HiddenRows hidden;
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_OPERANDS_H
