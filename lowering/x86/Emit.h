// The families of kernels: each function emits the body of a kernel that computes one op.
#ifndef MOEC_LOWERING_X86_EMIT_H
#define MOEC_LOWERING_X86_EMIT_H

#include "lowering/x86/KernelFrame.h"

namespace moec::lowering::x86 {

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

/// Row-wise ops, each row by itself; fails with an error on an op that is none.
mlir::LogicalResult emitRowwise(KernelFrame &frame);
/// The route of one row: `logits` to `ids` and `weights`. `token` is the row's token id where there is a table.
void emitRoute(KernelFrame &frame, moe::RouteOp op, Pointer logits, Weight bias, Weight table, Number token, Pointer ids,
               Pointer weights);

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_EMIT_H
