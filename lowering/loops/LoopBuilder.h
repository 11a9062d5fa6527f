// Builds loops over tensors: structured operations whose bodies are written with numbers.
#ifndef MOEC_LOWERING_LOOPS_LOOPBUILDER_H
#define MOEC_LOWERING_LOOPS_LOOPBUILDER_H

#include "lowering/kernel/Number.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

namespace moec::lowering {

class LoopBuilder : public mlir::ImplicitLocOpBuilder {
public:
  /// Appends where `builder` does.
  LoopBuilder(mlir::Location location, mlir::OpBuilder &builder) : ImplicitLocOpBuilder(location, builder) {}

  /// A tensor, and which loop runs over each of its dimensions.
  struct Operand {
    mlir::Value tensor;
    llvm::SmallVector<unsigned> loops;
  };
  using Body = llvm::function_ref<Number(llvm::ArrayRef<Number>)>;

  Number index(int64_t value);
  Number sizeOf(mlir::Value tensor, int64_t dim);
  Number number(mlir::Value value) { return {*this, value}; }
  Number real(double value);
  /// A tensor without values: `rows` by the other sizes (0 rows: without that dimension).
  mlir::Value empty(mlir::Value rows, llvm::ArrayRef<int64_t> sizes, mlir::Type element);
  mlir::Value empty(llvm::ArrayRef<int64_t> sizes, mlir::Type element) { return empty({}, sizes, element); }
  mlir::Value empty(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type element);
  mlir::Value fill(mlir::Value tensor, double value);

  /// A tensor shaped like `shape`: each element is what `body` makes of those of `operands`, loop i running over dimension i.
  mlir::Value map(mlir::Value shape, llvm::ArrayRef<Operand> operands, Body body);
  /// `initial` after each of its elements, behind those of the operands in the body's list, has become what `body` makes of them,
  /// for every turn of the loops that do not run over it. The order of these turns is open: sums may be taken in parts.
  mlir::Value reduce(Operand initial, llvm::ArrayRef<Operand> operands, Body body);
  /// x W^T: rows (or a single one) by the rows of a matrix of any floats.
  mlir::Value product(mlir::Value x, mlir::Value matrix, mlir::Value initial);

  /// Where loop `loop` is, in the body of a map or a reduction.
  Number loopIndex(int64_t loop);
  /// Ends the run with `message` unless `condition` holds.
  void require(Number condition, const llvm::Twine &message);

  /// The element at `indices`.
  Number at(mlir::Value tensor, llvm::ArrayRef<Number> indices);
  mlir::Value put(Number value, mlir::Value tensor, llvm::ArrayRef<Number> indices);
  /// Entry `index` of the first dimension, and a tensor with another in its place.
  mlir::Value entry(mlir::Value tensor, Number index);
  mlir::Value putEntry(mlir::Value entry, mlir::Value tensor, Number index);

  using Values = llvm::SmallVector<mlir::Value>;
  /// for (i = 0; i < count; ++i) values = body(i, values)
  Values forRange(Number count, mlir::ValueRange initial, llvm::function_ref<Values(Number, mlir::ValueRange)> body);

private:
  mlir::Value generic(mlir::Value result, llvm::ArrayRef<Operand> operands, Operand initial, Body body);
};

/// An element of a weight of floats in f32.
Number realOf(Number stored);

} // namespace moec::lowering

#endif // MOEC_LOWERING_LOOPS_LOOPBUILDER_H
