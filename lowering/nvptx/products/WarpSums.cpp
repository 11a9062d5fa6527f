// Codes through shared memory, activations through registers, both ahead of their products.
#include "lowering/nvptx/products/WarpSums.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// Units of activations, of all tiles, that a lane has on their way.
static constexpr int64_t mostUnitsAhead = 4;
static constexpr int64_t loadsOfUnit = WeightCodes::loadsOfUnit;

WarpSums::WarpSums(KernelBuilder &b, const WeightCodes &codes, const Storage &storage, int64_t width, int64_t ahead, Pointer memory,
                   ArrayRef<WeightRow> weights, ArrayRef<Pointer> activations)
    : b(b), codes(codes), scales(storage, width, weights, codes.unitsOfStep()), weights(weights), activations(activations),
      memory(memory), width(width), ahead(ahead), groups(int64_t(weights.size()) / 2), tiles(int64_t(activations.size())),
      units(codes.unitsOfPart()), steps(units / codes.unitsOfStep()), unitsOfBatch(std::min(units, mostUnitsAhead / tiles)),
      unitsOfTurn(std::max(codes.unitsOfStep(), unitsOfBatch)) {}

KernelBuilder::Numbers WarpSums::Carried::flat() const {
  Numbers all = sums;
  llvm::append_range(all, activations);
  llvm::append_range(all, scales);
  return all;
}

WarpSums::Carried WarpSums::split(ArrayRef<Number> flat) const {
  const size_t sumCount = size_t(groups * tiles * accumulators), loadCount = size_t(unitsOfBatch * tiles * loadsOfUnit);
  return {.sums = Numbers(flat.take_front(sumCount)),
          .activations = Numbers(flat.slice(sumCount, loadCount)),
          .scales = Numbers(flat.drop_front(sumCount + loadCount))};
}

Number WarpSums::column(Number unit) const { return (b.warp() * units + unit) * WeightCodes::unitColumns; }

Pointer WarpSums::slot(Number step) const {
  return memory.plusBytes((step & b.integer(ahead - 1)) * (int64_t(weights.size()) * WeightCodes::pieceBytes));
}

void WarpSums::beginStep(Number step) {
  for (auto [i, row] : llvm::enumerate(weights))
    codes.beginCopy(slot(step) + int64_t(i) * WeightCodes::pieceBytes, row, b.warp() * steps + step);
}

SmallVector<KernelBuilder::Numbers> WarpSums::takeStep(Number step) {
  awaitGroups(b, ahead - 1);
  if (codes.comeFromOthers())
    b.syncWarp();
  SmallVector<Numbers> words;
  for (int64_t unit = 0; unit < codes.unitsOfStep(); ++unit)
    for (size_t i = 0; i < weights.size(); ++i)
      words.push_back(codes.load(slot(step) + int64_t(i) * WeightCodes::pieceBytes, b.integer(unit)));
  if (steps > ahead) {
    if (codes.comeFromOthers())
      b.syncWarp(); // before the next copies to the same place
    b.ifThen(step + ahead < steps, [&] { beginStep(step + ahead); });
  }
  closeGroup(b);
  return words;
}

KernelBuilder::Numbers WarpSums::loadActivations(Number firstUnit) const {
  Numbers loaded;
  for (int64_t unit = 0; unit < unitsOfBatch; ++unit) {
    Number first = column(firstUnit + unit) + b.lane() % 4 * WeightCodes::laneColumns;
    first = select(first < width, first, b.integer(0));
    for (Pointer row : activations)
      for (int64_t load = 0; load < loadsOfUnit; ++load)
        loaded.push_back((row + first + load * 4).load(4, 16));
  }
  return loaded;
}

SmallVector<KernelBuilder::Numbers> WarpSums::operands(Number unit, ArrayRef<Number> loaded) const {
  std::optional<Number> isInside;
  if (codes.isRagged())
    isInside = column(unit) + b.lane() % 4 * WeightCodes::laneColumns < width;
  SmallVector<Numbers> right;
  for (int64_t tile = 0; tile < tiles; ++tile)
    right.push_back(codes.operandsOf(loaded.slice(size_t(tile * loadsOfUnit), loadsOfUnit), isInside));
  return right;
}

/// Those of a whole turn.
KernelBuilder::Numbers WarpSums::loadScales(Number firstUnit) const {
  Numbers loaded;
  for (int64_t unit = 0; unit < unitsOfTurn; unit += codes.unitsOfStep())
    llvm::append_range(loaded, scales.load(column(firstUnit + unit)));
  return loaded;
}

/// sums += the products of a unit of a step; `words` are those of all rows, `loadedScales` the step's.
void WarpSums::multiply(ArrayRef<Numbers> words, ArrayRef<Number> loadedScales, int64_t inStep, ArrayRef<Numbers> right,
                        MutableArrayRef<Number> sums) const {
  for (int64_t group = 0; group < groups; ++group) {
    auto decoded = [&](int64_t row) { return scales.decode(codes, words[size_t(row)], loadedScales, inStep, row); };
    const BlockScales::Decoded upper = decoded(group * 2), lower = decoded(group * 2 + 1);
    for (int64_t tile = 0; tile < tiles; ++tile)
      BlockScales::addProducts(b, upper, lower, right[size_t(tile)],
                               sums.slice(size_t((group * tiles + tile) * accumulators), accumulators));
  }
}

WarpSums::Carried WarpSums::turn(Number first, int64_t count, Carried given) {
  Carried next = std::move(given);
  const Numbers loadedScales = std::exchange(next.scales, loadScales(first + unitsOfTurn));
  SmallVector<Numbers> words;
  for (int64_t batch = 0; batch < count; batch += unitsOfBatch) {
    // The next activations go into the registers that these leave.
    SmallVector<SmallVector<Numbers>> right;
    for (int64_t unit = 0; unit < unitsOfBatch; ++unit)
      right.push_back(operands(first + batch + unit,
                               ArrayRef(next.activations).slice(size_t(unit * tiles * loadsOfUnit), size_t(tiles * loadsOfUnit))));
    next.activations = loadActivations(first + batch + unitsOfBatch);
    for (int64_t unit = batch; unit < std::min(count, batch + unitsOfBatch); ++unit) {
      const int64_t inStep = unit % codes.unitsOfStep();
      if (inStep == 0)
        words = takeStep((first + unit) >> int64_t(llvm::Log2_64(uint64_t(codes.unitsOfStep()))));
      multiply(ArrayRef(words).slice(size_t(inStep) * weights.size(), weights.size()),
               ArrayRef(loadedScales).slice(size_t(unit / codes.unitsOfStep() * scales.count()), size_t(scales.count())), inStep,
               right[size_t(unit - batch)], next.sums);
    }
  }
  return next;
}

KernelBuilder::Numbers WarpSums::compute() {
  for (int64_t step = 0; step < ahead; ++step) {
    if (step < steps)
      beginStep(b.integer(step));
    closeGroup(b);
  }
  Carried initial = {.sums = Numbers(size_t(groups * tiles * accumulators), b.real(0)),
                     .activations = loadActivations(b.integer(0)),
                     .scales = loadScales(b.integer(0))};
  const int64_t rest = units % unitsOfTurn;
  Numbers after = b.forRange(b.integer(0), b.integer(units - rest), unitsOfTurn, initial.flat(),
                             [&](Number first, ArrayRef<Number> before) { return turn(first, unitsOfTurn, split(before)).flat(); });
  b.keepRolled(after); // unrolled, it would take all registers to no avail: memory is ahead already
  Numbers sums = turn(b.integer(units - rest), rest, split(after)).sums;
  for (auto [i, sum] : llvm::enumerate(sums)) {
    const WeightRow &row = weights[i / size_t(tiles * accumulators) * 2 + i % accumulators / 2];
    if (row.factor.builder)
      sum = sum * row.factor;
  }
  return sums;
}
