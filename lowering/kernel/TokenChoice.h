// The token that moe.sample chooses for an output, whatever the target: searches by what sums over the ids come to.
#ifndef MOEC_LOWERING_KERNEL_TOKENCHOICE_H
#define MOEC_LOWERING_KERNEL_TOKENCHOICE_H

#include "lowering/kernel/FunctionBuilder.h"

namespace moec::lowering {

class TokenChoice {
public:
  virtual ~TokenChoice() = default;
  /// The token (i32) that a row of settings asks for, if it asks for one. For all threads that share the output.
  Number choose(Pointer settings);

protected:
  TokenChoice(FunctionBuilder &builder, Pointer logits, int64_t vocabulary) : b(builder), vocabulary(vocabulary), logits(logits) {}

  /// Neighbouring ids side by side, or one (lanes = 0).
  struct Ids {
    int64_t lanes;
    Number id;    ///< i32
    Number logit; ///< f32
    Number key;   ///< an i32 of the same order, lowest for what is no number
  };
  /// What ids add to a sum: counts are i32, weights i64.
  using Measure = llvm::function_ref<Number(const Ids &)>;

  /// `lanes` ids from `first` (i64) on, whose logits lie at a multiple of `alignment` bytes.
  Ids idsFrom(Number first, int64_t lanes, int64_t alignment = sizeof(float));
  Ids idsOf(int64_t lanes, Number id, Number logit);
  /// The sum over all ids, of the type of `zero`; the first id (i32) up to which the sum from 0 on exceeds `bound`: there is one.
  /// In every thread.
  virtual Number sum(Number zero, Measure measure) = 0;
  virtual Number find(Number bound, Measure measure) = 0;
  virtual Number largestKey() = 0;
  /// A key that `most` ids or more have or surpass, the lowest where the target finds none at little cost; after `largestKey`.
  virtual Number keyReachedBy(Number most) { return lowestKey(); }
  /// From here on only ids with keys from `least` on are asked for: a target may pass over them alone.
  virtual void restrictTo(Number least) {}
  Number lowestKey();
  /// The largest key, from `low` on, for which `sumFrom` is `bound` at least: for `low` it is, and falls with the key.
  Number leastReaching(Number low, Number bound, llvm::function_ref<Number(Number key)> sumFrom);
  /// 0, 1, 2, ... as i32.
  virtual Number iota(int64_t lanes) = 0;

  FunctionBuilder &b;
  const int64_t vocabulary;

private:
  /// The ids that may be drawn: of larger keys than `least`, and of this key those up to `last`.
  struct Kept {
    Number least, last;
  };
  Number isKept(const Kept &kept, const Ids &ids);
  Number weightOf(Number logit);
  Number weightIf(Number condition, const Ids &ids);
  Number leastKeyReaching(Number low, Number bound, llvm::function_ref<Number(Number key)> sumFrom);
  Number keyOfRest(Number rest);
  Number lastOf(Number place, Number key, const Kept &kept);
  Kept keepMost(Number most);
  Kept keepShare(const Kept &before, Number share);
  Number draw(Pointer settings);

  Pointer logits;
  Number largest; ///< key
  Number highest; ///< its logit
  Number scale;
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_KERNEL_TOKENCHOICE_H
