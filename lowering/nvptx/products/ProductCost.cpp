// Blocks, steps and bytes of either cut.
#include "lowering/nvptx/products/ProductCost.h"

#include "lowering/nvptx/products/TileProduct.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace moec::lowering::nvptx;

/// A step is 32 columns of the depth: of a tile, as on an H200, where these reach 130 TFLOP/s of 132 multiprocessors; and of a
/// warp's part of a narrow block, as there in decode, where a layer's 34 chosen experts take 130 microseconds.
static constexpr double tileStep = 0.5, narrowStep = 0.3;
/// What a block does before the first products and behind the last, in steps.
static constexpr int64_t stepsAround = 2;
/// Registers allow no more.
static constexpr int64_t narrowBlocksAtOnce = 2;

static int64_t ceilDiv(int64_t number, int64_t divisor) { return int64_t(llvm::divideCeil(uint64_t(number), uint64_t(divisor))); }

namespace {
/// The planes that rows meet, and the rows of each.
struct Planes {
  int64_t count, rows;

  Planes(const ProductSizes &of, int64_t rows) : count(of.planes), rows(rows) {
    if (!of.chosenPlanes)
      return;
    // As if the choice were even and each row's its own.
    double missed = std::pow(1 - double(of.chosenPlanes) / double(of.planes), double(rows));
    count = std::max(int64_t(std::lround(double(of.planes) * (1 - missed))), of.chosenPlanes);
    this->rows = ceilDiv(rows * of.chosenPlanes, count);
  }
};
} // namespace

/// Bytes of a column of all groups, and of a row of activations.
static double bytesOfColumn(const ProductSizes &of) { return of.bytesOfWeight * double(of.width * of.groups); }
static double bytesOfRow(const ProductSizes &of) { return 4 * double(of.width); }

static Work narrowWork(const ProductSizes &of, const Planes &planes) {
  int64_t blocks = planes.count * ceilDiv(of.columns, MatrixProduct::columns), pieces = ceilDiv(planes.rows, TileProduct::rows);
  int64_t turnsOfPiece = ceilDiv(std::min(planes.rows, TileProduct::rows), MatrixProduct::rows),
          stepsOfTurn = stepsAround + ceilDiv(of.width, WeightCodes::unitColumns * MatrixProduct::warps);
  double weights = double(ceilDiv(planes.rows, MatrixProduct::rows) * MatrixProduct::columns) * bytesOfColumn(of);
  return {.blocks = blocks * pieces,
          .blocksAtOnce = narrowBlocksAtOnce,
          .microseconds = narrowStep * double(turnsOfPiece * stepsOfTurn),
          .bytes = double(blocks) * (weights + double(planes.rows) * bytesOfRow(of)),
          .distinctBytes = double(planes.count * of.columns) * bytesOfColumn(of)};
}

static Work tileWork(const ProductSizes &of, const Planes &planes) {
  int64_t blocks = planes.count * ceilDiv(of.columns * of.groups, TileProduct::weightRows),
          pieces = ceilDiv(planes.rows, TileProduct::rows);
  double weights = double(planes.count * of.columns) * bytesOfColumn(of); // rows beyond the last are read as the last
  return {.blocks = blocks * pieces,
          .microseconds = tileStep * double(stepsAround + ceilDiv(of.width, WeightCodes::unitColumns)),
          .bytes = double(pieces) * weights + double(blocks * planes.rows) * bytesOfRow(of),
          .distinctBytes = weights};
}

ProductCosts moec::lowering::nvptx::costsOf(llvm::ArrayRef<ProductSizes> products, int64_t rows, const Machine &machine) {
  ProductCosts costs;
  for (const ProductSizes &of : products) {
    const Planes planes(of, rows);
    costs.narrow = costs.narrow + costOf(narrowWork(of, planes), machine);
    costs.tiles = costs.tiles + costOf(tileWork(of, planes), machine);
  }
  return costs;
}

std::optional<int64_t> moec::lowering::nvptx::tilesFrom(llvm::ArrayRef<ProductSizes> products, int64_t mostRows,
                                                        const Machine &machine) {
  int64_t rows = std::min(mostRows, manyRows);
  auto tilesPay = [&](int64_t rows) {
    ProductCosts costs = costsOf(products, rows, machine);
    return costs.tiles.microseconds < costs.narrow.microseconds;
  };
  if (rows <= MatrixProduct::rows || !tilesPay(rows))
    return {};
  while (rows > MatrixProduct::rows + 1 && tilesPay(rows - 1))
    --rows;
  return rows;
}
