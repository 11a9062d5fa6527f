// What a kernel is called with: its buffers by the values of its region, the step's numbers, its items, its scratch memory.
#ifndef MOEC_LOWERING_X86_KERNELFRAME_H
#define MOEC_LOWERING_X86_KERNELFRAME_H

#include "dialects/moe/MoE.h"
#include "dialects/plan/Plan.h"
#include "lowering/x86/KernelBuilder.h"

namespace moec::lowering::x86 {

/// A weight: the addresses of its parts and how its leading rows are dealt out over them.
class Weight {
public:
  Weight() = default;
  Weight(KernelBuilder &b, mlir::RankedTensorType type, Pointer parts, llvm::ArrayRef<int64_t> partRows);

  explicit operator bool() const { return builder; }
  mlir::Type element() const { return type.getElementType(); }
  int64_t width() const { return type.getShape().back(); }
  int64_t leadingRows() const { return type.getShape().front(); }
  /// The address of entry `index` of the first dimension.
  Pointer row(Number index) const;

private:
  KernelBuilder *builder = nullptr;
  mlir::RankedTensorType type;
  Pointer parts;
  llvm::ArrayRef<int64_t> partRows;
};

/// The buffers that `!moe.batch` stands for.
struct Batch {
  Pointer positions, tokenSequence, starts, pages, outputTokens;
};

/// Pages of a cache.
struct Cache {
  Pointer base;
  int64_t width = 0;
};

class KernelFrame {
public:
  /// `arguments` are those of runtime/kernels/Kernel.h.
  KernelFrame(KernelBuilder &b, plan::KernelOp kernel, llvm::ArrayRef<Number> arguments);

  KernelBuilder &b;
  mutable plan::KernelOp kernel; // a handle: its accessors are not const
  Number begin, end;             ///< items to compute
  Number tokens, sequences;      ///< of the step
  Number maxPages;               ///< entries of a page table's row
  Number rows;                   ///< what the unknown dimension of the region's tensors counts

  /// The buffer of rows, ids or counts that a region argument stands for.
  Pointer buffer(mlir::Value argument) const;
  Weight weight(mlir::Value argument) const;
  Batch batch(mlir::Value argument) const;
  Cache cache(mlir::FlatSymbolRefAttr symbol) const;
  /// The buffer of the i-th result.
  Pointer result(unsigned index) const;
  /// The table of a rotary embedding, and that of its position scale.
  Pointer rotaryTable(moe::RopeOp op) const;
  Pointer positionScaleTable(moe::RopeOp op) const;

  /// The address of a sequence's position in a cache.
  Pointer cacheRow(const Cache &cache, const Batch &batch, Number sequence, Number position) const;

  /// Scratch memory for `count` elements, at a multiple of 64 bytes.
  Pointer allocate(mlir::Type element, int64_t count);
  int64_t scratchBytes() const { return allocated; }

private:
  Pointer bufferAt(unsigned index, mlir::Type element) const;
  unsigned indexOf(mlir::Value argument) const;

  llvm::SmallVector<mlir::Value> addresses; ///< of all buffers, in order
  unsigned firstCache = 0, firstResult = 0, firstTable = 0;
  mlir::Value scratch;
  int64_t allocated = 0;
};

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_KERNELFRAME_H
