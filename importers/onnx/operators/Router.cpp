// com.microsoft.MoEGroupRouter: DeepSeek's router, whose result is logits for a mixture's own softmax.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Packed.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::onnx;

static LogicalResult groupRouter(Call &call) {
  Emitter &e = call.e;
  const Tensor &logits = call.in(0);
  int64_t k = call.integer("top_k", 1), groups = call.integer("n_group", 1), kept = call.integer("topk_group", 1);
  int64_t perGroup = call.integer("group_topk", 2);
  double sentinel = call.number("router_sentinel", -1e4f);
  if (logits.rank() != 2 || !logits.shape[1].isConstant())
    return call.refuse("logits: expected [tokens, experts], got " + spelled(logits.shape));
  int64_t experts = logits.shape[1].constant();
  if (k < 1 || k > experts || groups < 1 || experts % groups || kept < 1 || kept > groups || kept * (experts / groups) < k ||
      (perGroup != 1 && perGroup != 2) || (perGroup == 2 && groups > 1 && experts / groups < 2))
    return call.refuse("attributes 'top_k', 'n_group', 'topk_group' and 'group_topk': expected groups that divide " +
                       Twine(experts) + " experts and hold k of them, scored by 1 or 2, got " + Twine(k) + ", " + Twine(groups) +
                       ", " + Twine(kept) + " and " + Twine(perGroup));
  Value bias, none;
  if (call.has(1)) {
    if (call.in(1).shape != Shape{experts} || call.in(1).type != DataType::Float32)
      return call.refuse("expert_bias: expected " + Twine(experts) + " floats, got " + spelled(call.in(1).shape));
    bias = weightOperand(e, call.in(1));
  }
  auto routing =
      moe::RoutingAttr::get(e.b.getContext(), k, moe::Score::Sigmoid, groups, kept,
                            perGroup == 2 ? moe::GroupScore::Top2Sum : moe::GroupScore::Max, moe::MaskFill::NegativeInfinity,
                            /*renormalize=*/false, moe::F64(0.0), moe::F64(1.0));
  auto columns = [&](Type element) { return RankedTensorType::get({ShapedType::kDynamic, k}, element); };
  auto route = moe::RouteOp::create(e.b, columns(e.b.getI32Type()), columns(e.b.getF32Type()), e.rows(logits, experts), bias, none,
                                    none, routing);
  // The logarithm of a chosen expert's weight in its column, the sentinel in all others.
  Shape chosen = {logits.shape[0], k};
  Tensor ids = e.tensor(route.getIds(), DataType::Int32, chosen), weights = e.tensor(route.getWeights(), DataType::Float32, chosen);
  Shape loops = {logits.shape[0], experts, k};
  Tensor result = e.loop({ids, weights}, {{0, 2}, {0, 2}}, loops, 2, DataType::Float32, sentinel, [&](Scalars &s, ValueRange x) {
    Value expert = arith::IndexCastOp::create(s.b, s.b.getI32Type(), linalg::IndexOp::create(s.b, 1));
    Value logarithm = s.function<math::LogOp>(s.maximum(x[1], s.like(x[1], 1e-20)));
    return s.select(s.equal(x[0], expert), logarithm, x[2]);
  });
  call.give(0, e.cast(result, logits.type));
  return success();
}

ArrayRef<Operator> onnx::routerOperators() {
  static constexpr Operator operators[] = {{"MoEGroupRouter", groupRouter, 1, 2}};
  return operators;
}
