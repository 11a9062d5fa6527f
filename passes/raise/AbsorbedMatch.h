// Attention over latents, between products with both halves of a weight.
#ifndef MOEC_PASSES_RAISE_ABSORBEDMATCH_H
#define MOEC_PASSES_RAISE_ABSORBEDMATCH_H

#include "dialects/moe/MoE.h"
#include "passes/raise/Flow.h"
#include "passes/raise/Structure.h"

namespace moec::passes {

class AbsorbedMatch {
public:
  /// Attention of one key/value head between a product that queries come from and one that takes its result, if it is that.
  static std::optional<AbsorbedMatch> find(moe::AttentionOp attention, const Flow &flow);

  /// In place of result(); null where shapes do not say it. Adds ops where the builder stands.
  mlir::Value build(mlir::OpBuilder &builder);
  mlir::Value result() const { return after->result(); }
  llvm::SmallVector<mlir::Value> inputs(const Flow &flow) const;
  std::string description() const;

private:
  mutable moe::AttentionOp attention;       ///< whose accessors are not const
  std::optional<HeadProduct> before, after; ///< the products
  mlir::Value rotated;                      ///< the rest of the query, [sequences, heads, queries, columns] or heads third
  int64_t heads = 0;
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_ABSORBEDMATCH_H
