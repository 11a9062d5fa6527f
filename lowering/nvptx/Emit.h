// The families of kernels: each function emits the body of a kernel that computes one op.
#ifndef MOEC_LOWERING_NVPTX_EMIT_H
#define MOEC_LOWERING_NVPTX_EMIT_H

#include "lowering/nvptx/KernelFrame.h"

namespace moec::lowering::nvptx {

void emit(KernelFrame &frame, moe::LinearOp op);
void emit(KernelFrame &frame, moe::GroupedLinearOp op);
void emit(KernelFrame &frame, moe::GateUpOp op);

void emit(KernelFrame &frame, moe::DispatchOp op);
void emit(KernelFrame &frame, moe::ExpertHiddenOp op);
void emit(KernelFrame &frame, moe::CombineOp op);

void emit(KernelFrame &frame, moe::AttentionOp op);
void emit(KernelFrame &frame, moe::SelectPositionsOp op);
void emit(KernelFrame &frame, moe::PoolBlocksOp op);
void emit(KernelFrame &frame, moe::LatentAttentionOp op);
void emit(KernelFrame &frame, moe::AbsorbedAttentionOp op);

void emit(KernelFrame &frame, moe::EmbedOp op);
void emit(KernelFrame &frame, moe::GatherOutputsOp op);
void emit(KernelFrame &frame, moe::SampleOp op);

/// Row-wise ops, a block to a row; fails with an error on an op that is none.
mlir::LogicalResult emitRowwise(KernelFrame &frame);
/// The route of one row by the block's `threads`: `logits` to `ids` and `weights`. `token` is the row's token id where there is a
/// table. Ends with a barrier.
void emitRoute(KernelFrame &frame, int64_t threads, moe::RouteOp op, Pointer logits, Weight bias, Weight table, Number token,
               Number row, Pointer ids, Pointer weights);

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_EMIT_H
