// Builds the step that a decoder's function is, op by op.
#ifndef MOEC_PASSES_RAISE_STEPBUILDER_H
#define MOEC_PASSES_RAISE_STEPBUILDER_H

#include "dialects/moe/MoE.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"
#include "passes/raise/Embedding.h"
#include "passes/raise/RotaryMatch.h"
#include "passes/raise/StepRows.h"
#include "passes/raise/VisibleKeys.h"
#include "passes/raise/WeightView.h"

#include <map>

namespace moec::passes {

class StepBuilder {
public:
  StepBuilder(mlir::func::FuncOp function, const Embedding &embedding, const StepArguments &arguments);

  /// `@step` before the function; null, and problem(), where the function is no decoder of this kind. Whatever was built then goes.
  mlir::func::FuncOp build();
  const std::string &problem() const { return why; }

private:
  /// Gives what an op makes its rows in the step. Whether it could; problem() says why not.
  bool convert(mlir::Operation *op);
  bool convertRowwise(mlir::Operation *op);
  bool convertNorm(moe::RMSNormOp norm);
  bool convertRope(moe::RopeOp rope);
  bool convertSum(mlir::linalg::GenericOp sum);
  bool convertMultiple(mlir::linalg::GenericOp product);
  bool convertAttention(moe::AttentionOp attention);
  bool convertLatentAttention(moe::LatentAttentionOp attention);
  /// Remembers what arguments hold of the past and what a step adds to it.
  void append(const Context &context);
  bool appendHeads(moe::LatentAttentionOp attention, mlir::Value latents, llvm::ArrayRef<Column> key);
  /// What keys or values of heads are that latents stand for.
  struct Expansion {
    mlir::Value latents, up; ///< the rows of the step, and the function's weight [heads, own columns, latent]
    Columns key;             ///< that all heads share, behind their own columns
  };
  bool areMadeOf(llvm::ArrayRef<Column> columns, const Expansion &heads);
  /// Where a weight lies; null where that is not to be said.
  const WeightView *viewOf(mlir::Value weight);
  /// The function's results as the step's; the first ones are logits.
  bool convertResults();
  bool isPresent(mlir::Value result);

  bool refuse(const llvm::Twine &reason) {
    why = reason.str();
    return false;
  }
  /// Rows with these columns; null, and problem(), when they are not neighbours.
  mlir::Value rowsWith(llvm::ArrayRef<Column> columns, mlir::Location loc);
  mlir::Value rowsFor(mlir::Value value, Tokens *tokens = nullptr);
  /// A weight within the step; null, and problem(), when it is computed.
  mlir::Value weightFor(mlir::Value value);
  mlir::FlatSymbolRefAttr declareCache(llvm::StringRef name, int64_t width);
  void gatherOutputs(mlir::Value logits);

  mlir::func::FuncOp function;
  const Embedding &embedding;
  const StepArguments &arguments;
  StepRows rows;
  mlir::OpBuilder builder;
  mlir::func::FuncOp step;
  mlir::Value batch;
  mlir::IRMapping weights;
  llvm::SmallVector<moe::CacheOp> caches;
  llvm::SmallVector<std::pair<mlir::Value, std::string>> choices; ///< experts that were chosen, and what they are called
  std::map<mlir::Operation *, std::string> problems;              ///< of ops that have no form in a step
  int64_t layers = 0;                                             ///< that have begun
  llvm::DenseMap<mlir::Value, Columns> appended;                  ///< to what an argument holds of the past
  llvm::DenseSet<mlir::Value> windowed;                           ///< arguments of whose positions only a window is seen
  llvm::DenseMap<mlir::Value, Expansion> expanded;                ///< of arguments of keys or values of heads
  llvm::DenseMap<mlir::Operation *, std::optional<WeightView>> views;
  llvm::SmallVector<double> factors; ///< of YaRN, that rotary embeddings have
  CausalMatches masks;               ///< that were tried
  RotaryMatches turns;               ///< that were tried
  std::string why;
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_STEPBUILDER_H
