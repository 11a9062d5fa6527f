// What products of a step's rows take, cut into narrow blocks or into tiles.
#ifndef MOEC_LOWERING_NVPTX_PRODUCTS_PRODUCTCOST_H
#define MOEC_LOWERING_NVPTX_PRODUCTS_PRODUCTCOST_H

#include "lowering/nvptx/CostModel.h"
#include "llvm/ADT/ArrayRef.h"

#include <optional>

namespace moec::lowering::nvptx {

/// Rows by the columns of `groups` weights of the same sizes, once for each of `planes` such sets of weights.
struct ProductSizes {
  int64_t columns = 0;      ///< of the result
  int64_t width = 0;        ///< that is summed over
  double bytesOfWeight = 0; ///< of an element: 0.5 for codes of 4 bits
  int64_t groups = 1;
  int64_t planes = 1;
  int64_t chosenPlanes = 0; ///< that a row meets, any of them, if not all: experts
};

struct ProductCosts {
  Cost narrow, tiles;
};
/// Steps of more rows are as those of so many.
inline constexpr int64_t manyRows = 1 << 14;
/// Of a step of so many rows.
ProductCosts costsOf(llvm::ArrayRef<ProductSizes> products, int64_t rows, const Machine &machine);

/// The number of rows from which on tiles take less, whatever the rows up to `mostRows`; nothing if they never do.
std::optional<int64_t> tilesFrom(llvm::ArrayRef<ProductSizes> products, int64_t mostRows, const Machine &machine);

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_PRODUCTS_PRODUCTCOST_H
