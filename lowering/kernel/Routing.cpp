// Scores, groups and weights of a route.
#include "lowering/kernel/Routing.h"

#include "lowering/kernel/Functions.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;

static constexpr double negativeInfinity = -std::numeric_limits<double>::infinity();

Number moec::lowering::scoreOf(moe::Score score, Number logit) {
  if (score == moe::Score::Sigmoid)
    return sigmoid(logit);
  return score == moe::Score::SqrtSoftplus ? squareRoot(softplus(logit)) : logit;
}

Number moec::lowering::groupKey(FunctionBuilder &b, moe::RoutingAttr routing, Pointer keys, int64_t size) {
  Number low = b.real(negativeInfinity);
  auto best = b.forRange(b.integer(0), b.integer(size), 1, {low, low}, [&](Number i, ArrayRef<Number> before) {
    Number key = (keys + i).load();
    Number second = maximum(before[1], minimum(before[0], key));
    return FunctionBuilder::Numbers{maximum(before[0], key), second};
  });
  return routing.getGroupScore() == moe::GroupScore::Top2Sum && size > 1 ? best[0] + best[1] : best[0];
}

double moec::lowering::droppedKey(moe::RoutingAttr routing) {
  return routing.getMaskFill() == moe::MaskFill::Zero ? 0 : negativeInfinity;
}

/// `combine` of `start` and all of `count` values, in order.
static Number fold(FunctionBuilder &b, Pointer values, int64_t count, Number start, function_ref<Number(Number, Number)> combine) {
  return b.forRange(b.integer(0), b.integer(count), 1, {start}, [&](Number i, ArrayRef<Number> before) {
    return FunctionBuilder::Numbers{combine(before[0], (values + i).load())};
  })[0];
}

static Number sum(FunctionBuilder &b, Pointer values, int64_t count) {
  return fold(b, values, count, b.real(0), [](Number x, Number y) { return x + y; });
}

Number moec::lowering::shareBeside(moe::RoutingAttr routing, Number chosen, Number key) {
  Number zero = key.like(0.0), distance = (chosen - key) / maximum(maximum(key, -key), chosen);
  Number isFar = distance > distance.like(2 * double(routing.getJitterEpsilon()));
  return select(isFar, zero, select(key > key.like(negativeInfinity), exponential(key - chosen), zero));
}

Number moec::lowering::nearestExpert(Number id, int64_t experts) {
  return minimum(maximum(id, id.like(int64_t(0))), id.like(experts - 1));
}

void moec::lowering::weighChosen(FunctionBuilder &b, moe::RoutingAttr routing, Pointer weights) {
  int64_t k = routing.getK();
  if (routing.getScore() == moe::Score::SoftmaxTopK) {
    Number largest = fold(b, weights, k, b.real(negativeInfinity), [](Number x, Number y) { return maximum(x, y); });
    b.forRange(k, [&](Number j) { (weights + j).store(exponential((weights + j).load() - largest)); });
    Number total = sum(b, weights, k);
    b.forRange(k, [&](Number j) { (weights + j).store((weights + j).load() / total); });
  }
  Number factor = b.real(routing.getScale()), divisor;
  if (routing.getRenormalize())
    divisor = sum(b, weights, k) + b.real(routing.getEpsilon());
  b.forRange(k, [&](Number j) {
    Number weight = (weights + j).load();
    if (routing.getRenormalize())
      weight = weight / divisor;
    (weights + j).store(weight * factor);
  });
}
