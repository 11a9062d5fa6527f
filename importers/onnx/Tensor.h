// A value of a graph as the importer knows it.
#ifndef MOEC_IMPORTERS_ONNX_TENSOR_H
#define MOEC_IMPORTERS_ONNX_TENSOR_H

#include "importers/onnx/Extent.h"
#include "importers/onnx/Model.h"

namespace moec::importers::onnx {

struct Sequence;
struct Optional;

/// Has a value in IR, or bytes in a file, or is small and has known elements; IR is made of the latter two where they are used.
struct Tensor {
  DataType type = DataType::Undefined;
  Shape shape;
  mlir::Value value;
  const StoredTensor *stored = nullptr;
  /// Of integers and booleans of few elements, which may be shapes.
  std::optional<llvm::SmallVector<Extent, 4>> elements;
  // One of these when it is no tensor; then there is nothing else. See Compound.h.
  std::shared_ptr<const Sequence> sequence;
  std::shared_ptr<const Optional> optional;
  std::shared_ptr<const Tensor> text; ///< of strings

  /// Whether it is one of numbers.
  bool isTensor() const { return !sequence && !optional && !text; }
  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  bool isStatic() const {
    return llvm::all_of(shape, [](const Extent &extent) { return extent.isConstant(); });
  }
  /// Of a static one.
  int64_t count() const {
    int64_t result = 1;
    for (const Extent &extent : shape)
      result *= extent.constant();
    return result;
  }
};

/// As messages show it: "2x?x14".
std::string spelled(llvm::ArrayRef<Extent> shape);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_TENSOR_H
