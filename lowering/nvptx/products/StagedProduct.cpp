// The weight by cp.async, activations through the threads' registers, products, and the sum over the parts of the depth.
#include "lowering/nvptx/products/StagedProduct.h"

#include "lowering/kernel/NumberFormat.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

SharedRows StagedProduct::weightRowsOf(int64_t tiles, int64_t depth, Stored stored) {
  if (stored == Stored::byColumn)
    return SharedRows::ofWidth(tiles * MatrixTile::rows, depth);
  return SharedRows::ofWidth(int64_t(llvm::alignTo(uint64_t(depth), MatrixTile::depth)), tiles * MatrixTile::rows);
}

int64_t StagedProduct::bytesOf(int64_t tiles, int64_t parts, int64_t depth, Stored stored) {
  return weightRowsOf(tiles, depth, stored).bytes() + SharedRows::ofWidth(rowsAtOnce, depth).bytes() +
         parts * tiles * 2 * warpSize * accumulators * 4;
}

StagedProduct::StagedProduct(KernelFrame &frame, int64_t tiles, int64_t parts, int64_t depth, Stored stored)
    : b(frame.b), tiles(tiles), parts(parts), depth(depth), stored(stored), weightRows(weightRowsOf(tiles, depth, stored)),
      activationRows(SharedRows::ofWidth(rowsAtOnce, depth)), weight(frame.allocateShared(b.i8, weightRows.bytes())),
      staged(frame.allocateShared(b.i8, activationRows.bytes())),
      partial(frame.allocateShared(b.f32, parts * tiles * 2 * warpSize * accumulators)) {}

static bool isPlainBF16(const Storage &storage) { return storage.element.isBF16() && !storage.isQuantized; }

bool StagedProduct::covers(const Storage &storage) {
  return isPlainBF16(storage) || (storage.isQuantized && storage.scaleColumns % chunkElements == 0);
}

void StagedProduct::stageWeight(const Storage &storage, Number first, Number count, function_ref<WeightRow(Number)> row) {
  const bool isByColumn = stored == Stored::byColumn;
  Number rows = isByColumn ? count : b.integer(depth),
         chunks = isByColumn ? b.integer(depth / chunkElements) : count / chunkElements;
  if (isPlainBF16(storage))
    beginCopy(b, threads(), weightRows, weight, rows, chunks, [&](Number index) { return row(index).elements + first; });
  else
    stageNumbers(storage, rows, chunks, row, first);
}

/// A chunk is eight numbers of one block.
void StagedProduct::stageNumbers(const Storage &storage, Number rows, Number chunks, function_ref<WeightRow(Number)> row,
                                 Number first) {
  constexpr int64_t loadsAtOnce = 4; // of a thread, as for activations
  const int64_t total = weightRows.rows * weightRows.chunks;
  b.forRange(b.thread(), b.integer(total), threads() * loadsAtOnce, [&](Number begin) {
    KernelBuilder::Numbers loaded;
    for (int64_t i = 0; i < loadsAtOnce; ++i) {
      Number at = begin + i * threads(), index = at / weightRows.chunks, chunk = at % weightRows.chunks;
      Number isInside = (index < rows) & (chunk < chunks);
      Number column = first + select(isInside, chunk, b.integer(0)) * chunkElements;
      Number eight = loadElements(storage, row(select(isInside, index, b.integer(0))), column, chunkElements);
      KernelBuilder::Numbers pairs;
      for (int64_t pair = 0; pair < chunkElements; pair += 2)
        pairs.push_back(select(isInside, packBf16(eight.shuffle(eight, {pair, pair + 1})), b.integer32(0)));
      loaded.push_back(b.gather(pairs));
    }
    for (auto [i, four] : llvm::enumerate(loaded)) {
      Number at = begin + int64_t(i) * threads();
      b.ifThen(at < total, [&] {
        weight.plusBytes(weightRows.place(at / weightRows.chunks, at % weightRows.chunks)).as(b.i32).store(four, chunkBytes);
      });
    }
  });
}

void StagedProduct::stageActivations(Number first, Number rows, Activations activations) {
  const int64_t pairs = activationRows.chunks * chunkElements / 2;
  auto load = [&](Number i) {
    Number column = i % pairs * 2, isInside = column < depth;
    if (depth % MatrixTile::depth == 0)
      return activations(first + i / pairs, column);
    return select(isInside, activations(first + i / pairs, select(isInside, column, b.integer(0))), b.integer32(0));
  };
  auto store = [&](Number i, Number two) {
    (staged.plusBytes(activationRows.place(i / pairs, b.integer(0))).as(b.bf16) + i % pairs * 2).as(b.i32).store(two);
  };
  constexpr int64_t loadsAtOnce = 4; // of a thread, or it would wait for one after the other
  Number count = minimum(rows - first, b.integer(rowsAtOnce)) * pairs, turn = b.integer(threads() * loadsAtOnce),
         whole = count / turn * turn;
  b.forRange(b.thread(), whole, threads() * loadsAtOnce, [&](Number begin) {
    KernelBuilder::Numbers loaded;
    for (int64_t i = 0; i < loadsAtOnce; ++i)
      loaded.push_back(load(begin + i * threads()));
    for (auto [i, two] : llvm::enumerate(loaded))
      store(begin + int64_t(i) * threads(), two);
  });
  b.forRange(whole + b.thread(), count, threads(), [&](Number i) { store(i, load(i)); });
  b.forRange(count + b.thread(), b.integer(rowsAtOnce * pairs), threads(), [&](Number i) { store(i, b.integer32(0)); });
}

/// This warp's accumulators: 16 columns of two tiles of rows, summed over its part of the depth.
KernelBuilder::Numbers StagedProduct::multiplyStaged() {
  Number tile = b.warp() / parts, part = b.warp() % parts;
  int64_t steps = activationRows.steps(), ofPart = llvm::divideCeil(steps, parts);
  MatrixLoad load = stored == Stored::byColumn ? leftByRow : leftByDepth;
  Number firstRow = stored == Stored::byColumn ? tile * MatrixTile::rows : b.integer(0),
         firstChunk = stored == Stored::byColumn ? b.integer(0) : tile * 2;
  Pointer left = laneAddress(b, load, weightRows, weight.plusBytes(weightRows.place(firstRow, firstChunk)));
  int64_t leftStep = stored == Stored::byColumn ? 2 * chunkBytes : MatrixTile::depth * weightRows.stride();
  Pointer right = laneAddress(b, rightByColumn, activationRows, staged);

  KernelBuilder::Numbers zeros(2 * accumulators, b.real(0));
  Number end = minimum((part + 1) * ofPart, b.integer(steps));
  return b.forRange(part * ofPart, end, 1, zeros, [&](Number step, ArrayRef<Number> before) {
    KernelBuilder::Numbers sums(before);
    KernelBuilder::Numbers columns = loadMatrices(b, load, left.plusBytes(step * leftStep)),
                           rows = loadMatrices(b, rightByColumn, right.plusBytes(step * 2 * chunkBytes));
    for (int64_t half = 0; half < 2; ++half)
      multiplyAdd(b, columns, ArrayRef(rows).slice(half * rightRegisters, rightRegisters),
                  MutableArrayRef(sums).slice(half * accumulators, accumulators));
    return sums;
  });
}

void StagedProduct::multiply(Number count, Number rows, Activations activations, Store store, Prepare prepare) {
  auto stage = [&](Number first) {
    if (prepare) {
      prepare(first);
      b.barrier();
    }
    stageActivations(first, rows, activations);
  };
  multiplyTurns(count, rows, stage, store);
}

void StagedProduct::multiplyRows(Number count, Number rows, function_ref<Pointer(Number)> source, Store store) {
  auto stage = [&](Number first) {
    beginCopy(b, threads(), activationRows, staged, rows - first, b.integer(depth / chunkElements),
              [&](Number row) { return source(first + row); });
  };
  multiplyTurns(count, rows, stage, store);
}

void StagedProduct::multiplyTurns(Number count, Number rows, function_ref<void(Number)> stage, Store store) {
  constexpr int64_t ofTile = 2 * warpSize * accumulators;
  b.forRange(b.integer(0), rows, rowsAtOnce, [&](Number first) {
    stage(first);
    finishCopies(b);
    b.barrier();
    KernelBuilder::Numbers sums = multiplyStaged();
    Number tile = b.warp() / parts, part = b.warp() % parts;
    for (auto [i, sum] : llvm::enumerate(sums))
      (partial + ((part * tiles + tile) * ofTile + (b.lane() + int64_t(i) * warpSize))).store(sum);
    b.barrier();
    // Neighbouring threads take neighbouring columns of a row.
    b.forThreads(b.integer(columns() * rowsAtOnce), threads(), [&](Number i) {
      Number column = i % columns(), row = i / columns(), inTile = column % MatrixTile::rows, inHalf = row % MatrixTile::columns;
      Number holder = MatrixTile::accumulatorLane(inTile, inHalf),
             element = row / MatrixTile::columns * accumulators + MatrixTile::accumulatorElement(inTile, inHalf);
      Pointer place = partial + (column / MatrixTile::rows * ofTile + element * warpSize + holder);
      Number total = place.load();
      for (int64_t other = 1; other < parts; ++other)
        total = total + (place + other * tiles * ofTile).load();
      b.ifThen((first + row < rows) & (column < count), [&] { store(first + row, column, total); });
    });
    // The next rows are staged before the barrier behind which sums are stored again.
  });
}
