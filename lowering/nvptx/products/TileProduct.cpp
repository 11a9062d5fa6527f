// The slots of a tile, and how its sums leave.
#include "lowering/nvptx/products/TileProduct.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// A turn of the loop through a row is so many units, or one.
static constexpr int64_t mostUnitsOfTurn = 2;

/// Whole steps, rounded up to whole turns; where a part has a rest behind them, all parts' units. Those behind a row's end add
/// nothing.
static int64_t unitsOf(const WeightCodes &codes, int64_t width) {
  if (codes.unitsOfPart() % mostUnitsOfTurn)
    return WeightCodes::parts * codes.unitsOfPart();
  return int64_t(llvm::alignTo(llvm::divideCeil(uint64_t(width), uint64_t(codes.stepColumns())) * uint64_t(codes.unitsOfStep()),
                               uint64_t(mostUnitsOfTurn)));
}

TileProduct::TileProduct(KernelFrame &frame, const Storage &storage, int64_t width, int64_t groups)
    : b(frame.b), storage(storage), codes(frame.b, storage, width), width(width), groups(groups), units(unitsOf(codes, width)),
      weightMemory(frame.allocateShared(frame.b.i8, weightSlots * weightSlotBytes)),
      activationMemory(frame.allocateShared(frame.b.i8, activationSlots * activationSlotBytes)),
      totals(frame.allocateShared(frame.b.f32, rows * sumStride)) {}

template <typename Body> void TileProduct::forOwnSums(Body body) const {
  Number row = b.lane() % 4 * 2, column = b.warp() * rowsOfWarp + b.lane() / 4;
  Pointer own = totals + (row * sumStride + column);
  for (int64_t left = 0; left < leftTiles; ++left)
    for (int64_t right = 0; right < rightTiles; ++right)
      for (int64_t i = 0; i < accumulators; ++i)
        body(own + ((right * MatrixTile::columns + i % 2) * sumStride + left * MatrixTile::rows + i / 2 * 8),
             (left * rightTiles + right) * accumulators + i);
}

Pointer TileProduct::weightSlot(Number step) const {
  return weightMemory.plusBytes((step & b.integer(weightSlots - 1)) * weightSlotBytes +
                                b.warp() * (rowsOfWarp * PermutedRows::stride));
}

Pointer TileProduct::activationSlot(Number unit) const {
  return activationMemory.plusBytes((unit & b.integer(activationSlots - 1)) * activationSlotBytes);
}

Number TileProduct::stepOf(Number unit) const { return unit >> int64_t(llvm::Log2_64(uint64_t(codes.unitsOfStep()))); }

void TileProduct::copyWeights(const Rows &own, Number step) {
  for (auto [i, row] : llvm::enumerate(own.weights))
    codes.beginCopy(weightSlot(step) + int64_t(i) * WeightCodes::pieceBytes, row, step);
}

/// The thread's columns of a unit; behind the end of a row its beginning.
KernelBuilder::Numbers TileProduct::loadActivations(const Rows &own, Number unit) {
  Number column = unit * WeightCodes::unitColumns + b.thread() % PermutedRows::chunks * WeightCodes::laneColumns;
  column = select(column < width, column, b.integer(0));
  Numbers loaded;
  for (Pointer row : own.activations)
    for (int64_t load = 0; load < WeightCodes::loadsOfUnit; ++load)
      loaded.push_back((row + column + load * 4).load(4, 16));
  return loaded;
}

/// In the order in which codes become operands; behind the end of a row zeros.
void TileProduct::storeActivations(Number unit, ArrayRef<Number> loaded) {
  Number row = b.thread() / PermutedRows::chunks, chunk = b.thread() % PermutedRows::chunks;
  std::optional<Number> isInside;
  if (units * WeightCodes::unitColumns > width)
    isInside = unit * WeightCodes::unitColumns + chunk * WeightCodes::laneColumns < width;
  for (int64_t i = 0; i < loadsOfThread; ++i) {
    Numbers operands = codes.operandsOf(loaded.slice(size_t(i * WeightCodes::loadsOfUnit), WeightCodes::loadsOfUnit), isInside);
    activationSlot(unit)
        .plusBytes(PermutedRows::place(row + i * rowsAtOnce, chunk))
        .as(b.i32)
        .store(b.gather(operands), chunkBytes);
  }
}

/// sums += this warp's part of a unit, [left tile, right tile].
void TileProduct::multiplyUnit(Number unit, const BlockScales &scales, ArrayRef<Number> loadedScales,
                               MutableArrayRef<Number> sums) {
  Number inStep = unit & b.integer(codes.unitsOfStep() - 1);
  SmallVector<BlockScales::Decoded> left; // of each piece
  for (int64_t piece = 0; piece < piecesOfWarp; ++piece) {
    Numbers words = codes.load(weightSlot(stepOf(unit)) + piece * WeightCodes::pieceBytes, inStep);
    left.push_back(scales.decode(codes, words, loadedScales, 0, piece));
  }
  Pointer right = activationSlot(unit).plusBytes(PermutedRows::place(b.lane() / 4, b.lane() % 4));
  for (int64_t tile = 0; tile < rightTiles; ++tile) {
    Number chunk = (right + tile * MatrixTile::columns * PermutedRows::stride).as(b.i32).load(WeightCodes::registers, chunkBytes);
    Numbers operands;
    for (int64_t i = 0; i < WeightCodes::registers; ++i)
      operands.push_back(chunk.lane(i));
    for (int64_t of = 0; of < leftTiles; ++of)
      BlockScales::addProducts(b, left[size_t(of * 2)], left[size_t(of * 2 + 1)], operands,
                               sums.slice(size_t((of * rightTiles + tile) * accumulators), accumulators));
  }
}

void TileProduct::accumulate(const Rows &own) {
  const int64_t unitsOfStep = codes.unitsOfStep(), unitsAhead = (weightSlots - 1) * unitsOfStep;
  for (int64_t unit = 0; unit < unitsAhead; ++unit) {
    if (unit < units && unit % unitsOfStep == 0)
      copyWeights(own, b.integer(unit / unitsOfStep));
    closeGroup(b);
  }
  storeActivations(b.integer(0), loadActivations(own, b.integer(0)));
  forOwnSums([&](Pointer place, int64_t) { place.store(b.real(0)); });
  const BlockScales scales(storage, width, own.weights, 1);
  // Carried on are the activations of the next two units, as loads take about as long as a unit's products, and this one's scales.
  // A turn is as many units, so that each load is for the registers that it leaves: moved to others it would be waited for. Beside
  // sums that are scaled there are registers for one unit's.
  const int64_t unitsOfTurn = scales.areOfBlocks() ? 1 : mostUnitsOfTurn;
  Numbers carried;
  for (int64_t unit = 1; unit <= unitsOfTurn; ++unit)
    llvm::append_range(carried, loadActivations(own, b.integer(unit)));
  const size_t carriedLoads = carried.size(), loadCount = carriedLoads / size_t(unitsOfTurn);
  llvm::append_range(carried, scales.load(b.integer(0)));
  // What was loaded for the next unit is stored, and `loads` becomes that of the unit a turn later.
  auto take = [&](Number unit, MutableArrayRef<Number> sums, MutableArrayRef<Number> loads, MutableArrayRef<Number> loadedScales) {
    awaitGroups(b, unitsAhead - 1);
    b.barrier(); // this unit is complete, and nobody reads the one before any more
    Number ahead = unit + unitsAhead;
    b.ifThen(((unit & b.integer(unitsOfStep - 1)) == 0) & (ahead < units), [&] { copyWeights(own, stepOf(ahead)); });
    closeGroup(b);
    storeActivations(unit + 1, loads);
    llvm::copy(loadActivations(own, unit + (unitsOfTurn + 1)), loads.begin());
    Numbers nextScales = scales.load((unit + 1) * WeightCodes::unitColumns);
    multiplyUnit(unit, scales, loadedScales, sums);
    llvm::copy(nextScales, loadedScales.begin());
  };
  // As MatrixProduct does, so that an element is the same whichever computes it: parts of the columns, then their sum.
  const int64_t rest = codes.unitsOfPart() % unitsOfTurn; // behind the turns of a part
  b.forRange(b.integer(0), b.integer(units), codes.unitsOfPart(), carried, [&](Number first, ArrayRef<Number> before) {
    Numbers initial(sumCount, b.real(0));
    llvm::append_range(initial, before);
    auto takeUnit = [&](Number unit, int64_t inTurn, Numbers &all) {
      MutableArrayRef<Number> its(all);
      take(unit, its.take_front(sumCount), its.slice(sumCount + size_t(inTurn) * loadCount, loadCount),
           its.drop_front(sumCount + carriedLoads));
    };
    Number end = rest ? first + (codes.unitsOfPart() - rest) : minimum(first + codes.unitsOfPart(), b.integer(units));
    Numbers after = b.forRange(first, end, unitsOfTurn, initial, [&](Number unit, ArrayRef<Number> given) {
      Numbers all(given);
      for (int64_t inTurn = 0; inTurn < unitsOfTurn; ++inTurn)
        takeUnit(unit + inTurn, inTurn, all);
      return all;
    });
    b.keepRolled(after);
    for (int64_t inTurn = 0; inTurn < rest; ++inTurn)
      takeUnit(end + inTurn, inTurn, after);
    auto loads = after.begin() + sumCount; // of which the next turn begins with those that the rest left
    std::rotate(loads, loads + rest * int64_t(loadCount), loads + int64_t(carriedLoads));
    forOwnSums([&](Pointer place, int64_t i) {
      const WeightRow &row = own.weights[size_t(i / (rightTiles * accumulators) * 2 + i % accumulators / 2)];
      place.store(place.load() + (row.factor.builder ? after[size_t(i)] * row.factor : after[size_t(i)]));
    });
    return Numbers(ArrayRef(after).drop_front(sumCount));
  });
}

void TileProduct::multiply(Number first, int64_t count, Number activations, MatrixProduct::Weights weight,
                           MatrixProduct::ActivationRow activation, MatrixProduct::ElementOf elementOf) {
  // A warp's rows of weights are the same columns of each group in turn, so that a thread has an element's products of all groups.
  const int64_t columnsOfWarp = columns() / warps;
  auto rowOf = [&](int64_t group, Number column) { // of the sums
    return column / columnsOfWarp * rowsOfWarp + column % columnsOfWarp + group * columnsOfWarp;
  };
  // Rows beyond the last are read as the last; what comes of them is not stored.
  Rows own;
  for (int64_t piece = 0; piece < piecesOfWarp; ++piece) {
    const int64_t group = piece * WeightCodes::pieceRows / columnsOfWarp, inGroup = piece * WeightCodes::pieceRows % columnsOfWarp;
    Number column = first + b.warp() * columnsOfWarp + b.lane() / PermutedRows::chunks + inGroup;
    own.weights.push_back(weight(group, minimum(column, b.integer(count - 1))));
  }
  for (int64_t i = 0; i < loadsOfThread; ++i)
    own.activations.push_back(activation(minimum(b.thread() / PermutedRows::chunks + i * rowsAtOnce, activations - 1)));
  accumulate(own);

  b.barrier();
  auto storeElements = [&](Number begin, int64_t atOnce) { // so many for each thread
    SmallVector<MatrixProduct::Element> elements;
    auto columnOf = [&](int64_t i) { return (begin + i * threads) % columns(); };
    for (int64_t i = 0; i < atOnce; ++i) {
      Number column = minimum(columnOf(i), b.integer(count - 1) - first), of = (begin + i * threads) / columns();
      Numbers products;
      for (int64_t group = 0; group < groups; ++group)
        products.push_back((totals + (of * sumStride + rowOf(group, column))).load());
      elements.push_back(elementOf(of, first + column, products));
    }
    for (auto [i, element] : llvm::enumerate(elements))
      b.ifThen(first + columnOf(int64_t(i)) < count, [&] { element.store(); });
  };
  // Several at once, so that what they need is loaded together. Those of two groups load little, and leave no registers for more.
  const int64_t atOnce = groups == 1 ? 8 : 1;
  Number all = activations * columns(), whole = b.integer(0);
  if (atOnce > 1) {
    whole = all / (threads * atOnce) * (threads * atOnce);
    b.forRange(b.thread(), whole, threads * atOnce, [&](Number begin) { storeElements(begin, atOnce); });
  }
  b.forRange(whole + b.thread(), all, threads, [&](Number i) { storeElements(i, 1); });
  b.barrier();
}
