// Routing of one row, step by step as #moe.routing states it.
#include "dialects/moe/Routing.h"
#include "lowering/kernel/Functions.h"
#include "lowering/kernel/Routing.h"
#include "lowering/x86/Emit.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

static constexpr double negativeInfinity = -std::numeric_limits<double>::infinity();

/// `values` become exp(v - max v) / sum.
static void normalizeSoftmax(KernelBuilder &b, Pointer values, int64_t count) {
  Number largest =
      b.forRange(b.integer(0), b.integer(count), 1, {b.real(negativeInfinity)}, [&](Number i, ArrayRef<Number> before) {
        return KernelBuilder::Numbers{maximum((values + i).load(), before[0])};
      })[0];
  b.forColumns(count,
               [&](Number i, int64_t lanes) { (values + i).store(exponential((values + i).load(lanes) - largest.splat(lanes))); });
  Number sum = b.forRange(b.integer(0), b.integer(count), 1, {b.real(0)}, [&](Number i, ArrayRef<Number> before) {
    return KernelBuilder::Numbers{before[0] + (values + i).load()};
  })[0];
  b.forColumns(count, [&](Number i, int64_t lanes) { (values + i).store((values + i).load(lanes) / sum.splat(lanes)); });
}

/// Scores of all experts from their logits.
static void scoreExperts(KernelBuilder &b, moe::Score score, Pointer logits, Pointer scores, int64_t experts) {
  b.forColumns(experts, [&](Number e, int64_t lanes) { (scores + e).store(scoreOf(score, (logits + e).load(lanes))); });
  if (score == moe::Score::Softmax)
    normalizeSoftmax(b, scores, experts);
}

/// The index of the largest of `count` keys, the lowest of equals; its key becomes minus infinity.
static Number takeLargest(KernelBuilder &b, Pointer keys, int64_t count) {
  KernelBuilder::Numbers best = b.forRange(
      b.integer(0), b.integer(count), 1, {b.integer(0), b.real(negativeInfinity)}, [&](Number i, ArrayRef<Number> before) {
        Number key = (keys + i).load(), better = key > before[1];
        return KernelBuilder::Numbers{select(better, i, before[0]), select(better, key, before[1])};
      });
  (keys + best[0]).store(b.real(negativeInfinity));
  return best[0];
}

/// Of sparse_mixer: the weight of an expert with this score that was taken just now.
static Number weighTaken(KernelBuilder &b, moe::RoutingAttr routing, Number score, Pointer keys, int64_t count) {
  Number others = b.forRange(b.integer(0), b.integer(count), 1, {b.real(0)}, [&](Number i, ArrayRef<Number> before) {
    return KernelBuilder::Numbers{before[0] + shareBeside(routing, score, (keys + i).load())};
  })[0];
  Number itself = b.real(1);
  return itself / (itself + others);
}

/// Gives the experts of all but the best groups the key of a dropped expert.
static void dropGroups(KernelFrame &frame, moe::RoutingAttr routing, Pointer keys, int64_t experts) {
  KernelBuilder &b = frame.b;
  int64_t groups = routing.getGroups(), size = experts / groups;
  Pointer groupKeys = frame.allocate(b.f32, groups), kept = frame.allocate(b.i32, groups);
  b.forRange(groups, [&](Number g) {
    (groupKeys + g).store(groupKey(b, routing, keys + g * size, size));
    (kept + g).store(b.integer(0).toInteger(b.i32));
  });
  b.forRange(routing.getKeptGroups(),
             [&](Number) { (kept + takeLargest(b, groupKeys, groups)).store(b.integer(1).toInteger(b.i32)); });
  b.forRange(groups, [&](Number g) {
    b.ifThen((kept + g).load() == 0,
             [&] { b.forRange(size, [&](Number i) { (keys + g * size + i).store(b.real(droppedKey(routing))); }); });
  });
}

void moec::lowering::x86::emitRoute(KernelFrame &frame, moe::RouteOp op, Pointer logits, Weight bias, Weight table, Number token,
                                    Pointer ids, Pointer weights) {
  KernelBuilder &b = frame.b;
  moe::RoutingAttr routing = op.getRouting();
  int64_t experts = moe::widthOf(op.getLogits().getType()), k = routing.getK();
  Pointer scores = frame.allocate(b.f32, experts), keys = frame.allocate(b.f32, experts);
  scoreExperts(b, routing.getScore(), logits, scores, experts);

  if (!table) {
    Pointer biases = bias ? bias.row(b.integer(0)) : Pointer(), from = moe::choosesByLogits(routing, bool(bias)) ? logits : scores;
    b.forColumns(experts, [&](Number e, int64_t lanes) {
      Number key = (from + e).load(lanes);
      (keys + e).store(bias ? key + (biases + e).loadF32(lanes) : key);
    });
    if (routing.getGroups() > 1)
      dropGroups(frame, routing, keys, experts);
  }
  b.forRange(k, [&](Number j) {
    Number id = table ? nearestExpert((table.row(token) + j).loadIndex(), experts) : takeLargest(b, keys, experts);
    (ids + j).store(id.toInteger(b.i32));
    Number score = (scores + id).load();
    bool isApart = routing.getScore() == moe::Score::SparseMixer;
    (weights + j).store(isApart ? weighTaken(b, routing, score, keys, experts) : score);
  });
  weighChosen(b, routing, weights);
}
