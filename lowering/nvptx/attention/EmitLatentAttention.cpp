// Multi-head latent attention: by matrix units in two forms, or re-associated, a block for one head of one token.
#include "lowering/kernel/NumberFormat.h"
#include "lowering/kernel/Operands.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/attention/LatentByMatrix.h"
#include "lowering/nvptx/attention/PagedSoftmax.h"
#include "lowering/nvptx/positions/PositionLists.h"
#include "lowering/nvptx/products/WarpProduct.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

template <typename LatentOp>
static void emitByThreads(KernelFrame &frame, LatentOp op, const LatentOperands &operands, const LatentSizes &sizes) {
  KernelBuilder &b = frame.b;
  const auto &[batch, cache, keyUp, valueUp, queries, results, positions, listed] = operands;
  bool rounds = op.getCompute() == moe::Compute::BF16;
  constexpr int64_t threads = PagedSoftmax::threads;
  frame.launch(threads, {KernelFrame::constant(sizes.heads), frame.perRow()});
  auto rounded = [&](Number x) { return rounds ? b.roundToBf16(x) : x; };

  Number head = b.block(0), token = b.block(1);
  Number sequence = (batch.tokenSequence + token).loadIndex(), position = (batch.positions + token).loadIndex();
  Pointer query = queries + (token * sizes.heads + head) * sizes.query;

  // The query over a cache row: [q_nope W_UK | q_pe].
  Pointer nopeQuery = frame.allocateShared(b.f32, sizes.nope);
  PagedSoftmax softmax(frame, cache.width, sizes.latent);
  b.forThreads(b.integer(sizes.nope), threads, [&](Number i) { (nopeQuery + i).store(rounded((query + i).load())); });
  b.forThreads(b.integer(sizes.rotary), threads,
               [&](Number i) { (softmax.query + sizes.latent + i).store(rounded((query + sizes.nope + i).load())); });
  b.barrier();
  b.forThreads(b.integer(sizes.latent), threads, [&](Number column) {
    Number sum = b.forRange(b.integer(0), b.integer(sizes.nope), 1, {b.real(0)}, [&](Number i, ArrayRef<Number> sums) {
      return KernelBuilder::Numbers{
          fma(loadElements(keyUp.storage(), keyUp.matrixRow(head, i), column, 0), (nopeQuery + i).load(), sums[0])};
    })[0];
    (softmax.query + column).store(rounded(sum));
  });

  Number end = position + 1;
  std::optional<PositionLists> lists;
  if (listed)
    end = lists.emplace(b, positions, listed).lengthOf(token);
  auto offset = [&](Number index) { return frame.cacheOffset(cache, batch, sequence, lists ? lists->at(token, index) : index); };
  PagedSoftmax::Rows rows{cache.base, offset};
  PagedSoftmax::State state =
      softmax.meet(softmax.start(), b.integer(0), end, {.scale = op.getScale().convertToDouble()}, rows, rows);
  Pointer context = softmax.finish(state);
  b.barrier();

  Pointer result = results + (token * sizes.heads + head) * sizes.value;
  WarpProduct product(b, valueUp.storage(), op.getCompute(), sizes.latent);
  b.forRange(b.warp(), b.integer(sizes.value), threads / warpSize, [&](Number column) {
    Number sum = product.dot(valueUp.matrixRow(head, column), context);
    b.ifThen(b.lane() == 0, [&] { (result + column).store(sum); });
  });
}

template <typename LatentOp> static void emitLatent(KernelFrame &frame, LatentOp op, LatentByMatrix::Forms forms) {
  LatentOperands operands(frame, op);
  LatentSizes sizes(operands, op);
  double scale = op.getScale().convertToDouble();
  bool isBf16 = op.getCompute() == moe::Compute::BF16 && operands.cache.base.element.isBF16();
  if (isBf16 && LatentByMatrix::fits(frame.b.target, operands, sizes)) {
    LatentByMatrix(frame, operands, sizes, scale, forms).emit();
  } else {
    frame.noteThreads(op.getCompute(), "type of the cache, format of the projections or sizes do not suit");
    emitByThreads(frame, op, operands, sizes);
  }
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::LatentAttentionOp op) {
  emitLatent(frame, op, LatentByMatrix::ofPrefill);
}
void moec::lowering::nvptx::emit(KernelFrame &frame, moe::AbsorbedAttentionOp op) {
  emitLatent(frame, op, LatentByMatrix::ofDecode);
}
