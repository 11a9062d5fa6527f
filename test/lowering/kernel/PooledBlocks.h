// A kernel that pools blocks of positions, as a plan's text.
#ifndef MOEC_TEST_LOWERING_KERNEL_POOLEDBLOCKS_H
#define MOEC_TEST_LOWERING_KERNEL_POOLEDBLOCKS_H

#include "llvm/Support/FormatVariadic.h"

#include <string>

namespace moec::test {

/// Pools `columns` columns of each `block` positions into entries of `width`: where that is half, an entry also pools the block
/// before its own.
inline std::string pooledBlocks(int64_t block, int64_t columns, int64_t width, const char *type) {
  return llvm::formatv("plan.kernel @k items 1 per tokens rows tokens parts [array<i64>, array<i64: {0}>] {{\n"
                       "^bb0(%batch: !moe.batch, %b: tensor<{0}x{1}xf32>):\n"
                       "  moe.cache @cache0 : tensor<?x{2}x{3}>\n"
                       "  %e = moe.pool_blocks over @cache0 at %batch bias %b : tensor<{0}x{1}xf32> -> tensor<?x{4}xf32>\n"
                       "  plan.return %e : tensor<?x{4}xf32>\n}\n",
                       block, columns, 2 * columns, type, width);
}

} // namespace moec::test

#endif // MOEC_TEST_LOWERING_KERNEL_POOLEDBLOCKS_H
