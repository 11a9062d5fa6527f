// Counts of digits in shared memory, which need no order; the list by ballots, warp after warp.
#include "lowering/nvptx/positions/KeySelection.h"

#include <limits>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr int64_t warps = KeySelection::threads / warpSize;
/// Where digits of a key begin, and where the first ends. That one also tells apart scores that differ by a quarter.
static constexpr int64_t digitBegins[] = {21, 10, 0}, keyBits = 32;
static constexpr int64_t digits = 1 << 11, digitsOfThread = digits / KeySelection::threads;
/// Keys that a lane loads before it looks at the first.
static constexpr int64_t keysAtOnce = 4;
/// Numbers in shared memory that a thread loads or stores at once.
static constexpr int64_t loadedAtOnce = 4;

KeySelection::KeySelection(KernelFrame &frame, int64_t k)
    : b(frame.b), k(k), counts(frame.allocateShared(b.i32, digits)), ofWarps(frame.allocateShared(b.i32, 2 * warps)),
      crossing(frame.allocateShared(b.i32, 2)) {}

/// Adds one to a count in shared memory.
static void increment(KernelBuilder &b, Pointer count) {
  LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::add, count.value, b.integer32(1), LLVM::AtomicOrdering::monotonic, "block");
}

/// Keys in the order of unsigned integers.
static Number unsignedOf(KernelBuilder &b, Number key) { return key ^ b.integer32(std::numeric_limits<int32_t>::min()); }

/// `body` of the warp's part of the keys, in order, lanes side by side; all lanes are called even where there is no place.
KernelBuilder::Numbers KeySelection::forOwnKeys(Pointer keys, Number count, ArrayRef<Number> initial, Body body) {
  constexpr int64_t step = keysAtOnce * warpSize;
  Number share = (count + (warps * step - 1)) / (warps * step) * step, first = b.warp() * share,
         end = minimum(first + share, count);
  return b.forRange(first, end, step, initial, [&](Number base, ArrayRef<Number> before) {
    Number places[keysAtOnce], loaded[keysAtOnce];
    for (int64_t i = 0; i < keysAtOnce; ++i) {
      places[i] = base + i * warpSize + b.lane();
      loaded[i] = (keys + minimum(places[i], count - 1)).load();
    }
    KernelBuilder::Numbers state(before);
    for (int64_t i = 0; i < keysAtOnce; ++i)
      state = body(places[i], places[i] < end, loaded[i], state);
    return state;
  });
}

/// Of `numbers` that each warp has stored: the sums over the warps before this one.
KernelBuilder::Numbers KeySelection::sumOfWarpsBefore(int64_t numbers) {
  KernelBuilder::Numbers sums(numbers, b.integer32(0));
  Number loaded;
  for (int64_t i = 0; i < (warps - 1) * numbers; ++i) { // the last warp is before none
    if (i % loadedAtOnce == 0)
      loaded = (ofWarps + i).load(loadedAtOnce, 4 * loadedAtOnce);
    Number &sum = sums[i % numbers];
    sum = sum + select(b.integer(i / numbers) < b.warp(), loaded.lane(i % loadedAtOnce), b.integer32(0));
  }
  return sums;
}

/// The next digit of the threshold: the one at which counts, from the largest digit on, reach what is to be taken.
KeySelection::Threshold KeySelection::narrow(Pointer keys, Number count, Threshold known, int64_t shift, int64_t end) {
  Number first = b.thread() * digitsOfThread;
  for (int64_t i = 0; i < digitsOfThread; i += loadedAtOnce)
    (counts + first + i).store(b.integer32(0).splat(loadedAtOnce), 4 * loadedAtOnce);
  b.barrier();
  forOwnKeys(keys, count, {}, [&](Number, Number isPlace, Number key, ArrayRef<Number>) {
    Number bits = unsignedOf(b, key), isCounted = isPlace;
    if (end < keyBits)
      isCounted = isCounted & ((bits >> end) == (known.bits >> end));
    Number digit = (bits >> shift) & b.integer32((int64_t(1) << (end - shift)) - 1);
    b.ifThen(isCounted, [&] { increment(b, counts + (b.integer32(digits - 1) - digit).toUnsigned(b.i64)); });
    return KernelBuilder::Numbers();
  });
  b.barrier();
  Number sum = b.integer32(0);
  KernelBuilder::Numbers own;
  for (int64_t i = 0; i < digitsOfThread; i += loadedAtOnce) {
    Number loaded = (counts + first + i).load(loadedAtOnce, 4 * loadedAtOnce);
    for (int64_t lane = 0; lane < loadedAtOnce; ++lane) {
      own.push_back(loaded.lane(lane));
      sum = sum + own.back();
    }
  }
  Number before = b.sumBefore(sum);
  b.ifThen(b.lane() == warpSize - 1, [&] { (ofWarps + b.warp()).store(before + sum); });
  b.barrier();
  before = before + sumOfWarpsBefore(1)[0];
  b.ifThen((before < known.taken) & (known.taken <= before + sum), [&] {
    // Of the thread's digits those are passed that do not reach it; the last one reaches it if no other does.
    Number passed = b.integer32(0), reached = before;
    for (Number count : ArrayRef(own).drop_back()) {
      reached = reached + count;
      Number isPassed = reached < known.taken;
      passed = passed + select(isPassed, b.integer32(1), b.integer32(0));
      before = select(isPassed, reached, before);
    }
    crossing.store((b.integer32(digits - 1) - first.toInteger(b.i32) - passed) << shift);
    (crossing + 1).store(known.taken - before);
  });
  b.barrier();
  return {known.bits | crossing.load(), (crossing + 1).load()};
}

void KeySelection::list(Pointer keys, Number count, Threshold threshold, Pointer list) {
  Number least = unsignedOf(b, threshold.bits), none = b.integer32(0);
  auto forBallots = [&](ArrayRef<Number> initial, function_ref<void(Number, Number, Number, ArrayRef<Number>)> body) {
    return forOwnKeys(keys, count, initial, [&](Number place, Number isPlace, Number key, ArrayRef<Number> before) {
      Number above = b.ballot(isPlace & (key > least)), ties = b.ballot(isPlace & (key == least));
      body(place, above, ties, before);
      return KernelBuilder::Numbers{before[0] + b.countLanes(above), before[1] + b.countLanes(ties)};
    });
  };
  KernelBuilder::Numbers own = forBallots({none, none}, [](Number, Number, Number, ArrayRef<Number>) {});
  b.ifThen(b.lane() == 0, [&] {
    for (int64_t i = 0; i < 2; ++i)
      (ofWarps + b.warp() * 2 + i).store(own[i]);
  });
  b.barrier();
  forBallots(sumOfWarpsBefore(2), [&](Number place, Number above, Number ties, ArrayRef<Number> counted) {
    Number bit = b.integer32(1) << b.lane().toInteger(b.i32);
    Number aboveBefore = counted[0] + b.countLanes(b.lanesBelow(above)), tiesBefore = counted[1] + b.countLanes(b.lanesBelow(ties));
    Number isTaken = ((above & bit) != 0) | (((ties & bit) != 0) & (tiesBefore < threshold.taken));
    Number index = aboveBefore + minimum(tiesBefore, threshold.taken);
    b.ifThen(isTaken, [&] { (list + index.toInteger(b.i64)).store(place.toInteger(b.i32)); });
  });
}

void KeySelection::takeLargest(Pointer keys, Number count, Pointer result) {
  Threshold threshold{b.integer32(0), b.integer32(k)};
  int64_t end = keyBits;
  for (int64_t begin : digitBegins) {
    threshold = narrow(keys, count, threshold, begin, end);
    end = begin;
  }
  list(keys, count, threshold, result);
}
