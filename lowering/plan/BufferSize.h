// How many bytes buffers take.
#ifndef MOEC_LOWERING_PLAN_BUFFERSIZE_H
#define MOEC_LOWERING_PLAN_BUFFERSIZE_H

#include "dialects/plan/Plan.h"

namespace moec::lowering {

/// Bytes of `type`; unknown dimensions count as 1.
inline int64_t bytesOfRow(mlir::ShapedType type) {
  int64_t elements = 1;
  for (int64_t dim : type.getShape())
    elements *= mlir::ShapedType::isDynamic(dim) ? 1 : dim;
  return elements * type.getElementTypeBitWidth() / 8;
}

/// How many of `extent` the largest step of `program` has.
inline int64_t mostUnits(plan::ProgramOp program, plan::Extent extent) {
  switch (extent) {
  case plan::Extent::Constant:
    return 1;
  case plan::Extent::Tokens:
    return program.getMaxTokens();
  case plan::Extent::Outputs:
    return program.getMaxOutputs();
  case plan::Extent::Sequences:
    return program.getMaxSequences();
  }
  llvm_unreachable("every extent counts something");
}

/// Bytes of `buffer` in the largest step of `program`.
inline int64_t bytesOf(plan::BufferOp buffer, plan::ProgramOp program) {
  return bytesOfRow(mlir::cast<mlir::ShapedType>(buffer.getType())) * mostUnits(program, buffer.getRowExtent());
}

} // namespace moec::lowering

#endif // MOEC_LOWERING_PLAN_BUFFERSIZE_H
