// Dot products by the lanes of a warp: the product that every GPU can do.
#ifndef MOEC_LOWERING_NVPTX_PRODUCTS_WARPPRODUCT_H
#define MOEC_LOWERING_NVPTX_PRODUCTS_WARPPRODUCT_H

#include "lowering/kernel/Weight.h"
#include "lowering/nvptx/KernelFrame.h"

namespace moec::lowering::nvptx {

/// Threads of the blocks whose warps take one column of a result each.
inline constexpr int64_t productWarps = 4, productThreads = productWarps * warpSize;
/// Rows that a block of such warps takes one after the other, while the weights are in its cache.
inline constexpr int64_t productRows = 16;

/// Products of rows of weights, stored in one way, with rows of activations, `width` long.
class WarpProduct {
public:
  /// `strides` are what the distances in elements between rows of activations are multiples of: they decide how many elements are
  /// loaded at once.
  WarpProduct(KernelBuilder &b, const Storage &storage, moe::Compute compute, int64_t width, llvm::ArrayRef<int64_t> strides = {});

  /// The dot product of a row of weights and f32 activations, in every lane. One chain per lane, then a fixed tree.
  Number dot(const WeightRow &weights, Pointer activations) const;
  /// The same of each of several rows of activations.
  KernelBuilder::Numbers dots(const WeightRow &weights, llvm::ArrayRef<Pointer> activations) const;

private:
  KernelBuilder &b;
  Storage storage;
  moe::Compute compute;
  int64_t width, step;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_PRODUCTS_WARPPRODUCT_H
