// Row-wise ops of a kernel, one row at a time: where values lie, and the ops that are the same on every target.
#ifndef MOEC_LOWERING_KERNEL_ROWEMITTER_H
#define MOEC_LOWERING_KERNEL_ROWEMITTER_H

#include "lowering/kernel/KernelArguments.h"
#include "mlir/IR/IRMapping.h"

namespace moec::lowering {

/// Emits the ops of a group for one row. A target says how columns are visited and where rows in between are kept.
class RowEmitter {
public:
  RowEmitter(FunctionBuilder &builder, const KernelArguments &arguments, Number row)
      : builder(builder), arguments(arguments), row(row) {}
  virtual ~RowEmitter() = default;

  /// Fails with an error on an op that is not row-wise.
  mlir::LogicalResult emit(mlir::Block &body);

protected:
  /// `body(column, lanes)` for columns [0, width): vectors of so many lanes, or one at a time with lanes = 0. What it stores can be
  /// loaded by whatever is emitted next.
  virtual void forColumns(int64_t width, llvm::function_ref<void(Number, int64_t)> body) = 0;
  /// `body(i)` for i in [0, count), in any order; as for columns.
  virtual void forEach(int64_t count, llvm::function_ref<void(Number)> body) = 0;
  /// `body(i)` for i in [0, count), in any order; as for columns. What it visits and adds up is of its own group of columns.
  virtual void forGroups(int64_t count, llvm::function_ref<void(Number)> body) = 0;
  /// Memory for a row in between.
  virtual Pointer allocate(mlir::Type element, int64_t count) = 0;
  /// The sum of `count` elements, and that of their squares.
  virtual Number sumOf(Pointer elements, int64_t count) = 0;
  virtual Number sumOfSquares(Pointer elements, int64_t count) = 0;
  /// The route of the row: `logits` to `ids` and `weights`. `token` is the row's token id where there is a table.
  virtual void emitRoute(moe::RouteOp op, Pointer logits, Weight bias, Weight table, Number token, Pointer ids,
                         Pointer weights) = 0;

private:
  mlir::LogicalResult emit(mlir::Operation &op);
  void emit(moe::RMSNormOp op);
  void emit(moe::LayerNormOp op);
  void emit(moe::RopeOp op);
  void emit(moe::ScaleByPositionOp op);
  void emit(moe::AppendOp op);
  void emit(moe::ActivateOp op);
  void emit(moe::RouteOp op);
  void emit(moe::StreamWeightsOp op);
  void emit(moe::MergeStreamsOp op);
  void emit(moe::MixStreamsOp op);
  mlir::LogicalResult emitElementwise(mlir::Operation &op);

  /// The value outside all groups that `value` is.
  mlir::Value resolve(mlir::Value value);
  Weight weightOf(mlir::Value value) { return value ? arguments.weight(resolve(value)) : Weight(); }
  /// Where the row of `value` lies.
  Pointer at(mlir::Value value);
  /// Where `value` is to be written: the result's row if the kernel returns it, else memory of the row's own.
  Pointer place(mlir::Value value);
  void copy(Pointer source, Pointer destination, int64_t width);
  /// `sum` + the sum over i < count of weight i x element i, where weights are `distance` apart and elements `stride`.
  Number addWeighted(Number sum, int64_t count, Pointer weights, int64_t distance, Pointer elements, int64_t stride, int64_t lanes);

  FunctionBuilder &builder;
  const KernelArguments &arguments;
  Number row;
  mlir::IRMapping outer; ///< arguments of a moe.rowwise to the kernel's values, its results to what it yields
  llvm::DenseMap<mlir::Value, Pointer> places;
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_ROWEMITTER_H
