// Scales are carried as they are stored, several to a register where they are neighbours, so that nothing waits for them before
// they are needed.
#include "lowering/nvptx/products/BlockScales.h"

#include "lowering/kernel/NumberFormat.h"
#include "lowering/nvptx/matrix/MatrixUnits.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr int64_t wordBits = 32;

static int64_t bitsInMemory(Type element) { return inMemory(element).getIntOrFloatBitWidth(); }

bool BlockScales::covers(const Storage &storage) { return !storage.scale || storage.scaleColumns % WeightCodes::unitColumns == 0; }

/// Units of `count` neighbours, the first at a multiple of `count`, that share a scale.
static int64_t unitsThatShare(const Storage &storage, int64_t count) {
  return storage.scale ? std::gcd(storage.scaleColumns / WeightCodes::unitColumns, count) : count;
}

BlockScales::BlockScales(const Storage &storage, int64_t width, ArrayRef<WeightRow> rows, int64_t units)
    : storage(storage), rows(rows), blocksOfRow(storage.scale ? int64_t(llvm::divideCeil(width, storage.scaleColumns)) : 1),
      unitsOfScale(unitsThatShare(storage, units)), blocks(units / unitsOfScale),
      arePacked(blocks > 1 && storage.scaleColumns == unitsOfScale * WeightCodes::unitColumns && blocksOfRow % blocks == 0) {}

int64_t BlockScales::numbersOf(Type element) const {
  return arePacked ? std::max<int64_t>(blocks * bitsInMemory(element) / wordBits, 1) : blocks;
}

void BlockScales::load(Pointer row, Type element, Number column, KernelBuilder::Numbers &loaded) const {
  auto blockAt = [&](int64_t unit, int64_t last) {
    return minimum((column + unit * WeightCodes::unitColumns) / storage.scaleColumns, column.like(last));
  };
  Pointer scales = row.as(inMemory(element));
  if (!arePacked) {
    for (int64_t block = 0; block < blocks; ++block)
      loaded.push_back((scales + blockAt(block * unitsOfScale, blocksOfRow - 1)).load());
    return;
  }
  const int64_t bits = blocks * bitsInMemory(element), words = numbersOf(element);
  Type word = IntegerType::get(element.getContext(), unsigned(std::min(bits, wordBits)));
  Number all = (scales + blockAt(0, blocksOfRow - blocks)).as(word).load(words == 1 ? 0 : words, bits / 8);
  for (int64_t i = 0; i < words; ++i)
    loaded.push_back(words == 1 ? all : all.lane(i));
}

KernelBuilder::Numbers BlockScales::load(Number column) const {
  KernelBuilder::Numbers loaded;
  for (const WeightRow &row : rows) {
    if (areOfBlocks())
      load(row.scales, storage.scale, column, loaded);
    if (storage.hasZeros)
      load(row.zeros, storage.element, column, loaded);
  }
  return loaded;
}

Number BlockScales::pick(ArrayRef<Number> loaded, Type element, int64_t unit) const {
  const int64_t block = unit / unitsOfScale;
  if (!arePacked)
    return loaded[size_t(block)];
  const int64_t bit = block * bitsInMemory(element);
  Number own = (loaded[size_t(bit / wordBits)] >> bit % wordBits)
                   .toUnsigned(IntegerType::get(element.getContext(), unsigned(bitsInMemory(element))));
  return inMemory(element).isInteger() || element.isBF16() ? own : own.bitsAs(element);
}

Number BlockScales::scale(ArrayRef<Number> loaded, int64_t unit, int64_t row) const {
  return toReal(pick(loaded.drop_front(size_t(row * ofRow())), storage.scale, unit), storage.scale);
}

Number BlockScales::zero(ArrayRef<Number> loaded, int64_t unit, int64_t row) const {
  if (!storage.hasZeros)
    return {};
  return pick(loaded.drop_front(size_t(row * ofRow() + numbersOf(storage.scale))), storage.element, unit);
}

BlockScales::Decoded BlockScales::decode(const WeightCodes &codes, ArrayRef<Number> words, ArrayRef<Number> loaded, int64_t unit,
                                         int64_t row) const {
  Decoded decoded{codes.decode(words, zero(loaded, unit, row)), {}};
  if (areOfBlocks())
    decoded.scale = scale(loaded, unit, row);
  return decoded;
}

void BlockScales::addProducts(KernelBuilder &b, const Decoded &upper, const Decoded &lower, ArrayRef<Number> operands,
                              MutableArrayRef<Number> totals) {
  KernelBuilder::Numbers sums = upper.scale ? KernelBuilder::Numbers(accumulators, b.real(0)) : KernelBuilder::Numbers(totals);
  for (int64_t product = 0; product < WeightCodes::productsOfUnit; ++product) {
    const size_t low = size_t(product * rightRegisters), high = low + 1;
    multiplyAdd(b, {upper.registers[low], lower.registers[low], upper.registers[high], lower.registers[high]},
                operands.slice(low, rightRegisters), sums);
  }
  for (size_t i = 0; i < totals.size(); ++i)
    totals[i] = upper.scale ? fma(i < 2 ? *upper.scale : *lower.scale, sums[i], totals[i]) : sums[i];
}
