// Fragments from memory, products, and the sum over warps.
#include "lowering/nvptx/MatrixProduct.h"

#include "lowering/nvptx/MatrixUnits.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// Elements that a lane loads of a row at once, and steps of the inner dimension that a warp takes with them: two products.
static constexpr int64_t chunk = 8, warpDepth = 4 * chunk, productsPerChunk = warpDepth / MatrixTile::depth;

bool MatrixProduct::covers(const Target &target, moe::Compute compute, Type element, int64_t width, ArrayRef<int64_t> strides) {
  return target.hasMatrixUnits && compute == moe::Compute::BF16 && element.isBF16() && width % chunk == 0 &&
         llvm::all_of(strides, [](int64_t stride) { return stride % chunk == 0; });
}

MatrixProduct::MatrixProduct(KernelFrame &frame, int64_t width, int64_t groups)
    : b(frame.b), width(width), groups(groups), partial(frame.allocateShared(frame.b.f32, warps * groups * rows * columns)) {}

/// The four registers of 8 bf16 at `address`.
static KernelBuilder::Numbers loadWeights(KernelBuilder &b, Pointer address) {
  Value bits = vector::BitCastOp::create(b, VectorType::get(4, b.i32), address.load(chunk, 16).value);
  KernelBuilder::Numbers registers;
  for (int64_t i = 0; i < 4; ++i)
    registers.push_back(b.number(bits).lane(i));
  return registers;
}

/// The same of 8 f32, rounded.
static KernelBuilder::Numbers loadActivations(KernelBuilder &b, Pointer address) {
  KernelBuilder::Numbers registers;
  for (int64_t half = 0; half < 2; ++half) {
    Number four = (address + half * 4).load(4, 16);
    for (int64_t pair = 0; pair < 2; ++pair)
      registers.push_back(packBf16(four.shuffle(four, {pair * 2, pair * 2 + 1})));
  }
  return registers;
}

/// The registers that hold a lane's pair of elements of the upper or lower 8 rows, of the first or second 8 steps of the depth.
static constexpr int64_t registerInA(int64_t rows, int64_t half) { return MatrixTile::placeInA(rows * 8, half * 8).element / 2; }
static constexpr int64_t registerInB(int64_t half) { return MatrixTile::placeInB(half * 8, 0).element / 2; }

/// This warp's part of the products; `weights` are a lane's rows (two for each group), `activations` its row of each tile. Returns
/// the accumulators of [group, tile].
KernelBuilder::Numbers MatrixProduct::accumulate(int64_t tiles, ArrayRef<Pointer> weights, ArrayRef<Pointer> activations) {
  KernelBuilder::Numbers zeros(groups * tiles * accumulators, b.real(0));
  Number inLane = (b.lane() & b.integer(3)) * chunk;
  return b.forRange(b.warp() * warpDepth, b.integer(width), warps * warpDepth, zeros, [&](Number k, ArrayRef<Number> before) {
    KernelBuilder::Numbers sums(before);
    Number start = k + inLane, isInside;
    if (width % warpDepth) { // the last chunks of a row may lie behind its end
      isInside = start < width;
      start = select(isInside, start, b.integer(0));
    }
    auto inside = [&](KernelBuilder::Numbers registers) {
      for (Number &bits : registers)
        if (isInside.builder)
          bits = select(isInside, bits, b.integer32(0));
      return registers;
    };
    SmallVector<KernelBuilder::Numbers> left, right;
    for (Pointer row : weights)
      left.push_back(inside(loadWeights(b, row + start)));
    for (Pointer row : activations)
      right.push_back(inside(loadActivations(b, row + start)));
    for (int64_t step = 0; step < productsPerChunk; ++step)
      for (int64_t group = 0; group < groups; ++group)
        for (int64_t tile = 0; tile < tiles; ++tile) {
          KernelBuilder::Numbers tileA(leftRegisters), tileB(rightRegisters);
          for (int64_t half : {0, 1}) { // of the depth
            for (int64_t rows : {0, 1})
              tileA[registerInA(rows, half)] = left[group * 2 + rows][step * 2 + half];
            tileB[registerInB(half)] = right[tile][step * 2 + half];
          }
          multiplyAdd(b, tileA, tileB, MutableArrayRef(sums).slice((group * tiles + tile) * accumulators, accumulators));
        }
    return sums;
  });
}

void MatrixProduct::multiplyTiles(int64_t tiles, Number first, int64_t count, Number activations, WeightRow weight,
                                  ActivationRow activation, Store store) {
  Number lane = b.lane(), warp = b.warp(), lanesRow = lane >> 2;
  // Rows beyond the last are read as the last; what comes of them is not stored.
  SmallVector<Pointer> weightRows, activationRows;
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t half = 0; half < 2; ++half)
      weightRows.push_back(weight(group, minimum(first + lanesRow + half * 8, b.integer(count - 1))));
  for (int64_t tile = 0; tile < tiles; ++tile)
    activationRows.push_back(activation(minimum(lanesRow + tile * MatrixTile::columns, activations - 1)));
  KernelBuilder::Numbers sums = accumulate(tiles, weightRows, activationRows);

  int64_t ofWarp = groups * tiles * accumulators * warpSize;
  for (auto [i, sum] : llvm::enumerate(sums))
    (partial + warp * ofWarp + (lane + int64_t(i) * warpSize)).store(sum);
  b.barrier();
  // A thread takes one column of the result and a row of each tile: neighbours store next to each other.
  Number column = b.thread() & b.integer(MatrixTile::rows - 1), rowInTile = b.thread() >> 4;
  auto sumsAt = [&](Number row) {
    Number tile = row >> 3, inTile = row & b.integer(MatrixTile::columns - 1);
    Number holder = MatrixTile::accumulatorLane(column, inTile), element = MatrixTile::accumulatorElement(column, inTile);
    KernelBuilder::Numbers totals;
    for (int64_t group = 0; group < groups; ++group) {
      Pointer place = partial + (((tile + group * tiles) * accumulators + element) * warpSize + holder);
      Number total = place.load();
      for (int64_t other = 1; other < warps; ++other)
        total = total + (place + other * ofWarp).load();
      totals.push_back(total);
    }
    return totals;
  };
  for (int64_t tile = 0; tile < tiles; ++tile) {
    Number row = rowInTile + tile * MatrixTile::columns;
    b.ifThen((row < activations) & (first + column < count), [&] { store(row, first + column, sumsAt); });
  }
  b.barrier();
}

void MatrixProduct::multiply(Number first, int64_t count, Number activations, WeightRow weight, ActivationRow activation,
                             Store store) {
  b.ifThenElse(
      activations <= MatrixTile::columns, [&] { multiplyTiles(1, first, count, activations, weight, activation, store); },
      [&] { multiplyTiles(rows / MatrixTile::columns, first, count, activations, weight, activation, store); });
}
