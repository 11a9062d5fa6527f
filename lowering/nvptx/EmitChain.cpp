// A chain: each block takes its share of a kernel's grid, all blocks meet, then the next kernel.
#include "lowering/nvptx/EmitChain.h"

#include "lowering/kernel/EmitByFamily.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/GridBarrier.h"

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

/// What a launch of the kernel alone would compute, by the blocks that there are.
static LogicalResult emitShare(KernelFrame &frame, const LaunchShape &shape) {
  KernelBuilder &b = frame.b;
  Number size[] = {b.integer(1), b.integer(1), b.integer(1)};
  for (auto [size, dimension] : llvm::zip(size, shape.grid))
    size = valueOf(frame, dimension);
  Number first = b.block(0), blocks = b.gridSize();
  Number turns = (size[0] * size[1] * size[2] - first + blocks - 1) / blocks;
  LogicalResult outcome = success();
  b.forRange(turns, [&](Number turn) {
    Number block = first + turn * blocks, plane = block / size[0];
    outcome = b.asBlock({block % size[0], plane % size[1], plane / size[1]}, [&] { return emitByFamily(frame); });
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
    for (size_t place : chain.kernels) {
      plan::KernelOp kernel = kernels[place];
      if (place != chain.kernels.front())
        barrier.meet();
      unsigned own = KernelArguments::countBuffers(kernel) + 1;
      SmallVector<Value> its(arguments.take_front(own));
      arguments = arguments.drop_front(own);
      its.push_back(numbers);
      KernelFrame frame(b, kernel, its);
      frame.mostRows = chain.mostRows;
      if (failed(emitShare(frame, shapes[place])))
        outcome = failure();
    }
    barrier.leave();
    return shapes[chain.kernels.front()].threads;
  });
  return outcome;
}
