// The rows that lanes take, and the sum over warps.
#include "lowering/nvptx/products/MatrixProduct.h"

#include "lowering/nvptx/products/WarpSums.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// Chunks that a lane has on their way at most: 32 KiB of a block, enough for a multiprocessor that has this block alone.
static constexpr int64_t mostChunksAhead = 16;

bool MatrixProduct::covers(const Target &target, moe::Compute compute, const Storage &storage, int64_t width,
                           ArrayRef<int64_t> strides) {
  auto isAligned = [](int64_t columns) { return columns % WeightCodes::laneColumns == 0; };
  return target.hasMatrixUnits && compute == moe::Compute::BF16 && WeightCodes::covers(storage, width) && isAligned(width) &&
         llvm::all_of(strides, isAligned);
}

/// Steps that a warp copies ahead.
static int64_t stepsAhead(const WeightCodes &codes, int64_t groups) {
  uint64_t steps = uint64_t(codes.unitsOfPart() / codes.unitsOfStep());
  return std::min(int64_t(llvm::PowerOf2Ceil(steps)), mostChunksAhead / (2 * groups));
}

MatrixProduct::MatrixProduct(KernelFrame &frame, const Storage &storage, int64_t width, int64_t groups)
    : b(frame.b), storage(storage), codes(frame.b, storage, width), width(width), groups(groups), mostRows(frame.mostRows),
      ahead(stepsAhead(codes, groups)),
      bytesOfWarp(std::max(ahead * groups * 2 * WeightCodes::pieceBytes, groups * rows * columns * bytesOf(frame.b.f32))),
      memory(frame.allocateShared(frame.b.i8, warps * bytesOfWarp)) {}

Pointer MatrixProduct::ofWarp(Number warp) const { return memory.plusBytes(warp * bytesOfWarp); }

void MatrixProduct::multiplyTiles(int64_t tiles, Number first, int64_t count, Number activations, Weights weight,
                                  ActivationRow activation, ElementOf elementOf) {
  Number lane = b.lane(), lanesRow = lane >> 2;
  // Rows beyond the last are read as the last; what comes of them is not stored.
  SmallVector<WeightRow> weightRows;
  SmallVector<Pointer> activationRows;
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t half = 0; half < 2; ++half)
      weightRows.push_back(weight(group, minimum(first + lanesRow + half * 8, b.integer(count - 1))));
  for (int64_t tile = 0; tile < tiles; ++tile)
    activationRows.push_back(activation(minimum(lanesRow + tile * MatrixTile::columns, activations - 1)));
  KernelBuilder::Numbers sums = WarpSums(b, codes, storage, width, ahead, ofWarp(b.warp()), weightRows, activationRows).compute();

  b.syncWarp(); // the sums lie where other lanes' weights did
  Pointer own = ofWarp(b.warp()).as(b.f32) + lane;
  for (auto [i, sum] : llvm::enumerate(sums))
    (own + int64_t(i) * warpSize).store(sum);
  b.barrier();
  // A thread takes one column of the result and a row of each tile: neighbours store next to each other.
  Number column = b.thread() & b.integer(MatrixTile::rows - 1), inTile = b.thread() >> 4;
  Number holder = MatrixTile::accumulatorLane(column, inTile), element = MatrixTile::accumulatorElement(column, inTile);
  for (int64_t tile = 0; tile < tiles; ++tile) {
    Number row = inTile + tile * MatrixTile::columns;
    b.ifThen((row < activations) & (first + column < count), [&] {
      KernelBuilder::Numbers totals;
      for (int64_t group = 0; group < groups; ++group) {
        Number place = (element + (group * tiles + tile) * accumulators) * warpSize + holder;
        Number total = (ofWarp(b.integer(0)).as(b.f32) + place).load();
        for (int64_t warp = 1; warp < warps; ++warp)
          total = total + (ofWarp(b.integer(warp)).as(b.f32) + place).load();
        totals.push_back(total);
      }
      elementOf(row, first + column, totals).store();
    });
  }
  b.barrier();
}

void MatrixProduct::multiply(Number first, int64_t count, Number activations, Weights weight, ActivationRow activation,
                             ElementOf elementOf) {
  if (mostRows <= MatrixTile::columns) // and no registers for more
    return multiplyTiles(1, first, count, activations, weight, activation, elementOf);
  // Sums of blocks that are scaled need registers beside the totals: of two groups, half the rows at a time.
  const int64_t rowsAtOnce = (storage.scale && groups > 1) || mostRows <= rows / 2 ? rows / 2 : rows;
  auto multiplyRows = [&](Number begin) {
    multiplyTiles(
        rowsAtOnce / MatrixTile::columns, first, count, minimum(activations - begin, b.integer(rowsAtOnce)), weight,
        [&](Number row) { return activation(begin + row); },
        [&](Number row, Number column, ArrayRef<Number> sums) { return elementOf(begin + row, column, sums); });
  };
  // Where more than a tile is needed, two or all: no more than half of the rows is for nothing.
  auto multiplyAll = [&] {
    if (rowsAtOnce != rows)
      return b.forRange(b.integer(0), activations, rowsAtOnce, multiplyRows);
    b.ifThenElse(
        activations <= rows / 2,
        [&] { multiplyTiles(rows / 2 / MatrixTile::columns, first, count, activations, weight, activation, elementOf); },
        [&] { multiplyTiles(rows / MatrixTile::columns, first, count, activations, weight, activation, elementOf); });
  };
  b.ifThenElse(
      activations <= MatrixTile::columns, [&] { multiplyTiles(1, first, count, activations, weight, activation, elementOf); },
      multiplyAll);
}
