// What ops of linalg do, as far as raising asks.
#ifndef MOEC_PASSES_RAISE_STRUCTURE_H
#define MOEC_PASSES_RAISE_STRUCTURE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace moec::passes {

/// The one op of a generic's body besides constants and the end; null where there are more, or none.
mlir::Operation *onlyOpOf(mlir::linalg::GenericOp generic);
/// Whether a generic's body is one op of that kind.
template <typename Op> bool computes(mlir::Operation *op) {
  auto generic = llvm::dyn_cast_or_null<mlir::linalg::GenericOp>(op);
  return generic && llvm::isa_and_nonnull<Op>(onlyOpOf(generic));
}
/// Whether `op` has `Op` in its body.
template <typename Op> bool contains(mlir::Operation *op) {
  return op->walk([](Op) { return mlir::WalkResult::interrupt(); }).wasInterrupted();
}
/// Sorts values by the ops of a block that make them, the latest first.
void sortLatestFirst(llvm::MutableArrayRef<mlir::Value> values);
/// Whether `op` only brings elements elsewhere: reshapes, slices, concatenations, repetitions.
bool isMovement(mlir::Operation *op);
bool isReduction(mlir::Operation *op);

/// A sum of products over one loop, whose result is [batch..., rows, columns]: rows follow the left operand alone, columns the
/// right.
struct Contraction {
  static std::optional<Contraction> of(mlir::Operation *op);
  mutable mlir::linalg::LinalgOp op; ///< whose accessors are not const
  llvm::SmallVector<unsigned, 2> batch;
  unsigned row, column, inner;
  mlir::Value left() const { return op.getDpsInputs()[0]; }
  mlir::Value right() const { return op.getDpsInputs()[1]; }
  mlir::Value result() const { return op->getResult(0); }
};

/// A sum of products over one loop with a matrix for each head: which loops follow both operands, the left alone, the right alone.
struct HeadProduct {
  static std::optional<HeadProduct> of(mlir::Operation *op);
  mutable mlir::linalg::LinalgOp op;
  unsigned sequence, row, head, column, inner;
  mlir::Value left() const { return op.getDpsInputs()[0]; }
  mlir::Value right() const { return op.getDpsInputs()[1]; }
  mlir::Value result() const { return op->getResult(0); }
  /// The loops of the result's dimensions.
  llvm::SmallVector<unsigned> resultLoops() const;
};

/// A tensor as loops see it: which loop runs over each of its dimensions.
struct View {
  mlir::Value tensor;
  llvm::SmallVector<unsigned> loops;
  mlir::Value origin; ///< the value that was there before of which `tensor` is a reshape or slice
  double factor = 1;  ///< a constant by which all its elements were multiplied

  /// An operand's, looked at through transpositions and products with a constant, without dimensions of size 1 that follow no loop;
  /// nothing where a dimension follows no loop or more than one. May make a slice.
  static std::optional<View> of(mlir::OpBuilder &builder, mlir::linalg::LinalgOp op, unsigned input);
  bool has(unsigned loop) const { return llvm::is_contained(loops, loop); }
  int64_t dimOf(unsigned loop) const;
  /// 1 where it does not follow the loop.
  int64_t sizeOf(unsigned loop) const;
  /// Its dimensions in the order of `order`, loops that it does not follow left out.
  mlir::Value arranged(mlir::OpBuilder &builder, mlir::Location loc, llvm::ArrayRef<unsigned> order) const;
  /// Where the dimension of `loop` repeats entries of another one next to one another, the tensor of single entries.
  View withoutRepetition(mlir::OpBuilder &builder, mlir::Location loc, unsigned loop) const;
};

/// `tensor` with its dimensions permuted.
mlir::Value transposed(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor, llvm::ArrayRef<int64_t> permutation);

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_STRUCTURE_H
