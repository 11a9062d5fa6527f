// What a kernel is called with besides its buffers: shared memory, a workspace; and how it asks to be launched.
#ifndef MOEC_LOWERING_NVPTX_KERNELFRAME_H
#define MOEC_LOWERING_NVPTX_KERNELFRAME_H

#include "lowering/GpuCode.h"
#include "lowering/kernel/KernelArguments.h"
#include "lowering/nvptx/KernelBuilder.h"

namespace moec::lowering::nvptx {

class KernelFrame : public KernelArguments {
public:
  /// `arguments` are the addresses of the buffers, then of the workspace, then of the step's numbers.
  KernelFrame(KernelBuilder &b, plan::KernelOp kernel, llvm::ArrayRef<mlir::Value> arguments);
  static unsigned countArguments(plan::KernelOp kernel) { return countBuffers(kernel) + 2; }

  KernelBuilder &b;
  LaunchShape shape;
  /// No launch has more.
  int64_t mostRows = std::numeric_limits<int64_t>::max();
  bool isInChain = false; ///< and was emitted alone before: nothing is remarked again

  /// Remarks on the kernel, in the name of `pass` and with the target's.
  void remark(llvm::StringRef pass, bool passed, const std::string &text) const;
  /// A remark that threads compute what matrix units, if the target has them for such numbers, do not, and why.
  void noteThreads(moe::Compute compute, llvm::StringRef why) const;

  /// Blocks of `threads`, in a grid of these dimensions.
  void launch(int64_t threads, std::vector<LaunchDimension> grid);
  /// As many as the constant; factor x ceil(rows / divisor), of the rows of the region's tensors.
  static LaunchDimension constant(int64_t count) { return {.addend = count}; }
  LaunchDimension perRow(int64_t divisor = 1, int64_t factor = 1) const;

  /// Shared memory of the block for `count` elements, at a multiple of 16 bytes.
  Pointer allocateShared(mlir::Type element, int64_t count);
  /// What `body` allocates may lie where other bodies' memory does: for blocks that do one thing or another.
  void alternative(llvm::function_ref<void()> body);
  /// Memory of the block that computes `row`, shared if it fits, else in the workspace.
  Pointer allocateForRow(mlir::Type element, int64_t count, Number row);
  /// Global memory of `count` elements for every row of the step, one row after the other, each at a multiple of 32 bytes.
  Pointer allocateForRows(mlir::Type element, int64_t count);
  /// Global memory of `count` elements whatever the step, at a multiple of 256 bytes; to be called before rows get any.
  Pointer allocateForStep(mlir::Type element, int64_t count);
  /// i32 there that are zero when the kernel starts, and must be when it ends; to be called before any other.
  Pointer allocateCounters(int64_t count);

private:
  Pointer workspace;
  int64_t sharedBytes = 0, workspacePerRow = 0;
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_KERNELFRAME_H
