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

/// Bytes of `buffer` in the largest step of `program`.
inline int64_t bytesOf(plan::BufferOp buffer, plan::ProgramOp program) {
  int64_t row = bytesOfRow(mlir::cast<mlir::ShapedType>(buffer.getType()));
  switch (buffer.getRowExtent()) {
  case plan::Extent::Constant:
    return row;
  case plan::Extent::Tokens:
    return row * program.getMaxTokens();
  case plan::Extent::Outputs:
    return row * program.getMaxOutputs();
  case plan::Extent::Sequences:
    return row * program.getMaxSequences();
  }
  llvm_unreachable("every extent has a number of rows");
}

} // namespace moec::lowering

#endif // MOEC_LOWERING_PLAN_BUFFERSIZE_H
