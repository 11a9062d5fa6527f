// The region of an op that computes a tensor element by element, made ready to be run for each.
#ifndef MOEC_PASSES_EVALUATOR_ELEMENTPROGRAM_H
#define MOEC_PASSES_EVALUATOR_ELEMENTPROGRAM_H

#include "passes/evaluator/Frame.h"

namespace moec::evaluator {

class ElementProgram {
public:
  /// Of a block of arith, math, tensor.extract, linalg.index, scf.if, scf.for, scf.while and cf.assert, which may use values of
  /// `frame` that are computed before it. `frame` is to outlive the program. Fails after an error on an op that is none of these.
  static mlir::FailureOr<ElementProgram> make(mlir::Block &block, const Frame &frame);

  /// What the block yields for its arguments, at the place `index` of the tensor. Valid until the next run.
  mlir::FailureOr<llvm::ArrayRef<double>> run(llvm::ArrayRef<double> arguments, llvm::ArrayRef<int64_t> index);

private:
  explicit ElementProgram(const Frame &frame) : frame(&frame) {}

  /// Numbers of the values so far, by slot, and the place.
  struct State {
    std::vector<double> slots;
    llvm::ArrayRef<int64_t> index;
  };
  using Instruction = std::function<mlir::LogicalResult(State &)>;
  using Instructions = std::vector<Instruction>;
  using Slots = llvm::SmallVector<unsigned, 4>;

  mlir::LogicalResult compile(mlir::Block &block, Instructions &code);
  mlir::LogicalResult compile(mlir::Operation &op, Instructions &code);
  mlir::LogicalResult compileFor(mlir::Operation &op, Instructions &code);
  mlir::LogicalResult compileIf(mlir::Operation &op, Instructions &code);
  mlir::LogicalResult compileWhile(mlir::Operation &op, Instructions &code);
  /// The slot of a value, which gets one if it has none: with its number when the frame knows it.
  unsigned slotOf(mlir::Value value);
  Slots slotsOf(mlir::ValueRange values);
  static mlir::LogicalResult runAll(const Instructions &code, State &state);

  const Frame *frame;
  llvm::DenseMap<mlir::Value, unsigned> numbers;
  Instructions code;
  Slots results;
  State state;
};

} // namespace moec::evaluator

#endif // MOEC_PASSES_EVALUATOR_ELEMENTPROGRAM_H
