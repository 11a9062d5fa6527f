// A lane takes every 32nd group of elements; the lanes' sums meet in a tree.
#include "lowering/nvptx/products/WarpProduct.h"

#include "lowering/kernel/NumberFormat.h"

#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

WarpProduct::WarpProduct(KernelBuilder &b, const Storage &storage, moe::Compute compute, int64_t width, ArrayRef<int64_t> strides)
    : b(b), storage(storage), compute(compute), width(width), step(8) {
  int64_t multiple = std::gcd(width, storage.scaleColumns); // what is loaded at once shares a scale
  for (int64_t stride : strides)
    multiple = std::gcd(multiple, stride);
  while (multiple % step)
    step /= 2;
}

Number WarpProduct::dot(const WeightRow &weights, Pointer activations) const { return dots(weights, activations)[0]; }

KernelBuilder::Numbers WarpProduct::dots(const WeightRow &weights, ArrayRef<Pointer> activations) const {
  int64_t lanes = step == 1 ? 0 : step;
  KernelBuilder::Numbers zeros(activations.size(), lanes ? b.real(0).splat(lanes) : b.real(0));
  auto sums = b.forRange(b.lane() * step, b.integer(width), warpSize * step, zeros, [&](Number i, ArrayRef<Number> before) {
    int64_t alignment = std::max<int64_t>(step * storage.element.getIntOrFloatBitWidth() / 8, 1);
    Number weight = loadElements(storage, weights, i, lanes, alignment);
    KernelBuilder::Numbers after;
    for (auto [row, sum] : llvm::zip(activations, before)) {
      Number activation = (row + i).load(lanes, std::min<int64_t>(step * 4, 16));
      after.push_back(fma(weight, compute == moe::Compute::BF16 ? b.roundToBf16(activation) : activation, sum));
    }
    return after;
  });
  for (Number &sum : sums)
    sum = b.sumOverWarp(b.sumOfElements(sum));
  return sums;
}
