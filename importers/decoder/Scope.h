// Where in the model a builder stands: gives its ops their locations and its weights their names.
#ifndef MOEC_IMPORTERS_DECODER_SCOPE_H
#define MOEC_IMPORTERS_DECODER_SCOPE_H

#include "importers/decoder/Decoder.h"
#include "importers/decoder/Weights.h"

#include "mlir/IR/Builders.h"

namespace moec::importers {

/// Builds ops of one part of a model. `tensors` begins the names of its tensors ("model.layers.3.self_attn."), `place` the names of
/// its ops' locations ("layers.3.attention.").
class Scope {
public:
  Scope(mlir::OpBuilder &builder, Weights &weights, mlir::Value batch) : builder(builder), weights(weights), batch(batch) {}

  /// A part of this one; without a place of its own when `placePart` is empty.
  Scope within(llvm::StringRef tensorPart, llvm::StringRef placePart) const {
    Scope part = *this;
    part.tensors += tensorPart.str() + ".";
    if (!placePart.empty())
      part.place += placePart.str() + ".";
    return part;
  }
  /// The same place, whose tensors' names begin with `start`.
  Scope startingWith(llvm::StringRef start) const {
    Scope other = *this;
    other.tensors = start.str();
    return other;
  }
  std::string tensor(llvm::StringRef name) const { return tensors + name.str(); }
  std::string placeOf(llvm::StringRef name) const { return place + name.str(); }
  mlir::MLIRContext *context() const { return builder.getContext(); }
  mlir::RankedTensorType rows(int64_t width) const;

  /// The value of a weight, fetched where it is used.
  mlir::Value get(moe::WeightOp weight);
  mlir::Value get(const Matrix &matrix);
  mlir::Value weight(llvm::StringRef name, llvm::ArrayRef<int64_t> shape) { return get(weights.whole(tensor(name), shape)); }
  /// The same of what a product reads.
  mlir::Value matrix(llvm::StringRef name, llvm::ArrayRef<int64_t> shape) { return get(weights.matrix(tensor(name), shape)); }

  /// Creates an op whose location is `name` at this place.
  template <typename Op, typename... Args> Op create(llvm::StringRef name, Args &&...args) {
    return Op::create(builder, mlir::NameLoc::get(builder.getStringAttr(place + name)), std::forward<Args>(args)...);
  }
  /// x W^T with the tensor `name`.weight, plus `name`.bias when `bias`.
  mlir::Value linear(llvm::StringRef name, mlir::Value input, int64_t width, bool bias = false);
  mlir::Value norm(llvm::StringRef name, mlir::Value input, int64_t group, double epsilon);
  mlir::Value columns(llvm::StringRef name, mlir::Value input, int64_t from, int64_t width);
  /// A norm without a weight, of groups of so many columns.
  mlir::Value plainNorm(llvm::StringRef name, mlir::Value input, int64_t group, double epsilon);
  mlir::Value rope(llvm::StringRef name, mlir::Value input, int64_t headDim, moe::RotaryAttr rotary,
                   moe::PositionScaleAttr positionScale = {}, int64_t block = 1);
  mlir::Value gatedMLP(llvm::StringRef name, mlir::Value input, int64_t width, moe::ActivationAttr activation,
                       llvm::StringRef gate = "gate_proj", llvm::StringRef up = "up_proj", llvm::StringRef down = "down_proj");
  mlir::Value add(llvm::StringRef name, mlir::Value a, mlir::Value b);
  /// Declares a cache, beside the function, in the order of the layers; with a row for each block of positions.
  mlir::FlatSymbolRefAttr cache(llvm::StringRef symbol, int64_t width, int64_t block = 1);

  mlir::OpBuilder &builder;
  Weights &weights;
  mlir::Value batch;

private:
  std::string tensors, place;
};

} // namespace moec::importers

#endif // MOEC_IMPORTERS_DECODER_SCOPE_H
