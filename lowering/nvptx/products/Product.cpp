// Tiles for matrix units, or columns for warps.
#include "lowering/nvptx/products/Product.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

ProductSizes Product::sizesOf(const Storage &storage, int64_t columns, int64_t width, int64_t groups) {
  return {.columns = columns, .width = width, .bytesOfWeight = storage.element.getIntOrFloatBitWidth() / 8., .groups = groups};
}

Product::Strategy Product::choose(const KernelFrame &frame, moe::Compute compute, bool byMatrix, ArrayRef<ProductSizes> products) {
  if (!byMatrix)
    frame.noteThreads(compute, "format or width of the weights does not suit");
  if (!byMatrix || frame.mostRows <= MatrixProduct::rows)
    return {.byMatrix = byMatrix, .tilesFrom = {}};
  const Target &target = frame.b.target;
  std::optional<int64_t> from = tilesFrom(products, frame.mostRows, target.machine);
  int64_t rows = from.value_or(std::min(frame.mostRows, manyRows)); // where they are compared
  ProductCosts costs = costsOf(products, rows, target.machine);
  frame.remark("cut-products", bool(from),
               llvm::formatv("{0} rows: narrow {1}; tiles {2}: {3}", rows, costs.narrow.describe(), costs.tiles.describe(),
                             from ? "tiles from there on" : "no tiles"));
  return {.byMatrix = true, .tilesFrom = from};
}

Product::Product(KernelFrame &frame, const Strategy &strategy, const Storage &storage, moe::Compute compute, int64_t width,
                 ArrayRef<int64_t> strides, int64_t groups)
    : b(frame.b), strategy(strategy), groups(groups) {
  if (strategy.tilesFrom) {
    frame.alternative([&] { matrix.emplace(frame, storage, width, groups); });
    tile.emplace(frame, storage, width, groups);
  } else if (strategy.byMatrix) {
    matrix.emplace(frame, storage, width, groups);
  } else {
    warp.emplace(b, storage, compute, width, strides);
  }
}

void Product::forShare(KernelFrame &frame, int64_t columns, int64_t planes, Share share) const {
  const int64_t rows = rowsOfBlock(), blocks = blocksOf(columns, strategy.byMatrix);
  frame.launch(threads, {KernelFrame::constant(blocks), frame.perRow(rows), KernelFrame::constant(planes)});
  auto take = [&](Blocks cut, Number block, Number first) {
    share(cut, block, first, minimum(frame.rows - first, b.integer(rows)));
  };
  auto narrow = [&] { take(Blocks::narrow, b.block(0), b.block(1) * rows); };
  if (!tile)
    return narrow();
  // There are fewer tiles than blocks; neighbours have the same weights.
  auto inTiles = [&] {
    Number index = (b.block(1) * blocks + b.block(0)).toInteger(b.i32),
           rowTiles = ((frame.rows + (rows - 1)) / rows).toInteger(b.i32), column = (index / rowTiles).toInteger(b.i64);
    b.ifThen(column < tilesOf(columns, groups), [&] { take(Blocks::tiles, column, (index % rowTiles).toInteger(b.i64) * rows); });
  };
  b.ifThenElse(strategy.tilesPay(frame), inTiles, narrow);
}

void Product::multiply(Blocks blocks, Number block, int64_t columns, Number rows, MatrixProduct::Weights weight,
                       MatrixProduct::ActivationRow activation, ElementOf elementOf) {
  if (blocks == Blocks::tiles)
    return tile->multiply(block * tile->columns(), columns, rows, weight, activation, elementOf);
  if (matrix) {
    b.forRange(b.integer(0), rows, MatrixProduct::rows, [&](Number first) {
      Number count = minimum(rows - first, b.integer(MatrixProduct::rows));
      matrix->multiply(
          block * MatrixProduct::columns, columns, count, weight, [&](Number row) { return activation(first + row); },
          [&](Number row, Number column, ArrayRef<Number> sums) { return elementOf(first + row, column, sums); });
    });
    return;
  }
  Number column = block * productWarps + b.warp();
  b.ifThen(column < columns, [&] { multiplyByWarp(column, rows, weight, activation, elementOf); });
}

/// Several rows at a time, for which weights are loaded once and the rows' loads wait together, then what is left one by one.
void Product::multiplyByWarp(Number column, Number rows, MatrixProduct::Weights weight, MatrixProduct::ActivationRow activation,
                             ElementOf elementOf) {
  auto multiplyRows = [&](Number first, int64_t count) {
    SmallVector<Pointer> activations;
    for (int64_t i = 0; i < count; ++i)
      activations.push_back(activation(first + i));
    SmallVector<KernelBuilder::Numbers> products; // of each group
    for (int64_t group = 0; group < groups; ++group)
      products.push_back(warp->dots(weight(group, column), activations));
    b.ifThen(b.lane() == 0, [&] {
      SmallVector<Element> elements;
      for (int64_t i = 0; i < count; ++i)
        elements.push_back(
            elementOf(first + i, column, llvm::map_to_vector(products, [&](ArrayRef<Number> its) { return its[size_t(i)]; })));
      for (const Element &element : elements)
        element.store();
    });
  };
  // Without matrix units warps compute all products, and with fewer blocks at a time, as more registers allow, single rows are
  // slower.
  const int64_t atOnce = b.target.hasMatrixUnits ? 4 : 1;
  Number whole = rows / atOnce * atOnce;
  b.forRange(b.integer(0), whole, atOnce, [&](Number first) { multiplyRows(first, atOnce); });
  if (atOnce > 1)
    b.forRange(whole, rows, 1, [&](Number row) { multiplyRows(row, 1); });
}
