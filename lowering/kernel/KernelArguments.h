// What a kernel is called with, whatever the target: its buffers by the values of its region.
#ifndef MOEC_LOWERING_KERNEL_KERNELARGUMENTS_H
#define MOEC_LOWERING_KERNEL_KERNELARGUMENTS_H

#include "dialects/moe/MoE.h"
#include "dialects/plan/Plan.h"
#include "lowering/kernel/FunctionBuilder.h"
#include "lowering/kernel/Weight.h"

namespace moec::lowering {

/// The buffers that `!moe.batch` stands for.
struct Batch {
  Pointer positions, tokenSequence, starts, pages, outputTokens;
};

/// Pages of a cache.
struct Cache {
  Pointer base;
  int64_t width = 0;
  int64_t block = 1; ///< positions that share a row
};

/// Buffers and numbers of a kernel.
class KernelArguments {
public:
  /// The number of buffers that `kernel` is launched with.
  static unsigned countBuffers(plan::KernelOp kernel);

  mutable plan::KernelOp kernel;     ///< a handle, whose accessors are not const
  Number tokens, outputs, sequences; ///< of the step
  Number maxPages;                   ///< entries of a page table's row
  Number rows;                       ///< what the unknown dimension of the region's tensors counts

  /// The buffer of rows, ids or counts that a region argument stands for.
  Pointer buffer(mlir::Value argument) const;
  Weight weight(mlir::Value argument) const;
  Batch batch(mlir::Value argument) const;
  Cache cache(mlir::FlatSymbolRefAttr symbol) const;
  /// The buffer of the i-th result.
  Pointer result(unsigned index) const;
  /// The i-th of the tables that `tablesOf` says `op` has.
  Pointer table(mlir::Operation *op, unsigned index) const;

  /// The address of a sequence's position in a cache: of the row of its block, where blocks have rows.
  Pointer cacheRow(const Cache &cache, const Batch &batch, Number sequence, Number position) const {
    return cache.base + cacheOffset(cache, batch, sequence, position);
  }
  /// The same in elements from the cache's first.
  Number cacheOffset(const Cache &cache, const Batch &batch, Number sequence, Number position) const;
  /// The most rows that the longest sequence which programs are compiled for has in a cache, in whole pages.
  int64_t mostCachedRows(const Cache &cache) const;

protected:
  /// `addresses` are those of the buffers in order; `numbers` that of the step's numbers (runtime/kernels/Kernel.h).
  KernelArguments(FunctionBuilder &builder, plan::KernelOp kernel, llvm::SmallVector<mlir::Value> addresses, mlir::Value numbers);

private:
  Pointer bufferAt(unsigned index, mlir::Type element) const;
  unsigned indexOf(mlir::Value argument) const;

  FunctionBuilder &builder;
  llvm::SmallVector<mlir::Value> addresses; ///< of all buffers, in order
  unsigned firstCache = 0, firstResult = 0, firstTable = 0;
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_KERNELARGUMENTS_H
