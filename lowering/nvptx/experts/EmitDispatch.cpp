// dispatch: the assignments of a step sorted by expert, in order within each.
//
// Each warp has a part of the assignments. It counts its part's of every expert, 32 at a time; the counts become the places where a
// warp's assignments to an expert begin; then the warps go through their parts again and write. Nothing depends on timing.
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/products/WarpProduct.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr int64_t threads = productThreads, warps = threads / warpSize; // so that it can be chained to the router

/// The lanes of a warp where `isInside`, and whose `value`, below `bound`, is this lane's: an i32 mask.
static Number lanesLike(KernelBuilder &b, Number value, Number isInside, int64_t bound) {
  Number lanes = b.ballot(isInside);
  for (unsigned bit = 0; bit < llvm::Log2_64_Ceil(uint64_t(bound)); ++bit) {
    Number isSet = ((value >> int64_t(bit)) & b.integer32(1)) != 0, those = b.ballot(isSet);
    lanes = lanes & select(isSet, those, b.integer32(-1) - those); // all bits but those
  }
  return lanes;
}

void moec::lowering::nvptx::emit(KernelFrame &frame, moe::DispatchOp op) {
  KernelBuilder &b = frame.b;
  frame.launch(threads, {KernelFrame::constant(1)});
  int64_t experts = op.getExperts();
  Pointer ids = frame.buffer(op.getIds()), offsets = frame.result(0), order = frame.result(1);
  Number assignments = frame.rows * moe::widthOf(op.getIds().getType());
  Pointer counts = frame.allocateShared(b.i32, warps * experts); // of each warp and expert; then where the next one goes

  Number share = (assignments + (threads - 1)) / threads * warpSize, first = b.warp() * share,
         end = minimum(first + share, assignments);
  /// `body(assignment, place)` for the warp's part, in order, where places of an expert count on from what `counts` has.
  auto forOwn = [&](function_ref<void(Number, Number)> body) {
    b.forRange(first, end, warpSize, [&](Number base) {
      Number assignment = base + b.lane(), isInside = assignment < end;
      Number expert = b.loadIf(isInside, ids + assignment, b.integer32(0));
      Number like = lanesLike(b, expert, isInside, experts), before = b.lanesBelow(like);
      Number behind = (like >> b.lane().toInteger(b.i32)) >> int64_t(1);
      Pointer place = counts + (b.warp() * experts + expert.toInteger(b.i64));
      Number next = place.load() + b.countLanes(before);
      b.syncWarp(); // before the count changes
      b.ifThen(isInside & (behind == 0), [&] { place.store(next + 1); });
      b.ifThen(isInside, [&] { body(assignment, next); });
      b.syncWarp();
    });
  };

  b.forThreads(b.integer(warps * experts), threads, [&](Number i) { (counts + i).store(b.integer32(0)); });
  b.barrier();
  forOwn([](Number, Number) {});
  b.barrier();
  b.ifThen(b.warp() == 0, [&] { // a lane has neighbouring experts
    int64_t ofLane = llvm::divideCeil(experts, warpSize);
    Number begin = minimum(b.lane() * ofLane, b.integer(experts)), stop = minimum(begin + ofLane, b.integer(experts));
    auto forCounts = [&](Number start, function_ref<void(Number, int64_t, Pointer, Number)> body) {
      return b.forRange(begin, stop, 1, {start}, [&](Number expert, ArrayRef<Number> given) {
        Number sum = given[0];
        for (int64_t warp = 0; warp < warps; ++warp) {
          Pointer place = counts + (expert + warp * experts);
          Number own = place.load();
          body(expert, warp, place, sum);
          sum = sum + own;
        }
        return KernelBuilder::Numbers{sum};
      })[0];
    };
    Number total = forCounts(b.integer32(0), [](Number, int64_t, Pointer, Number) {});
    Number last = forCounts(b.sumBefore(total), [&](Number expert, int64_t warp, Pointer place, Number start) {
      place.store(start);
      if (warp == 0)
        (offsets + expert).store(start);
    });
    b.ifThen(b.lane() == warpSize - 1, [&] { (offsets + experts).store(last); });
  });
  b.barrier();
  forOwn([&](Number assignment, Number place) { (order + place).store(assignment.toInteger(b.i32)); });
}
