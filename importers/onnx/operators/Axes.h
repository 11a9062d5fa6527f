// Shapes that operators are asked for by axes and sizes, which may be known only when the model runs.
#ifndef MOEC_IMPORTERS_ONNX_OPERATORS_AXES_H
#define MOEC_IMPORTERS_ONNX_OPERATORS_AXES_H

#include "importers/onnx/Call.h"

namespace moec::importers::onnx {

/// The attribute or, in newer versions, input `index` named `name`; nothing when neither is given.
mlir::FailureOr<std::optional<llvm::SmallVector<Extent, 4>>> integersOf(Call &call, llvm::StringRef name, size_t index);

/// For each of `rank` dimensions, whether it is among `axes`: 1 or 0.
mlir::FailureOr<llvm::SmallVector<Extent>> chosenAxes(Call &call, llvm::ArrayRef<Extent> axes, int64_t rank,
                                                      llvm::StringRef name = "axes");
bool areKnown(llvm::ArrayRef<Extent> flags);

/// Entry `index` of a list.
Extent pick(Extents &extents, llvm::ArrayRef<Extent> list, const Extent &index);

/// The shape without the dimensions that are chosen, `count` of them.
Shape withoutChosen(Extents &extents, llvm::ArrayRef<Extent> shape, llvm::ArrayRef<Extent> chosen, int64_t count);

/// The shape of the result of Reshape, Squeeze, Unsqueeze or Flatten.
mlir::FailureOr<Shape> reshapedShape(Call &call);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_OPERATORS_AXES_H
