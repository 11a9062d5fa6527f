// Routing of one row, step by step as #moe.routing states it: scores by the block, the choice by its first warp.
//
// Lane l of the warp owns experts l, l + 32, ... (and groups likewise): only it reads and writes their keys.
#include "dialects/moe/Routing.h"
#include "lowering/kernel/Functions.h"
#include "lowering/kernel/Routing.h"
#include "lowering/nvptx/BlockReduction.h"
#include "lowering/nvptx/Emit.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr double negativeInfinity = -std::numeric_limits<double>::infinity();

namespace {

class RouteEmitter {
public:
  RouteEmitter(KernelFrame &frame, int64_t threads, moe::RouteOp op, Number row)
      : frame(frame), b(frame.b), threads(threads), row(row), routing(op.getRouting()),
        experts(moe::widthOf(op.getLogits().getType())) {}

  void emit(Pointer logits, Weight bias, Weight table, Number token, Pointer ids, Pointer weights);

private:
  Pointer allocate(Type element, int64_t count) { return frame.allocateForRow(element, count, row); }
  void forExperts(function_ref<void(Number)> body);
  void scoreExperts(Pointer logits, Pointer scores);
  Number takeLargest(Pointer keys, int64_t count);
  void dropGroups(Pointer keys, Pointer groupKeys, Pointer kept);
  Number weighTaken(Number score, Pointer keys);

  KernelFrame &frame;
  KernelBuilder &b;
  int64_t threads;
  Number row;
  moe::RoutingAttr routing;
  int64_t experts;
};

} // namespace

void RouteEmitter::forExperts(function_ref<void(Number)> body) {
  b.forThreads(b.integer(experts), threads, body);
  b.barrier();
}

/// Scores of all experts from their logits.
void RouteEmitter::scoreExperts(Pointer logits, Pointer scores) {
  moe::Score score = routing.getScore();
  forExperts([&](Number e) { (scores + e).store(scoreOf(score, (logits + e).load())); });
  if (score != moe::Score::Softmax)
    return;
  BlockReduction reduction(frame, threads);
  auto fold = [&](Number start, function_ref<Number(Number, Number)> combine) {
    return b.forRange(b.thread(), b.integer(experts), threads, {start}, [&](Number e, ArrayRef<Number> before) {
      return KernelBuilder::Numbers{combine(before[0], (scores + e).load())};
    })[0];
  };
  Number largest = reduction.maximum(fold(b.real(negativeInfinity), [](Number x, Number y) { return maximum(x, y); }));
  forExperts([&](Number e) { (scores + e).store(exponential((scores + e).load() - largest)); });
  Number sum = reduction.sum(fold(b.real(0), [](Number x, Number y) { return x + y; }));
  forExperts([&](Number e) { (scores + e).store((scores + e).load() / sum); });
}

/// By one warp: the index of the largest of `count` keys, the lowest of equals, in every lane; its key becomes minus infinity.
Number RouteEmitter::takeLargest(Pointer keys, int64_t count) {
  KernelBuilder::Numbers best =
      b.forRange(b.lane().toInteger(b.i32), b.integer32(count), warpSize, {b.integer32(0), b.real(negativeInfinity)},
                 [&](Number i, ArrayRef<Number> before) {
                   Number key = (keys + i).load(), better = key > before[1];
                   return KernelBuilder::Numbers{select(better, i, before[0]), select(better, key, before[1])};
                 });
  Number index = best[0], key = best[1];
  for (int64_t mask = warpSize / 2; mask; mask /= 2) {
    Number otherIndex = b.shuffleXor(index, mask), otherKey = b.shuffleXor(key, mask);
    Number better = (otherKey > key) | ((otherKey == key) & (otherIndex < index));
    index = select(better, otherIndex, index);
    key = select(better, otherKey, key);
  }
  Number owner = index & b.integer32(warpSize - 1);
  b.ifThen(b.lane().toInteger(b.i32) == owner, [&] { (keys + index).store(b.real(negativeInfinity)); });
  return index;
}

/// By one warp: gives the experts of all but the best groups the key of a dropped expert.
void RouteEmitter::dropGroups(Pointer keys, Pointer groupKeys, Pointer kept) {
  int64_t groups = routing.getGroups(), size = experts / groups;
  b.forLanes(groups, [&](Number g) {
    (groupKeys + g).store(groupKey(b, routing, keys + g * size, size));
    (kept + g).store(b.integer32(0));
  });
  b.syncWarp(); // keys are read by the lanes of their groups before those that own them change them
  b.forRange(routing.getKeptGroups(), [&](Number) {
    Number group = takeLargest(groupKeys, groups);
    b.ifThen(b.lane() == 0, [&] { (kept + group).store(b.integer32(1)); });
  });
  b.syncWarp();
  b.forLanes(experts,
             [&](Number e) { b.ifThen((kept + e / size).load() == 0, [&] { (keys + e).store(b.real(droppedKey(routing))); }); });
}

/// By one warp, of sparse_mixer: the weight of an expert with this score that was taken just now, in every lane.
Number RouteEmitter::weighTaken(Number score, Pointer keys) {
  Number others =
      b.forRange(b.lane().toInteger(b.i32), b.integer32(experts), warpSize, {b.real(0)}, [&](Number e, ArrayRef<Number> before) {
        return KernelBuilder::Numbers{before[0] + shareBeside(routing, score, (keys + e).load())};
      })[0];
  for (int64_t mask = warpSize / 2; mask; mask /= 2)
    others = others + b.shuffleXor(others, mask);
  Number itself = b.real(1);
  return itself / (itself + others);
}

void RouteEmitter::emit(Pointer logits, Weight bias, Weight table, Number token, Pointer ids, Pointer weights) {
  int64_t groups = table ? 1 : routing.getGroups();
  Pointer scores = allocate(b.f32, experts), keys = allocate(b.f32, experts);
  Pointer groupKeys = groups > 1 ? allocate(b.f32, groups) : Pointer(), kept = groups > 1 ? allocate(b.i32, groups) : Pointer();
  scoreExperts(logits, scores);
  if (!table) {
    Pointer biases = bias ? bias.row(b.integer(0)) : Pointer(), from = moe::choosesByLogits(routing, bool(bias)) ? logits : scores;
    forExperts([&](Number e) {
      Number key = (from + e).load();
      (keys + e).store(bias ? key + (biases + e).loadF32() : key);
    });
  }
  b.ifThen(b.warp() == 0, [&] {
    if (groups > 1)
      dropGroups(keys, groupKeys, kept);
    b.forRange(routing.getK(), [&](Number j) {
      Number id = table ? nearestExpert((table.row(token) + j).load().toInteger(b.i32), experts) : takeLargest(keys, experts);
      Number weight = (scores + id).load();
      if (routing.getScore() == moe::Score::SparseMixer)
        weight = weighTaken(weight, keys);
      b.ifThen(b.lane() == 0, [&] {
        (ids + j).store(id);
        (weights + j).store(weight);
      });
    });
    b.ifThen(b.lane() == 0, [&] { weighChosen(b, routing, weights); });
  });
  b.barrier();
}

void moec::lowering::nvptx::emitRoute(KernelFrame &frame, int64_t threads, moe::RouteOp op, Pointer logits, Weight bias,
                                      Weight table, Number token, Number row, Pointer ids, Pointer weights) {
  RouteEmitter(frame, threads, op, row).emit(logits, bias, table, token, ids, weights);
}
