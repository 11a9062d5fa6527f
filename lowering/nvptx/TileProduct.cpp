// The stages of a tile, and how its sums leave.
#include "lowering/nvptx/TileProduct.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

TileProduct::TileProduct(KernelFrame &frame, int64_t width, int64_t groups)
    : b(frame.b), width(width), groups(groups), memory(frame.allocateShared(frame.b.i8, stages * stageBytes)),
      totals(frame.allocateShared(frame.b.f32, rows * sumStride)) {}

template <typename Body> void TileProduct::forOwnSums(Body body) const {
  Number row = b.lane() % 4 * 2, column = b.warp() * (leftTiles * MatrixTile::rows) + b.lane() / 4;
  Pointer own = totals + (row * sumStride + column);
  for (int64_t left = 0; left < leftTiles; ++left)
    for (int64_t right = 0; right < rightTiles; ++right)
      for (int64_t i = 0; i < accumulators; ++i)
        body(own + ((right * MatrixTile::columns + i % 2) * sumStride + left * MatrixTile::rows + i / 2 * 8),
             (left * rightTiles + right) * accumulators + i);
}

/// sums += this warp's part of a stage, [left tile, right tile].
void TileProduct::multiplyStage(Number stage, MutableArrayRef<Number> sums) {
  Number firstRow = b.warp() * (leftTiles * MatrixTile::rows);
  Pointer left = laneAddress(b, leftByRow, weightLayout, weightsOf(stage).plusBytes(weightLayout.place(firstRow, b.integer(0)))),
          right = laneAddress(b, rightByColumn, activationLayout, activationsOf(stage));
  for (int64_t half = 0; half < stageDepth / MatrixTile::depth; ++half) {
    SmallVector<KernelBuilder::Numbers> lefts;
    for (int64_t tile = 0; tile < leftTiles; ++tile)
      lefts.push_back(loadMatrices(b, leftByRow, left.plusBytes(b.integer(weightLayout.place(tile * MatrixTile::rows, half * 2)))));
    for (int64_t two = 0; two < rightTiles; two += 2) {
      KernelBuilder::Numbers rights =
          loadMatrices(b, rightByColumn, right.plusBytes(b.integer(activationLayout.place(two * MatrixTile::columns, half * 2))));
      for (int64_t tile = 0; tile < leftTiles; ++tile)
        for (int64_t one = 0; one < 2; ++one)
          multiplyAdd(b, lefts[size_t(tile)], ArrayRef(rights).slice(one * rightRegisters, rightRegisters),
                      sums.slice((tile * rightTiles + two + one) * accumulators, accumulators));
    }
  }
}

/// Leaves the products in `totals`. `weights` and `activations` are the rows of which this thread copies and loads its chunk.
void TileProduct::accumulate(ArrayRef<Pointer> weights, ArrayRef<Pointer> activations) {
  const int64_t steps = llvm::divideCeil(width, stageDepth);
  Number row = b.thread() / chunksOfStage, chunk = b.thread() % chunksOfStage, inStage = chunk * chunkElements;
  auto copyWeights = [&](Number step, Number stage) {
    Number column = inStage + step * stageDepth;
    for (auto [i, source] : llvm::enumerate(weights))
      beginCopy(b, weightsOf(stage).plusBytes(weightLayout.place(row + int64_t(i) * rowsAtOnce, chunk)), (source + column).as(b.i8),
                column < width);
  };
  // Behind the end of a row its beginning is loaded, and zeros are stored.
  auto loadActivations = [&](Number step) {
    Number column = inStage + step * stageDepth;
    column = select(column < width, column, b.integer(0));
    KernelBuilder::Numbers loaded;
    for (Pointer source : activations)
      for (int64_t half : {0, 4})
        loaded.push_back((source + column + half).load(4, 16));
    return loaded;
  };
  auto storeActivations = [&](Number step, Number stage, ArrayRef<Number> loaded) {
    Number isInside = inStage + step * stageDepth < width;
    for (int64_t i = 0; i < loadsOfThread; ++i) {
      KernelBuilder::Numbers registers;
      for (Number four : loaded.slice(i * 2, 2))
        for (int64_t pair : {0, 2}) {
          Number bits = packBf16(four.shuffle(four, {pair, pair + 1}));
          registers.push_back(width % stageDepth ? select(isInside, bits, b.integer32(0)) : bits);
        }
      activationsOf(stage)
          .plusBytes(activationLayout.place(row + i * rowsAtOnce, chunk))
          .as(b.i32)
          .store(b.gather(registers), chunkBytes);
    }
  };

  for (int64_t step = 0; step < stages - 1; ++step) {
    if (step < steps)
      copyWeights(b.integer(step), b.integer(step * stageBytes));
    closeGroup(b);
  }
  storeActivations(b.integer(0), b.integer(0), loadActivations(b.integer(0)));
  forOwnSums([&](Pointer place, int64_t) { place.store(b.real(0)); });
  // As MatrixProduct does, so that an element is the same whichever computes it: quarters of the columns, then their sum.
  const int64_t sumCount = leftTiles * rightTiles * accumulators,
                stepsOfQuarter = llvm::divideCeil(width, MatrixProduct::warps * stageDepth);
  // Carried on: the stages of this step, the next one and the last one, and the next step's activations.
  KernelBuilder::Numbers carried = {b.integer(0), b.integer(stageBytes), b.integer(2 * stageBytes)};
  llvm::append_range(carried, loadActivations(b.integer(1)));
  b.forRange(b.integer(0), b.integer(steps), stepsOfQuarter, carried, [&](Number first, ArrayRef<Number> before) {
    KernelBuilder::Numbers initial(sumCount, b.real(0));
    llvm::append_range(initial, before);
    Number end = minimum(first + stepsOfQuarter, b.integer(steps));
    KernelBuilder::Numbers after = b.forRange(first, end, 1, initial, [&](Number step, ArrayRef<Number> given) {
      KernelBuilder::Numbers sums(given.take_front(sumCount));
      Number stage = given[sumCount], nextStage = given[sumCount + 1], lastStage = given[sumCount + 2];
      awaitGroups(b, stages - 2);
      b.barrier(); // this stage is complete, and nobody reads the one before any more
      b.ifThen(step + (stages - 1) < steps, [&] { copyWeights(step + (stages - 1), lastStage); });
      closeGroup(b);
      storeActivations(step + 1, nextStage, given.drop_front(sumCount + stages));
      KernelBuilder::Numbers next = loadActivations(step + 2);
      multiplyStage(stage, sums);
      llvm::append_range(sums, ArrayRef<Number>{nextStage, lastStage, stage});
      llvm::append_range(sums, next);
      return sums;
    });
    b.keepRolled(after);
    forOwnSums([&](Pointer place, int64_t i) { place.store(place.load() + after[size_t(i)]); });
    return KernelBuilder::Numbers(ArrayRef(after).drop_front(sumCount));
  });
}

void TileProduct::multiply(Number first, int64_t count, Number activations, MatrixProduct::Weights weight,
                           MatrixProduct::ActivationRow activation, MatrixProduct::Store store) {
  // A warp's rows of weights are the same columns of each group in turn, so that a thread has an element's products of all groups.
  const int64_t columnsOfWarp = columns() / warps;
  auto rowOf = [&](int64_t group, Number column) { // of the sums
    return column / columnsOfWarp * (columnsOfWarp * groups) + column % columnsOfWarp + group * columnsOfWarp;
  };
  Number row = b.thread() / chunksOfStage;
  // Rows beyond the last are read as the last; what comes of them is not stored.
  SmallVector<Pointer> weightPointers, activationPointers;
  for (int64_t i = 0; i < copiesOfThread; ++i) {
    // Rows that a thread takes are 32 apart, as a warp's are, so that their place within a warp's is the same.
    Number inWarp = row % (columnsOfWarp * groups);
    Number column = minimum(first + inWarp % columnsOfWarp + i * columnsOfWarp, b.integer(count - 1));
    Pointer of = weight(0, column).elements;
    for (int64_t group = 1; group < groups; ++group)
      of = b.pointer(select(inWarp < group * columnsOfWarp, b.number(of.value), b.number(weight(group, column).elements.value)),
                     of.element);
    weightPointers.push_back(of);
  }
  for (int64_t i = 0; i < loadsOfThread; ++i)
    activationPointers.push_back(activation(minimum(row + i * rowsAtOnce, activations - 1)));
  accumulate(weightPointers, activationPointers);

  b.barrier();
  b.forThreads(activations * columns(), threads, [&](Number i) {
    Number column = i % columns(), of = i / columns();
    b.ifThen(first + column < count, [&] {
      KernelBuilder::Numbers products;
      for (int64_t group = 0; group < groups; ++group)
        products.push_back((totals + (of * sumStride + rowOf(group, column))).load());
      store(of, first + column, products);
    });
  });
  b.barrier();
}
