// Which emitter a kernel is for.
#ifndef MOEC_LOWERING_KERNEL_EMITBYFAMILY_H
#define MOEC_LOWERING_KERNEL_EMITBYFAMILY_H

#include "dialects/moe/MoE.h"
#include "llvm/ADT/TypeSwitch.h"

namespace moec::lowering {

/// Emits the body of a kernel by the op it computes: one op of a family, or a group of row-wise ops. A target's `emit` has an
/// overload for each family.
template <typename KernelFrame> mlir::LogicalResult emitByFamily(KernelFrame &frame) {
  llvm::SmallVector<mlir::Operation *> ops;
  for (mlir::Operation &op : frame.kernel.getBody().front().without_terminator())
    if (!llvm::isa<moe::CacheOp, moe::DequantizeOp>(op))
      ops.push_back(&op);
  if (ops.size() != 1)
    return emitRowwise(frame);
  return llvm::TypeSwitch<mlir::Operation *, mlir::LogicalResult>(ops.front())
      .template Case<moe::LinearOp, moe::GroupedLinearOp, moe::GateUpOp, moe::DispatchOp, moe::ExpertHiddenOp, moe::CombineOp,
                     moe::AttentionOp, moe::SelectPositionsOp, moe::PoolBlocksOp, moe::LatentAttentionOp, moe::AbsorbedAttentionOp,
                     moe::EmbedOp, moe::GatherOutputsOp, moe::SampleOp>([&](auto op) {
        emit(frame, op);
        return mlir::success();
      })
      .Default([&](mlir::Operation *) { return emitRowwise(frame); });
}

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_EMITBYFAMILY_H
