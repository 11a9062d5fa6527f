// Weights through shared memory, products, and the sum over warps.
#include "lowering/nvptx/MatrixProduct.h"

#include "lowering/nvptx/MatrixUnits.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// Columns that a warp takes at once, the chunks and the products (of 16 steps of the depth) that they are, and columns of all
/// warps.
static constexpr int64_t stepDepth = 32, chunksOfStep = stepDepth / chunkElements, productsOfStep = stepDepth / MatrixTile::depth,
                         chunksOfProduct = chunksOfStep / productsOfStep, blockDepth = MatrixProduct::warps * stepDepth;
/// Chunks that a lane has on their way at most: 32 KiB of a block, enough for a multiprocessor that has this block alone.
static constexpr int64_t mostChunksAhead = 16;
/// Tiles of activations that a lane has on their way.
static constexpr int64_t mostTilesOfTurn = 4;

bool MatrixProduct::covers(const Target &target, moe::Compute compute, Type element, int64_t width, ArrayRef<int64_t> strides) {
  return target.hasMatrixUnits && compute == moe::Compute::BF16 && element.isBF16() && width % chunkElements == 0 &&
         llvm::all_of(strides, [](int64_t stride) { return stride % chunkElements == 0; });
}

MatrixProduct::MatrixProduct(KernelFrame &frame, int64_t width, int64_t groups)
    : b(frame.b), width(width), groups(groups), steps(llvm::divideCeil(width, blockDepth)),
      ahead(std::min(int64_t(llvm::PowerOf2Ceil(uint64_t(steps))), mostChunksAhead / (2 * groups))),
      bytesOfWarp(std::max(ahead * 2 * groups * warpSize * chunkBytes, groups * rows * columns * bytesOf(frame.b.f32))),
      memory(frame.allocateShared(frame.b.i8, warps * bytesOfWarp)) {}

Pointer MatrixProduct::ofWarp(Number warp) const { return memory.plusBytes(warp * bytesOfWarp); }

/// Where chunk `chunk` of row `row` of 8 lies among those that the lanes copy at once: such that 8 rows' chunks of one column lie
/// in different groups of four banks, and so do the lanes' in turn.
static Number placeOfChunk(Number row, Number chunk) {
  Number swizzle = (row >> int64_t(1)) & row.like(int64_t(3));
  return (row * 4 + (chunk ^ swizzle)) * chunkBytes;
}

/// This warp's part of the products; `weights` are a lane's rows (two for each group), `activations` its row of each tile. Returns
/// the accumulators of [group, tile].
KernelBuilder::Numbers MatrixProduct::accumulate(int64_t tiles, ArrayRef<Pointer> weights, ArrayRef<Pointer> activations) {
  const bool isRagged = width % blockDepth; // the last warps' last chunks may lie behind the end of a row
  const int64_t copied = warpSize * chunkBytes, ofStep = int64_t(weights.size()) * copied;
  Number lane = b.lane(), inGroup = lane & b.integer(3), firstColumn = b.warp() * (steps * stepDepth);
  Pointer own = ofWarp(b.warp());
  auto slotOf = [&](Number step) { return own.plusBytes((step & b.integer(ahead - 1)) * ofStep); };
  auto isInside = [&](Number column) { return isRagged ? column < width : b.number(arith::ConstantIntOp::create(b, 1, 1)); };

  Number copyPlace = placeOfChunk(lane >> int64_t(2), inGroup);
  auto begin = [&](Number step) {
    Number column = firstColumn + step * stepDepth + inGroup * chunkElements;
    for (auto [i, row] : llvm::enumerate(weights))
      beginCopy(b, slotOf(step).plusBytes(copyPlace + int64_t(i) * copied), (row + column).as(b.i8), isInside(column));
  };
  Number matrixRow = leftByRow.row(lane);
  auto leftPlace = [&](int64_t product) {
    return (matrixRow >> int64_t(3)) * copied +
           placeOfChunk(matrixRow & b.integer(7), leftByRow.chunk(lane) + product * chunksOfProduct);
  };
  const Number leftPlaces[productsOfStep] = {leftPlace(0), leftPlace(1)};

  // A lane has two neighbouring elements of each chunk of a step.
  auto activationsOf = [&](Number step) {
    KernelBuilder::Numbers loaded;
    for (Pointer row : activations)
      for (int64_t chunk = 0; chunk < chunksOfStep; ++chunk) {
        Number column = firstColumn + step * stepDepth + chunk * chunkElements;
        column = select(column < width, column, b.integer(0));
        loaded.push_back((row + column + inGroup * 2).load(2, 8));
      }
    return loaded;
  };
  auto multiplyStep = [&](Number step, ArrayRef<KernelBuilder::Numbers> right, MutableArrayRef<Number> sums) {
    awaitGroups(b, ahead - 1);
    b.syncWarp(); // other lanes' copies
    for (int64_t product = 0; product < productsOfStep; ++product)
      for (int64_t group = 0; group < groups; ++group) {
        KernelBuilder::Numbers left = loadMatrices(b, leftByRow, slotOf(step).plusBytes(leftPlaces[product] + group * 2 * copied));
        for (int64_t tile = 0; tile < tiles; ++tile)
          multiplyAdd(b, left, ArrayRef(right[size_t(tile)]).slice(size_t(product * rightRegisters), rightRegisters),
                      sums.slice(size_t((group * tiles + tile) * accumulators), accumulators));
      }
    b.syncWarp(); // before the next copies to the same place
    b.ifThen(step + ahead < steps, [&] { begin(step + ahead); });
    closeGroup(b);
  };

  for (int64_t step = 0; step < ahead; ++step) {
    if (step < steps)
      begin(b.integer(step));
    closeGroup(b);
  }
  // Activations are loaded a turn ahead, into the registers that the last turn's have just left; a turn must be long enough for
  // that.
  const int64_t stepsOfTurn = std::min(steps, mostTilesOfTurn / tiles), rest = steps % stepsOfTurn;
  auto turnsActivations = [&](Number first) {
    KernelBuilder::Numbers loaded;
    for (int64_t i = 0; i < stepsOfTurn; ++i)
      llvm::append_range(loaded, activationsOf(first + i));
    return loaded;
  };
  auto operands = [&](Number first, ArrayRef<Number> loaded) {
    SmallVector<KernelBuilder::Numbers> right;
    for (int64_t i = 0; i < stepsOfTurn; ++i)
      for (int64_t tile = 0; tile < tiles; ++tile) {
        KernelBuilder::Numbers &registers = right.emplace_back();
        for (int64_t chunk = 0; chunk < chunksOfStep; ++chunk) {
          Number bits = packBf16(loaded[size_t((i * tiles + tile) * chunksOfStep + chunk)]);
          if (isRagged) // weights there are zeros, but what was loaded instead of activations may be infinite
            bits = select(isInside(firstColumn + (first + i) * stepDepth + chunk * chunkElements), bits, b.integer32(0));
          registers.push_back(bits);
        }
      }
    return right;
  };
  const int64_t sumCount = groups * tiles * accumulators;
  KernelBuilder::Numbers initial(sumCount, b.real(0));
  llvm::append_range(initial, turnsActivations(b.integer(0)));
  KernelBuilder::Numbers after =
      b.forRange(b.integer(0), b.integer(steps - rest), stepsOfTurn, initial, [&](Number first, ArrayRef<Number> before) {
        KernelBuilder::Numbers sums(before.take_front(sumCount));
        SmallVector<KernelBuilder::Numbers> right = operands(first, before.drop_front(sumCount));
        KernelBuilder::Numbers next = turnsActivations(first + stepsOfTurn);
        for (int64_t i = 0; i < stepsOfTurn; ++i)
          multiplyStep(first + i, ArrayRef(right).slice(i * tiles, tiles), sums);
        llvm::append_range(sums, next);
        return sums;
      });
  b.keepRolled(after); // unrolled, it would take all registers to no avail: memory is ahead already
  KernelBuilder::Numbers sums(ArrayRef(after).take_front(sumCount));
  SmallVector<KernelBuilder::Numbers> right = operands(b.integer(steps - rest), ArrayRef(after).drop_front(sumCount));
  for (int64_t i = 0; i < rest; ++i)
    multiplyStep(b.integer(steps - rest + i), ArrayRef(right).slice(i * tiles, tiles), sums);
  return sums;
}

void MatrixProduct::multiplyTiles(int64_t tiles, Number first, int64_t count, Number activations, Weights weight,
                                  ActivationRow activation, Store store) {
  Number lane = b.lane(), lanesRow = lane >> 2;
  // Rows beyond the last are read as the last; what comes of them is not stored.
  SmallVector<Pointer> weightRows, activationRows;
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t half = 0; half < 2; ++half)
      weightRows.push_back(weight(group, minimum(first + lanesRow + half * 8, b.integer(count - 1))).elements);
  for (int64_t tile = 0; tile < tiles; ++tile)
    activationRows.push_back(activation(minimum(lanesRow + tile * MatrixTile::columns, activations - 1)));
  KernelBuilder::Numbers sums = accumulate(tiles, weightRows, activationRows);

  b.syncWarp(); // the sums lie where other lanes' weights did
  for (auto [i, sum] : llvm::enumerate(sums))
    (ofWarp(b.warp()).as(b.f32) + (lane + int64_t(i) * warpSize)).store(sum);
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
      store(row, first + column, totals);
    });
  }
  b.barrier();
}

void MatrixProduct::multiply(Number first, int64_t count, Number activations, Weights weight, ActivationRow activation,
                             Store store) {
  b.ifThenElse(
      activations <= MatrixTile::columns, [&] { multiplyTiles(1, first, count, activations, weight, activation, store); },
      [&] { multiplyTiles(rows / MatrixTile::columns, first, count, activations, weight, activation, store); });
}
