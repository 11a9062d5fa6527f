// What the arguments of a function are if it is a decoder that goes on with sequences.
#ifndef MOEC_PASSES_RAISE_STEPARGUMENTS_H
#define MOEC_PASSES_RAISE_STEPARGUMENTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/raise/Excerpt.h"

#include <string>

namespace moec::passes {

/// A call as a step makes it: so many sequences, each with as many new tokens after as many past ones.
struct StepShape {
  int64_t sequences, length, past;
};

/// What all that is evaluated of a function may take together, what reads the tables that it looks things up in, and how many
/// positions a sequence may have.
struct Means {
  evaluator::Budget *budget;
  evaluator::Weights *tables;
  int64_t positions;
};

/// The role of every argument: token ids, their positions, a mask of what is no padding, keys and values of the past.
class StepArguments {
public:
  /// The ways to take the arguments that their types allow, the likeliest by their names first; none, and why, when one can be none
  /// of these.
  static std::vector<StepArguments> guesses(mlir::func::FuncOp function, mlir::Value ids, Means means, std::string &problem);

  llvm::ArrayRef<mlir::Value> pasts() const { return past; }
  /// Positions and masks.
  llvm::ArrayRef<mlir::Value> integers() const { return whole; }
  Sizes sizes(StepShape shape) const;
  /// What integers() are in a call of that shape.
  std::vector<evaluator::Tensor> values(StepShape shape) const;
  /// `value` as a function of sizes, or of integers(); nothing when it depends on more.
  std::optional<Excerpt> excerptOf(mlir::Value value) const;
  evaluator::Budget *budget() const { return means.budget; }
  int64_t positions() const { return means.positions; }
  /// The sizes that an excerpt is evaluated with in calls of those shapes: with them, and as text, it is one function.
  std::string keyOf(Excerpt &excerpt, llvm::ArrayRef<StepShape> shapes) const;
  /// It in a call of that shape.
  std::optional<evaluator::Tensor> evaluate(Excerpt &excerpt, StepShape shape) const;
  /// Reads sizes off the arguments wherever ops of `function` ask others for them: they are the same in all layers then. What is
  /// the same at shapes of every kind is taken to be the same.
  void readSizesOfArguments(mlir::func::FuncOp function) const;
  /// Shapes to try things at, in which no two sizes agree by chance.
  llvm::ArrayRef<StepShape> trials() const;

private:
  enum class Role { Positions, Mask };
  Means means{};
  mlir::Value ids;
  llvm::SmallVector<mlir::Value> past, whole;
  llvm::SmallVector<Role> roles; ///< of `whole`
};

/// Gives arguments the sizes that `function` asserts of them.
void fixAssertedSizes(mlir::func::FuncOp function);

/// The dimensions of the past that count sequences and positions; nothing for a type of another kind.
std::optional<std::pair<int64_t, int64_t>> dimsOfPast(mlir::Type type);

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_STEPARGUMENTS_H
