// Builds kernels for blocks of threads: who a thread is, what threads exchange, where blocks keep things.
#ifndef MOEC_LOWERING_NVPTX_KERNELBUILDER_H
#define MOEC_LOWERING_NVPTX_KERNELBUILDER_H

#include "lowering/kernel/FunctionBuilder.h"
#include "lowering/nvptx/Target.h"

#include <array>
#include <optional>

namespace moec::lowering::nvptx {

/// Threads of a warp.
inline constexpr int64_t warpSize = 32;

class KernelBuilder : public FunctionBuilder {
public:
  /// Appends functions to `module`.
  KernelBuilder(mlir::ModuleOp module, const Target &target) : FunctionBuilder(module), target(target) {}

  const Target &target;

  /// The thread's number in its block, in its warp, and the warp's in the block; the block's in dimension 0, 1 or 2 of the grid.
  Number thread();
  Number lane();
  Number warp();
  Number block(unsigned dimension);
  /// The number of blocks in dimension 0.
  Number gridSize();
  /// What `body` emits is the work of block `number` of a grid of three dimensions, whichever block does it.
  mlir::LogicalResult asBlock(std::array<Number, 3> number, llvm::function_ref<mlir::LogicalResult()> body);

  /// All threads of the block meet; what they have stored before is seen after.
  void barrier();
  /// The same for the lanes of a warp.
  void syncWarp();
  /// Lets others have their turn, about a tenth of a microsecond: for loops that wait for what another block does.
  void sleep();
  /// The `value`, of 32 bits or an i64, of the lane whose number differs in the bits of `mask`; of lane `from`.
  Number shuffleXor(Number value, int64_t mask);
  Number shuffleFrom(Number value, Number from);
  /// An i32 with a bit for each lane, set where its `condition` holds.
  Number ballot(Number condition);
  /// How many lanes of such a mask; the first of them, if any, as an i32; those below this lane.
  Number countLanes(Number mask);
  Number firstLane(Number mask);
  Number lanesBelow(Number mask);
  /// The sum (largest) over the lanes of a warp, in every lane: lane i meets lane i ^ 16, then i ^ 8, and so on.
  Number sumOverWarp(Number value);
  Number maximumOverWarp(Number value);
  /// The sum of integers over the lanes before this one.
  Number sumBefore(Number value);
  /// Scalars as a vector.
  Number gather(llvm::ArrayRef<Number> elements);
  /// The sum of a vector's elements by halving.
  Number sumOfElements(Number vector);
  /// 2 to the power of an f32, to the last two places.
  Number powerOfTwo(Number exponent);
  /// `value` rounded to bf16 and back.
  Number roundToBf16(Number value);

  /// The element at `address` where `condition` holds, else `otherwise`.
  Number loadIf(Number condition, Pointer address, Number otherwise);

  /// `body(i)` for i in [0, count): thread t takes t, t + threads, ...
  void forThreads(Number count, int64_t threads, llvm::function_ref<void(Number)> body);
  /// The assembler does not unroll the loop that gave `results`.
  void keepRolled(llvm::ArrayRef<Number> results);
  /// What a thread takes of rows of `width` at once: a vector's lanes, or 0 for a single column; and how many columns that is.
  struct ThreadColumns {
    int64_t lanes, count;
  };
  static ThreadColumns columnsOfThread(int64_t width, int64_t threads);
  /// `body(column, lanes)` for the columns of a row.
  void forColumns(int64_t width, int64_t threads, llvm::function_ref<void(Number, int64_t)> body);
  /// `body(i)` for i in [0, count) by the lanes of a warp.
  void forLanes(int64_t count, llvm::function_ref<void(Number)> body);

  Pointer loadAddress(Pointer from, mlir::Type pointee) override;
  /// The address of byte `offset` of the block's dynamic shared memory.
  Pointer shared(int64_t offset, mlir::Type element);

  /// An entry of so many `arguments`, addresses all; `body` gets them and returns the number of threads of a block.
  using Body = llvm::function_ref<int64_t(llvm::ArrayRef<mlir::Value>)>;
  void kernel(llvm::StringRef name, unsigned arguments, Body body);

private:
  mlir::Value sharedMemory();
  /// A `global` address that is a multiple of so many bytes, as a generic one.
  mlir::Value genericOf(mlir::Value global, int64_t multiple);

  std::optional<std::array<Number, 3>> taken; ///< the block whose work is emitted, where it is not the block itself
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_KERNELBUILDER_H
