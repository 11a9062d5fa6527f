// Turns tensors of a checkpoint into moe.weight ops.
#ifndef MOEC_IMPORTERS_DECODER_WEIGHTS_H
#define MOEC_IMPORTERS_DECODER_WEIGHTS_H

#include "dialects/moe/Requantization.h"
#include "importers/quantization/QuantizedTensor.h"
#include "importers/safetensors/Checkpoint.h"

#include "mlir/IR/BuiltinOps.h"

namespace moec::importers {

/// `count` rows or columns, every `step`-th from `from` on.
struct Range {
  int64_t from, step, count;
};

/// A matrix, or a stack of them: plain numbers, or numbers that scales go with. One whose groups are not neighbours, or of a size
/// that no kernel takes, is spelt out in a file that the compiler computes, as plain numbers.
struct Matrix {
  moe::WeightOp values;
  moe::WeightOp scales = {}, global = {}, zeros = {}; ///< null for plain numbers; few formats have a global scale or zero points
  moe::NumberFormatAttr format = {};
};

/// Declares weights in a module, holding each tensor to the shape that the config implies. As with Config, the first problem is
/// remembered and building goes on with a weight of the expected shape; a module with a remembered problem is thrown away.
class Weights {
public:
  /// Declares them at the start of the module, in the order of their first use.
  Weights(mlir::ModuleOp module, safetensors::Checkpoint &checkpoint, const Quantization &quantization);

  /// A tensor of the checkpoint as it is, of plain numbers. Asking twice gives the same weight.
  moe::WeightOp whole(llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape);
  /// A tensor of integers.
  moe::WeightOp integers(llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape);
  /// A whole tensor that products read.
  Matrix matrix(llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape);
  /// `count` tensors, all stored alike and of `shape`, one after the other along a new first dimension; `tensor` names each.
  Matrix stacked(llvm::StringRef symbol, int64_t count, llvm::function_ref<llvm::StringRef(int64_t)> tensor,
                 llvm::ArrayRef<int64_t> shape);
  /// Of a tensor of heads x `headRows` rows, from each head rows [from, from + rows): [heads, rows, columns].
  Matrix ofHeads(llvm::StringRef symbol, llvm::StringRef tensor, int64_t heads, int64_t headRows, int64_t from, int64_t rows,
                 int64_t columns);
  /// Of a tensor of `shape` [experts, rows, columns], some rows of each expert: [experts, rows.count, columns]. When `transposed`
  /// plain numbers are stored as [experts, columns, rows].
  Matrix ofExperts(llvm::StringRef symbol, llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape, bool transposed, Range rows);
  /// Of a tensor of `shape` [rows, columns], some columns: [rows, columns.count].
  moe::WeightOp ofColumns(llvm::StringRef symbol, llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape, Range columns);

  /// Remembers a problem if the checkpoint says something of number formats, and all that was asked for is plain numbers.
  void expectQuantized();
  llvm::Error takeProblem();

private:
  /// The tensor, if it is there, of that shape, and of a type that we can compute with.
  const safetensors::Tensor *find(llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape);
  const safetensors::Tensor *check(const safetensors::Tensor *stored, llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape);
  /// The tensor, if it is there and of that shape.
  const safetensors::Tensor *checkShape(const safetensors::Tensor *stored, llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape);
  mlir::Type elementType(const safetensors::Tensor *stored);
  moe::WeightOp declare(llvm::StringRef symbol, llvm::ArrayRef<int64_t> shape, mlir::Type element,
                        llvm::ArrayRef<mlir::Attribute> slices);
  /// The same as what a product reads: quantised or not.
  QuantizedTensor findMatrix(llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape);
  moe::WeightOp declareWhole(llvm::StringRef symbol, const StoredPart &part);
  /// Parts of `shape`, stored as `like` is, one after the other along a new first dimension.
  moe::WeightOp declareStack(llvm::StringRef symbol, llvm::ArrayRef<const safetensors::Tensor *> parts, const StoredPart &like,
                             llvm::ArrayRef<int64_t> shape);
  /// One row or matrix of each part, which are stored alike.
  llvm::SmallVector<mlir::Attribute> slicesOf(llvm::ArrayRef<const safetensors::Tensor *> parts, const Strides &strides);
  moe::NumberFormatAttr formatOf(const QuantizedTensor &tensor, int64_t firstRow, int64_t tensorRows);
  /// `values` of `found`, which is `tensor`, with its scales. Where they are a cut: from `firstRow` of `tensorRows`.
  Matrix withScales(moe::WeightOp values, llvm::StringRef tensor, const QuantizedTensor &found, int64_t firstRow = 0,
                    int64_t tensorRows = 0);
  /// Rows [from, from + rows) of each of `parts` parts of `partRows` rows, of a tensor stored in `shape`.
  Matrix cut(llvm::StringRef symbol, llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape, int64_t parts, int64_t partRows,
             int64_t from, int64_t rows);
  /// `matrix`, declared as `symbol`, of columns in `groups` where these are no neighbours: spelt out, and why.
  Matrix spelledOut(llvm::StringRef symbol, const Matrix &matrix, std::optional<moe::StoredTensor> groups);
  /// A list of groups for each matrix, or one for all, as `like` is stored.
  moe::StoredTensor groupsIn(llvm::ArrayRef<const safetensors::Tensor *> lists, const StoredPart &like);
  /// Takes back what was declared for nothing.
  void forget(moe::WeightOp weight);
  /// Some rows of every expert of `part`.
  moe::WeightOp declareRows(llvm::StringRef symbol, const StoredPart &part, Range rows);
  /// Rows of each expert that are not neighbours.
  Matrix inTurns(llvm::StringRef symbol, llvm::StringRef tensor, llvm::ArrayRef<int64_t> shape, Range rows);
  /// `rows` of the tensor; a run of such slices. Offsets and distances are in bytes.
  mlir::Attribute slice(const safetensors::Tensor *stored, int64_t offset, int64_t rows, int64_t times = 1, int64_t every = 0,
                        const Strides &strides = {});
  void remember(const llvm::Twine &text);

  mlir::ModuleOp module;
  safetensors::Checkpoint &checkpoint;
  const Quantization &quantization;
  mlir::OpBuilder builder;
  llvm::StringMap<moe::WeightOp> declared;
  mlir::NamedAttrList computed; ///< files
  moe::WeightOp last;
  bool readsQuantized = false;
  std::string problem;
};

} // namespace moec::importers

#endif // MOEC_IMPORTERS_DECODER_WEIGHTS_H
