// What is kept and drawn, by halving.
#include "lowering/kernel/TokenChoice.h"

#include "dialects/moe/Sampling.h"

#include <bit>
#include <limits>

using namespace moec;
using namespace moec::lowering;

Number TokenChoice::lowestKey() { return b.integer32(std::numeric_limits<int32_t>::min()); }

TokenChoice::Ids TokenChoice::idsOf(int64_t lanes, Number id, Number logit) {
  return {lanes, id, logit, select(logit == logit, orderedBits(logit), lowestKey().splat(lanes))};
}

TokenChoice::Ids TokenChoice::idsFrom(Number first, int64_t lanes, int64_t alignment) {
  Number id = first.toInteger(b.i32).splat(lanes);
  return idsOf(lanes, lanes ? id + iota(lanes) : id, (logits + first).load(lanes, alignment));
}

/// 1 for what holds.
static Number count(Number condition) { return condition.toUnsigned(condition.builder->getI32Type()); }

Number TokenChoice::isKept(const Kept &kept, const Ids &ids) {
  Number least = kept.least.splat(ids.lanes);
  return (ids.key > least) | ((ids.key == least) & (ids.id <= kept.last.splat(ids.lanes)));
}

/// The weight of a logit that is no larger than the largest: 2^((logit - largest) x scale) in fixed point.
Number TokenChoice::weightOf(Number logit) {
  constexpr double rounder = 0x1.8p23; // a float to which integers add in its low bits
  constexpr int64_t mantissaBits = 23, bias = 127;
  int64_t lanes = logit.lanes();
  Number power = (logit - highest.splat(lanes)) * scale.splat(lanes);
  Number isNear = power > double(moe::lowestPower);
  power = select(isNear, power, power.like(double(moe::lowestPower))); // also what is no number
  Number shifted = power + power.like(rounder);
  Number whole = shifted.bitsAs(b.i32) - int64_t(std::bit_cast<int32_t>(float(rounder)));
  Number rest = power - (shifted - shifted.like(rounder));
  Number result = rest.like(*std::rbegin(moe::powerTerms));
  for (auto term = std::next(std::rbegin(moe::powerTerms)); term != std::rend(moe::powerTerms); ++term)
    result = fma(result, rest, rest.like(*term));
  Number bits = result.bitsAs(b.i32);
  Number mantissa = (bits & bits.like((int64_t(1) << mantissaBits) - 1)) | bits.like(int64_t(1) << mantissaBits);
  Number below = bits.like(bias) - (bits >> mantissaBits) - whole; // powers of two
  Number weight =
      (mantissa.toUnsigned(b.i64) << (moe::weightBits - mantissaBits)) >> minimum(below, below.like(int64_t(63))).toUnsigned(b.i64);
  return select(isNear, weight, weight.like(int64_t(0)));
}

/// What ids weigh for which `condition` holds.
Number TokenChoice::weightIf(Number condition, const Ids &ids) {
  Number weight = weightOf(ids.logit);
  return select(condition, weight, weight.like(int64_t(0)));
}

/// `part` / 2^32 of `whole` (i64, below 2^62), rounded down; `part` is an unsigned i32.
static Number partOf(Number whole, Number part) {
  Number factor = part.toUnsigned(whole.type()), low = whole & whole.like(int64_t(std::numeric_limits<uint32_t>::max()));
  return (whole >> 32) * factor + ((low * factor) >> 32);
}

Number TokenChoice::leastReaching(Number low, Number bound, llvm::function_ref<Number(Number)> sumFrom) {
  FunctionBuilder::Numbers range{low.toInteger(b.i64), largest.toInteger(b.i64)};
  auto isOpen = [](llvm::ArrayRef<Number> range) { return range[0] < range[1]; };
  return b
      .repeatWhile(range, isOpen,
                   [&](llvm::ArrayRef<Number> range) {
                     Number middle = range[0] + ((range[1] - range[0] + 1) >> 1);
                     Number reached = sumFrom(middle.toInteger(b.i32)) >= bound;
                     return FunctionBuilder::Numbers{select(reached, middle, range[0]), select(reached, range[1], middle - 1)};
                   })[0]
      .toInteger(b.i32);
}

/// The same of sums over ids, which are fewer each time that it is known to lie higher.
Number TokenChoice::leastKeyReaching(Number low, Number bound, llvm::function_ref<Number(Number)> sumFrom) {
  restrictTo(low);
  return leastReaching(low, bound, [&](Number key) {
    Number sum = sumFrom(key);
    b.ifThen(sum >= bound, [&] { restrictTo(key); });
    return sum;
  });
}

/// Of the kept ids with `key`, the one in that place, from 1 on.
Number TokenChoice::lastOf(Number place, Number key, const Kept &kept) {
  return find(place - 1, [&](const Ids &ids) { return count((ids.key == key.splat(ids.lanes)) & isKept(kept, ids)); });
}

/// The `most` likeliest ids.
TokenChoice::Kept TokenChoice::keepMost(Number most) {
  Kept all{lowestKey(), b.integer32(vocabulary - 1)};
  Number applies = (most > 0) & (most < vocabulary);
  Number least = b.computeIf(
      applies,
      [&] {
        Number low = keyReachedBy(most);
        restrictTo(low);
        return leastReaching(low, most, [&](Number key) {
          return sum(b.integer32(0), [&](const Ids &ids) { return count(ids.key >= key.splat(ids.lanes)); });
        });
      },
      all.least);
  Number last = b.computeIf(
      applies,
      [&] {
        Number above = sum(b.integer32(0), [&](const Ids &ids) { return count(ids.key > least.splat(ids.lanes)); });
        return lastOf(most - above, least, all);
      },
      all.last);
  return {least, last};
}

/// A key below which all ids together weigh no more than `rest`, which is above 0: each no more than its share of it, by the
/// inverse of `weightOf`. Powers are halved and the key is one lower for what rounding does to either.
Number TokenChoice::keyOfRest(Number rest) {
  int64_t ofIds = int64_t(llvm::Log2_64_Ceil(uint64_t(vocabulary)));
  Number power = (bitLength(rest) - (1 + ofIds + moe::weightBits + 1)).toInteger(b.i32).toReal();
  Number key = orderedBits(highest + power / scale);
  return maximum(key, lowestKey() + 1) - 1;
}

/// Of those the likeliest that have this share of their weight.
TokenChoice::Kept TokenChoice::keepShare(const Kept &before, Number share) {
  auto weigh = [&](const Ids &ids) { return weightIf(isKept(before, ids), ids); };
  Number applies = share != 0;
  Number total = b.computeIf(applies, [&] { return sum(b.integer(0), weigh); }, b.integer(1));
  Number bound = maximum(partOf(total, share), b.integer(1));
  Number least = b.computeIf(
      applies,
      [&] {
        Number low = maximum(before.least, keyOfRest(total - bound));
        return leastKeyReaching(low, bound, [&](Number key) {
          return sum(b.integer(0),
                     [&](const Ids &ids) { return weightIf((ids.key >= key.splat(ids.lanes)) & isKept(before, ids), ids); });
        });
      },
      before.least);
  Number last = b.computeIf(
      applies,
      [&] {
        Number above = sum(b.integer(0),
                           [&](const Ids &ids) { return weightIf((ids.key > least.splat(ids.lanes)) & isKept(before, ids), ids); });
        // Equal logits weigh the same.
        Number weight = weightOf(fromOrderedBits(least));
        return lastOf(((bound - above + weight - 1) / weight).toInteger(b.i32), least, before);
      },
      before.last);
  return {least, last};
}

Number TokenChoice::draw(Pointer settings) {
  scale = (settings + moe::SamplingWord::scale).as(b.f32).load();
  Kept kept = keepShare(keepMost((settings + moe::SamplingWord::mostKept).load()), (settings + moe::SamplingWord::share).load());
  auto weigh = [&](const Ids &ids) { return weightIf(isKept(kept, ids), ids); };
  return find(partOf(sum(b.integer(0), weigh), (settings + moe::SamplingWord::random).load()), weigh);
}

Number TokenChoice::choose(Pointer settings) {
  constexpr int64_t infinity = std::bit_cast<int32_t>(std::numeric_limits<float>::infinity());
  largest = largestKey();
  highest = fromOrderedBits(largest);
  Number choice = (settings + moe::SamplingWord::choice).load();
  Number takesLargest = (choice != int64_t(moe::SamplingChoice::draw)) | (largest <= -infinity) | (largest >= infinity);
  return b.computeIf( // first, what is emitted where no ids have been left aside
      takesLargest,
      [&] { return find(b.integer32(0), [&](const Ids &ids) { return count(ids.key == largest.splat(ids.lanes)); }); },
      [&] { return draw(settings); });
}
