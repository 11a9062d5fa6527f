// Scales are carried as they are stored, so that nothing waits for them before they are needed.
#include "lowering/nvptx/BlockScales.h"

#include "lowering/kernel/NumberFormat.h"
#include "lowering/nvptx/WeightCodes.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

bool BlockScales::covers(const Storage &storage) { return !storage.scale || storage.scaleColumns % WeightCodes::unitColumns == 0; }

int64_t BlockScales::unitsOfScale(const Storage &storage, int64_t unitsOfStep) {
  return storage.scale ? std::gcd(storage.scaleColumns / WeightCodes::unitColumns, unitsOfStep) : unitsOfStep;
}

KernelBuilder::Numbers BlockScales::load(Number column) const {
  KernelBuilder::Numbers loaded;
  if (!areOfBlocks())
    return loaded;
  const int64_t last = int64_t(llvm::divideCeil(width, storage.scaleColumns)) - 1;
  Number block = minimum(column / storage.scaleColumns, column.like(last));
  for (const WeightRow &row : rows) {
    loaded.push_back((row.scales.as(inMemory(storage.scale)) + block).load());
    if (storage.hasZeros)
      loaded.push_back((row.zeros.as(inMemory(storage.element)) + block).load());
  }
  return loaded;
}

Number BlockScales::scale(ArrayRef<Number> loaded, int64_t row) const {
  return toReal(loaded[size_t(row * ofRow())], storage.scale);
}

Number BlockScales::zero(ArrayRef<Number> loaded, int64_t row) const {
  return storage.hasZeros ? loaded[size_t(row * ofRow() + 1)] : Number();
}
