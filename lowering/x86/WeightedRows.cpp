// Tiles of weighted sums of rows.
#include "lowering/x86/WeightedRows.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::x86;

namespace {

/// The arguments of the function all kernels share.
struct Operands {
  Pointer weights, rows, result;
  Number weightStride, rowStride, count, resultRows, width, resultStride;
};

} // namespace

/// `height` result rows from `m`, `vectors` vectors of `lanes` columns (0: one column) from `d`.
static void emitTile(KernelBuilder &b, const Operands &o, Number m, Number d, int64_t height, int64_t vectors, int64_t lanes) {
  auto resultAt = [&](int64_t r, int64_t v) { return o.result + (m + r) * o.resultStride + d + v * lanes; };
  SmallVector<Number> initial;
  for (int64_t r = 0; r < height; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      initial.push_back(resultAt(r, v).load(lanes));
  SmallVector<Number> sums = b.forRange(b.integer(0), o.count, 1, initial, [&](Number s, ArrayRef<Number> before) {
    SmallVector<Number> after(before), weights;
    for (int64_t r = 0; r < height; ++r)
      weights.push_back((o.weights + (m + r) * o.weightStride + s).load().splat(lanes));
    for (int64_t v = 0; v < vectors; ++v) {
      Number row = (o.rows + s * o.rowStride + d + v * lanes).loadF32(lanes);
      for (int64_t r = 0; r < height; ++r)
        after[r * vectors + v] = fma(weights[r], row, before[r * vectors + v]);
    }
    return after;
  });
  for (int64_t r = 0; r < height; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      resultAt(r, v).store(sums[r * vectors + v]);
}

static void emitRows(KernelBuilder &b, const Operands &o, Number m, int64_t height, int64_t vectors) {
  Number d = b.integer(0), wide = o.width - o.width % (vectors * b.lanes), whole = o.width - o.width % b.lanes;
  b.forRange(d, wide, vectors * b.lanes, [&](Number column) { emitTile(b, o, m, column, height, vectors, b.lanes); });
  b.forRange(wide, whole, b.lanes, [&](Number column) { emitTile(b, o, m, column, height, 1, b.lanes); });
  b.forRange(whole, o.width, 1, [&](Number column) { emitTile(b, o, m, column, height, 1, 0); });
}

void moec::lowering::x86::addWeightedRows(KernelBuilder &b, Matrix weights, Matrix rows, Number count, Matrix result,
                                          Number resultRows, int64_t width) {
  Type element = rows.base.element;
  StringRef type = element.isBF16() ? "bf16" : element.isF16() ? "f16" : "f32";
  SmallVector<Value> arguments{weights.base, b.integer(weights.stride), rows.base,  b.integer(rows.stride), count,
                               result.base,  b.integer(result.stride),  resultRows, b.integer(width)};
  b.callShared(("moec.weighted_rows." + type).str(), arguments, [&](ArrayRef<Number> a) {
    Operands o{b.pointer(a[0], b.f32), b.pointer(a[2], element), b.pointer(a[5], b.f32), a[1], a[3], a[4], a[7], a[8], a[6]};
    // Tall tiles use a row for many results; a single result takes whole rows instead, as memory likes to give them.
    int64_t height = 4, tallVectors = b.target.vectorRegisters / 8, lowVectors = b.target.vectorRegisters / 2;
    Number tall = o.resultRows - o.resultRows % height;
    b.forRange(b.integer(0), tall, height, [&](Number m) { emitRows(b, o, m, height, tallVectors); });
    b.forRange(tall, o.resultRows, 1, [&](Number m) { emitRows(b, o, m, 1, lowVectors); });
  });
}
