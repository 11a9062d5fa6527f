// Routing as loops: scores, the best groups, the best experts, their weights. #moe.routing has the arithmetic.
#include "dialects/moe/Routing.h"
#include "lowering/kernel/Functions.h"
#include "lowering/kernel/Routing.h"
#include "lowering/loops/LoopBuilder.h"
#include "lowering/loops/Loops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::moe;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Softmax over the last dimension of rows, or of a single one.
Value softmax(LoopBuilder &b, Value x) {
  auto type = cast<RankedTensorType>(x.getType());
  bool isRow = type.getRank() == 1;
  Value rows = isRow ? Value() : b.sizeOf(x, 0).value;
  SmallVector<unsigned> outer = isRow ? SmallVector<unsigned>() : SmallVector<unsigned>{0};
  SmallVector<unsigned> all = isRow ? SmallVector<unsigned>{0} : SmallVector<unsigned>{0, 1};
  auto perRow = [&](double value) { return b.fill(b.empty(rows, {}, b.getF32Type()), value); };
  auto like = [&] { return b.empty(rows, {type.getShape().back()}, b.getF32Type()); };
  Value largest = b.reduce({perRow(-infinity), outer}, {{x, all}}, [](ArrayRef<Number> e) { return maximum(e[1], e[0]); });
  Value powers = b.map(like(), {{x, all}, {largest, outer}}, [](ArrayRef<Number> e) { return exponential(e[0] - e[1]); });
  Value sums = b.reduce({perRow(0), outer}, {{powers, all}}, [](ArrayRef<Number> e) { return e[1] + e[0]; });
  return b.map(like(), {{powers, all}, {sums, outer}}, [](ArrayRef<Number> e) { return e[0] / e[1]; });
}

Value scoresOf(LoopBuilder &b, Value logits, Score score) {
  Value like = b.empty(b.sizeOf(logits, 0), {widthOf(logits.getType())}, b.getF32Type());
  switch (score) {
  case Score::Softmax:
    return softmax(b, logits);
  case Score::SoftmaxTopK:
  case Score::SparseMixer:
    return logits;
  case Score::Sigmoid:
    return b.map(like, {{logits, {0, 1}}}, [](ArrayRef<Number> e) { return sigmoid(e[0]); });
  case Score::SqrtSoftplus:
    return b.map(like, {{logits, {0, 1}}}, [](ArrayRef<Number> e) { return squareRoot(softplus(e[0])); });
  }
  llvm_unreachable("all scores are listed");
}

/// The indices of the `count` largest of `keys`, largest first; of equal keys the lowest index comes first.
Value largest(LoopBuilder &b, Value keys, int64_t count) {
  int64_t size = widthOf(keys.getType());
  Value taken = b.fill(b.empty({size}, b.getI8Type()), 0), order = b.empty({count}, b.getI32Type());
  return b.forRange(b.index(count), {taken, order}, [&](Number place, ValueRange values) -> LoopBuilder::Values {
    Value best = b.forRange(b.index(size), {b.index(-1).value, b.real(-infinity).value},
                            [&](Number i, ValueRange sofar) -> LoopBuilder::Values {
                              Number best = b.number(sofar[0]), bestKey = b.number(sofar[1]);
                              Number key = b.at(keys, {i}), isTaken = b.at(values[0], {i});
                              Number better = (isTaken == 0) & ((best < 0) | (key > bestKey));
                              return {select(better, i, best), select(better, key, bestKey)};
                            })[0];
    Number one = b.number(arith::ConstantIntOp::create(b, b.getI8Type(), 1));
    Number id = b.number(arith::IndexCastOp::create(b, b.getI32Type(), best));
    return {b.put(one, values[0], {b.number(best)}), b.put(id, values[1], {place})};
  })[1];
}

/// `keys` with those of all but the best groups filled.
Value keepBestGroups(LoopBuilder &b, Value keys, RoutingAttr routing) {
  int64_t groups = routing.getGroups(), size = widthOf(keys.getType()) / groups;
  bool addsTwo = routing.getGroupScore() == GroupScore::Top2Sum && size > 1;
  double fill = routing.getMaskFill() == MaskFill::Zero ? 0 : -infinity;
  Value scores =
      b.forRange(b.index(groups), b.empty({groups}, b.getF32Type()), [&](Number group, ValueRange sofar) -> LoopBuilder::Values {
        Value lowest = b.real(-infinity);
        auto best = b.forRange(b.index(size), {lowest, lowest}, [&](Number i, ValueRange two) -> LoopBuilder::Values {
          Number first = b.number(two[0]), second = b.number(two[1]);
          Number key = b.at(keys, {group * size + i});
          return {maximum(first, key), maximum(second, minimum(first, key))};
        });
        Number score = b.number(best[0]);
        return {b.put(addsTwo ? score + b.number(best[1]) : score, sofar[0], {group})};
      })[0];
  Value kept = largest(b, scores, routing.getKeptGroups());
  Value filled = b.fill(b.empty({groups * size}, b.getF32Type()), fill);
  return b.forRange(b.index(routing.getKeptGroups()), filled, [&](Number place, ValueRange sofar) -> LoopBuilder::Values {
    Number group = b.number(arith::IndexCastOp::create(b, b.getIndexType(), b.at(kept, {place})));
    return b.forRange(b.index(size), sofar[0], [&](Number i, ValueRange inner) -> LoopBuilder::Values {
      Number expert = group * size + i;
      return {b.put(b.at(keys, {expert}), inner[0], {expert})};
    });
  })[0];
}

/// Of sparse_mixer: the weight of an expert with this score, `left` being the keys of those neither chosen before nor it.
Number weighTaken(LoopBuilder &b, Number score, Value left, RoutingAttr routing) {
  Number itself = b.number(b.real(1));
  Number sum =
      b.number(b.forRange(b.index(widthOf(left.getType())), itself.value, [&](Number i, ValueRange sofar) -> LoopBuilder::Values {
        return {b.number(sofar[0]) + shareBeside(routing, score, b.at(left, {i}))};
      })[0]);
  return itself / sum;
}

/// What the chosen experts' scores are as weights.
Value weigh(LoopBuilder &b, Value ids, Value scores, RoutingAttr routing) {
  int64_t k = routing.getK();
  bool isApart = routing.getScore() == Score::SparseMixer;
  auto vector = [&] { return b.empty({k}, b.getF32Type()); };
  Value weights = b.forRange(b.index(k), {vector(), scores}, [&](Number place, ValueRange sofar) -> LoopBuilder::Values {
    Number id = b.number(arith::IndexCastOp::create(b, b.getIndexType(), b.at(ids, {place})));
    Number score = b.at(scores, {id});
    Value left = isApart ? b.put(b.real(-infinity), sofar[1], {id}) : sofar[1];
    return {b.put(isApart ? weighTaken(b, score, left, routing) : score, sofar[0], {place}), left};
  })[0];
  if (routing.getScore() == Score::SoftmaxTopK)
    weights = softmax(b, weights);
  if (routing.getRenormalize()) {
    Value zero = b.fill(b.empty(ArrayRef<int64_t>(), b.getF32Type()), 0);
    Value sum = b.reduce({zero, {}}, {{weights, {0}}}, [](ArrayRef<Number> e) { return e[1] + e[0]; });
    weights = b.map(vector(), {{weights, {0}}, {sum, {}}},
                    [&](ArrayRef<Number> e) { return e[0] / (e[1] + e[1].like(double(routing.getEpsilon()))); });
  }
  return b.map(vector(), {{weights, {0}}}, [&](ArrayRef<Number> e) { return e[0] * e[0].like(double(routing.getScale())); });
}

struct RouteLoops : OpRewritePattern<RouteOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RouteOp op, PatternRewriter &rewriter) const override {
    LoopBuilder b(op.getLoc(), rewriter);
    RoutingAttr routing = op.getRouting();
    Number rows = b.sizeOf(op.getLogits(), 0);
    Value scores = scoresOf(b, op.getLogits(), routing.getScore());
    Value keys = choosesByLogits(routing, bool(op.getBias())) ? Value(op.getLogits()) : scores;
    if (Value bias = op.getBias())
      keys = b.map(b.empty(rows, {widthOf(scores.getType())}, b.getF32Type()), {{scores, {0, 1}}, {bias, {1}}},
                   [](ArrayRef<Number> e) { return e[0] + realOf(e[1]); });
    Value ids = b.empty(rows, {routing.getK()}, b.getI32Type()), weights = b.empty(rows, {routing.getK()}, b.getF32Type());
    auto results = b.forRange(rows, {ids, weights}, [&](Number row, ValueRange sofar) -> LoopBuilder::Values {
      Value chosen = op.getTable() ? idsOfTable(b, op, row) : idsOfKeys(b, b.entry(keys, row), routing);
      Value weight = weigh(b, chosen, b.entry(scores, row), routing);
      return {b.putEntry(chosen, sofar[0], row), b.putEntry(weight, sofar[1], row)};
    });
    rewriter.replaceOp(op, results);
    return success();
  }

  static Value idsOfKeys(LoopBuilder &b, Value keys, RoutingAttr routing) {
    return largest(b, routing.getGroups() > 1 ? keepBestGroups(b, keys, routing) : keys, routing.getK());
  }

  static Value idsOfTable(LoopBuilder &b, RouteOp op, Number row) {
    auto table = cast<RankedTensorType>(op.getTable().getType());
    Number token = b.number(arith::IndexCastOp::create(b, b.getIndexType(), b.at(op.getTokenIds(), {row})));
    Value known = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, token, b.index(table.getDimSize(0)));
    cf::AssertOp::create(b, known, "moe.route: expected a token id within the table");
    return b.map(b.empty({op.getRouting().getK()}, b.getI32Type()), {{b.entry(op.getTable(), token), {0}}},
                 [&](ArrayRef<Number> e) { return e[0].toInteger(b.getI32Type()); });
  }
};

} // namespace

void moec::lowering::populateRouteLoops(RewritePatternSet &patterns) { patterns.add<RouteLoops>(patterns.getContext()); }
