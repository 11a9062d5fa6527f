// A chain: each block takes its share of a kernel's grid, all blocks meet, then the next kernel.
#include "lowering/nvptx/launches/EmitChain.h"

#include "lowering/kernel/EmitByFamily.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/launches/GridBarrier.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static Number unitsOf(const KernelFrame &frame, plan::Extent extent) {
  switch (extent) {
  case plan::Extent::Constant:
    return frame.b.integer(1);
  case plan::Extent::Tokens:
    return frame.tokens;
  case plan::Extent::Outputs:
    return frame.outputs;
  case plan::Extent::Sequences:
    return frame.sequences;
  }
  llvm_unreachable("every extent counts something");
}

static Number valueOf(const KernelFrame &frame, const LaunchDimension &dimension) {
  Number steps = (unitsOf(frame, dimension.extent) + (dimension.divisor - 1)) / dimension.divisor;
  return steps * dimension.factor + dimension.addend;
}

namespace {
/// The grid that a launch of the kernel alone would have.
struct Grid {
  Number size[3];

  Grid(const KernelFrame &frame, const LaunchShape &shape) : size{frame.b.integer(1), frame.b.integer(1), frame.b.integer(1)} {
    for (auto [blocks, dimension] : llvm::zip(size, shape.grid))
      blocks = valueOf(frame, dimension);
  }
  Number blocks() const { return size[0] * size[1] * size[2]; }
};
} // namespace

/// What its blocks would compute, by the blocks that there are.
static LogicalResult emitShare(KernelFrame &frame, const Grid &grid) {
  KernelBuilder &b = frame.b;
  Number first = b.block(0), blocks = b.gridSize();
  Number turns = (grid.blocks() - first + blocks - 1) / blocks;
  LogicalResult outcome = success();
  b.forRange(turns, [&](Number turn) {
    Number block = first + turn * blocks, plane = block / grid.size[0];
    outcome = b.asBlock({block % grid.size[0], plane % grid.size[1], plane / grid.size[1]}, [&] { return emitByFamily(frame); });
    b.barrier(); // shared memory is the next turn's, and the next kernel's
  });
  return outcome;
}

LogicalResult moec::lowering::nvptx::emitChain(KernelBuilder &b, const LaunchChain &chain, ArrayRef<plan::KernelOp> kernels,
                                               ArrayRef<LaunchShape> shapes) {
  unsigned count = 2;
  for (size_t place : chain.kernels)
    count += KernelArguments::countBuffers(kernels[place]) + 1;
  LogicalResult outcome = success();
  b.kernel(chain.name, count, [&](ArrayRef<Value> arguments) {
    Value numbers = arguments.back();
    GridBarrier barrier(b, b.pointer(arguments[count - 2], b.i32));
    std::optional<Number> before; // blocks of the kernel before
    for (size_t place : chain.kernels) {
      plan::KernelOp kernel = kernels[place];
      unsigned own = KernelArguments::countBuffers(kernel) + 1;
      SmallVector<Value> its(arguments.take_front(own));
      arguments = arguments.drop_front(own);
      its.push_back(numbers);
      KernelFrame frame(b, kernel, its);
      frame.mostRows = chain.mostRows;
      frame.isInChain = true;
      const Grid grid(frame, shapes[place]);
      if (before) // what one block does after another needs nobody else
        barrier.meet((*before > 1) | (grid.blocks() > 1));
      before = grid.blocks();
      if (failed(emitShare(frame, grid)))
        outcome = failure();
    }
    barrier.leave();
    return shapes[chain.kernels.front()].threads;
  });
  return outcome;
}
