// The few patterns of upstream IR that operators are built from.
#ifndef MOEC_IMPORTERS_ONNX_EMITTER_H
#define MOEC_IMPORTERS_ONNX_EMITTER_H

#include "importers/onnx/Scalars.h"
#include "importers/onnx/Tensor.h"
#include "importers/onnx/WeightTable.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace moec::importers::onnx {

/// Which loop each dimension of an operand follows; `broadcast` for one of size 1 that is read again and again.
using Subscripts = llvm::SmallVector<int, 4>;
constexpr int broadcast = -1;

/// Makes an element from elements of the operands and, last, of the result so far.
using ElementFunction = llvm::function_ref<mlir::Value(Scalars &, mlir::ValueRange)>;
/// Makes an element from its indices.
using IndexFunction = llvm::function_ref<mlir::Value(Scalars &, mlir::ValueRange)>;

class Emitter {
public:
  Emitter(mlir::ImplicitLocOpBuilder &b, WeightTable &weights) : b(b), extents(b), weights(weights) {}

  //===- Values ---===//

  mlir::Type elementType(DataType type) { return typeOf(type, b.getContext()); }
  mlir::RankedTensorType tensorType(llvm::ArrayRef<Extent> shape, DataType type);
  /// `value` as a tensor of that shape, which it is cast to where its type says less.
  Tensor tensor(mlir::Value value, DataType type, llvm::ArrayRef<Extent> shape);
  /// The tensor in IR, at the present place.
  mlir::Value value(const Tensor &tensor);
  /// The sizes of a value that IR knows better than we do: of loops, of data.
  Tensor fromValue(mlir::Value value, DataType type);
  Tensor known(llvm::ArrayRef<Extent> elements, llvm::ArrayRef<Extent> shape, DataType type = DataType::Int64);
  /// Every element the same.
  Tensor filled(llvm::ArrayRef<Extent> shape, DataType type, double number);
  /// The integers of a tensor of statically many, known or read when it runs.
  llvm::SmallVector<Extent, 4> integers(const Tensor &tensor);
  /// The only element of a tensor.
  mlir::Value scalar(const Tensor &tensor);
  /// Ends the run with `message` unless `condition` (an i1) holds.
  void require(mlir::Value condition, const llvm::Twine &message);
  void requireEqual(const Extent &a, const Extent &b, const llvm::Twine &message);

  //===- Loops ---===//

  /// result[i...] = element(in[i...] ...): loops over `loops`, of which the first `outRank` make the result and the others are
  /// reduced from `initial`, or not there.
  Tensor loop(llvm::ArrayRef<Tensor> inputs, llvm::ArrayRef<Subscripts> subscripts, llvm::ArrayRef<Extent> loops, int64_t outRank,
              DataType type, std::optional<double> initial, ElementFunction element);
  /// Element by element, with numpy's broadcasting to `shape`. Narrow floats are computed with in f32.
  Tensor map(llvm::ArrayRef<Tensor> inputs, llvm::ArrayRef<Extent> shape, DataType type, ElementFunction element);
  Tensor generate(llvm::ArrayRef<Extent> shape, DataType type, IndexFunction element);
  /// Over some axes, which stay with size 1. Accumulates narrow floats in f32.
  Tensor reduce(const Tensor &input, llvm::ArrayRef<int64_t> axes, double initial, ElementFunction combine);
  Tensor sum(const Tensor &input, llvm::ArrayRef<int64_t> axes);
  Tensor maximum(const Tensor &input, llvm::ArrayRef<int64_t> axes);
  /// Sum of products of two tensors; each is given by its loops.
  Tensor contract(const Tensor &a, Subscripts ofA, const Tensor &b, Subscripts ofB, llvm::ArrayRef<Extent> loops, int64_t outRank,
                  DataType type);
  /// x with dimensions of size 1 repeated where `shape` has more.
  Tensor expand(const Tensor &input, llvm::ArrayRef<Extent> shape);

  //===- Shapes ---===//

  Tensor reshape(const Tensor &input, llvm::ArrayRef<Extent> shape);
  Tensor transpose(const Tensor &input, llvm::ArrayRef<int64_t> permutation);
  Tensor slice(const Tensor &input, llvm::ArrayRef<Extent> offsets, llvm::ArrayRef<Extent> sizes);
  /// Along one axis, from `offset` on.
  Tensor sliceAxis(const Tensor &input, int64_t axis, const Extent &offset, const Extent &size);
  Tensor concat(llvm::ArrayRef<Tensor> inputs, int64_t axis);
  Tensor cast(const Tensor &input, DataType type, bool saturate = true);
  /// [rows, width] with a dynamic number of rows of f32, as ops of the moe dialect have it.
  mlir::Value rows(const Tensor &input, int64_t width, DataType type = DataType::Float32);
  /// The inverse: rows made by a moe op as a tensor of that shape and type.
  Tensor fromRows(mlir::Value rows, llvm::ArrayRef<Extent> shape, DataType type);

  mlir::ImplicitLocOpBuilder &b;
  Extents extents;
  WeightTable &weights;
  uint64_t sequenceElements = 1 << 18; ///< how many more elements of sequences may be listed, see Compound.h

private:
  Tensor broadcastAtRunTime(const Tensor &input, llvm::ArrayRef<Extent> shape);
};

/// Whether elements are narrower floats than arithmetic is done in.
inline bool isNarrow(DataType type) { return isFloat(type) && bitsOf(type) < 32; }
/// What arithmetic on elements is done in.
inline DataType wide(DataType type) { return isNarrow(type) ? DataType::Float32 : type; }

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_EMITTER_H
