// Stored tensors in IR: references to files, or constants where they are small or not stored as they lie in memory.
#ifndef MOEC_IMPORTERS_ONNX_WEIGHTTABLE_H
#define MOEC_IMPORTERS_ONNX_WEIGHTTABLE_H

#include "dialects/moe/MoE.h"
#include "importers/onnx/Extent.h"
#include "importers/onnx/Model.h"

#include "mlir/IR/BuiltinOps.h"

namespace moec::importers::onnx {

class WeightTable {
public:
  /// With `widens`, half floats are looked at as f32: see importModel.
  WeightTable(mlir::ModuleOp module, const Model &model, bool widens = false)
      : widens(widens), module(module), model(model), builder(module.getContext()) {}

  /// What elements of `type` are looked at as.
  DataType seenAs(DataType type) {
    bool isHalf = widens && (type == DataType::Float16 || type == DataType::BFloat16);
    hasWidened |= isHalf;
    return isHalf ? DataType::Float32 : type;
  }

  /// The tensor's value, made where `b` stands.
  mlir::Value get(mlir::ImplicitLocOpBuilder &b, const StoredTensor &tensor);
  /// Declares a weight of `type` whose rows are slices of the tensor's bytes; null when they are not in a file or the type is none
  /// of a weight's. `key` tells the cuts of one tensor apart.
  moe::WeightOp declare(const StoredTensor &tensor, llvm::StringRef key, mlir::RankedTensorType type,
                        llvm::ArrayRef<mlir::Attribute> slices);
  moe::WeightOp whole(const StoredTensor &tensor);
  /// `rows` of the first dimension from byte `offset` of the tensor on, `times` such runs, `every` so many bytes.
  mlir::Attribute slice(const StoredTensor &tensor, int64_t offset, int64_t rows, int64_t times = 1, int64_t every = 0,
                        int64_t rowStride = 0, int64_t columnStride = 0);
  /// The elements of a small tensor of integers or booleans, wherever they are.
  std::optional<llvm::SmallVector<Extent, 4>> integers(const StoredTensor &tensor);
  /// The elements of a tensor of at most `most` bytes, as floats; nothing for another.
  std::optional<llvm::SmallVector<double>> numbers(const StoredTensor &tensor, uint64_t most);

  /// The first problem of reading bytes, which then were zeros.
  std::string problem;
  const bool widens;
  bool hasWidened = false;

private:
  llvm::StringRef bytesOf(const StoredTensor &tensor);
  mlir::DenseElementsAttr constant(const StoredTensor &tensor);

  mlir::ModuleOp module;
  const Model &model;
  mlir::OpBuilder builder;
  llvm::StringMap<moe::WeightOp> declared;
  llvm::StringMap<unsigned> symbols;
  llvm::DenseMap<const StoredTensor *, std::string> read; ///< small ones from other files
  llvm::DenseMap<const StoredTensor *, mlir::DenseElementsAttr> constants;
  moe::WeightOp last;
};

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_WEIGHTTABLE_H
