// Attention whose keys and values are parts of one product with a latent.
#ifndef MOEC_PASSES_RAISE_LATENTMATCH_H
#define MOEC_PASSES_RAISE_LATENTMATCH_H

#include "dialects/moe/MoE.h"
#include "passes/raise/Flow.h"
#include "passes/raise/Origins.h"
#include "passes/raise/Structure.h"

namespace moec::passes {

/// Rows of a weight that belong to the heads, `perHead` next to one another, `every` so many.
struct HeadRows {
  int64_t first, every, perHead;
};

/// `rows` of a weight [rows, columns] as [heads, perHead, columns]; null where they do not lie so.
mlir::Value headsOf(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value weight, const HeadRows &rows, int64_t heads);

/// Rows by a weight.
struct Projection {
  static std::optional<Projection> of(mlir::Value output);
  mlir::Value output, input, weight;
  bool isTurned = false; ///< the weight is [in, out]
};

class LatentMatch {
public:
  /// What `attention` is made of, when it is latent attention; problem() says why not, or nothing where nothing hints at it.
  static std::optional<LatentMatch> find(moe::AttentionOp attention, evaluator::Budget &budget, std::string &problem);

  /// The new op's result.
  mlir::Value build(mlir::OpBuilder &builder);
  /// What the new op and the old are made of.
  llvm::SmallVector<mlir::Value> inputs(const Flow &flow) const;
  std::string description() const;

private:
  bool follow(evaluator::Budget &budget);

  mutable moe::AttentionOp attention; ///< whose accessors are not const
  Projection ofKeys, ofValues;        ///< which may be one
  mlir::Value shared, pastKeys, pastValues;
  int64_t heads = 0, nope = 0;
  HeadRows keyRows{}, valueRows{};
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_LATENTMATCH_H
