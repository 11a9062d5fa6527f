// Where the weights of experts meet data: a walk over the ops that keeps track of what every value was made of.
#include "passes/raise/ExpertProducts.h"
#include "dialects/moe/MoE.h"
#include "passes/raise/Excerpt.h"
#include "passes/raise/Structure.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <cmath>
#include <set>

using namespace mlir;
using namespace moec;
using namespace moec::passes;

SmallVector<int64_t> passes::squeezedShape(Type type) {
  SmallVector<int64_t> shape;
  for (int64_t size : cast<RankedTensorType>(type).getShape())
    if (size != 1)
      shape.push_back(size);
  return shape;
}

namespace {

/// What a value was made of.
struct Origin {
  bool hasInput = false;
  bool hasLogits = false;
  unsigned layer = 0;          ///< of the last product on the way, for what comes from the input
  std::set<unsigned> products; ///< of that layer
  SetVector<Value> weights;    ///< for what does not come from the input

  bool operator==(const Origin &) const = default;

  void join(const Origin &other) {
    hasInput |= other.hasInput;
    hasLogits |= other.hasLogits;
    if (other.layer > layer) {
      layer = other.layer;
      products.clear();
    }
    if (other.layer == layer)
      products.insert(other.products.begin(), other.products.end());
    weights.insert_range(other.weights);
  }
};

bool isFloats(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

class Walk {
public:
  explicit Walk(ExpertProducts &found) : found(found) {}

  void visit(Operation *op);
  Origin &operator[](Value value) { return origins[value]; }

private:
  void visitBlock(Block &block) {
    for (Operation &op : block.without_terminator())
      visit(&op);
  }
  void visitFor(scf::ForOp op);
  void visitIf(scf::IfOp op);
  void visitWhile(scf::WhileOp op);
  void visitOther(Operation *op);
  /// The product or the sum of `data` with the constant `weight`.
  Origin meet(Operation *op, const Origin &data, Value weight, bool isSum = false);
  /// Joins the origins of `from` to those of `to`; whether that changed any.
  bool pass(ValueRange from, ValueRange to);

  bool isConstant(Value value, unsigned depth = 0);
  bool isWeight(Value value);
  void fail(const Twine &why) {
    if (found.problem.empty())
      found.problem = why.str();
  }

  ExpertProducts &found;
  DenseMap<Value, Origin> origins;
  DenseMap<Value, bool> constants;
  DenseMap<Operation *, unsigned> productOf;
};

bool Walk::isConstant(Value value, unsigned depth) {
  if (auto known = constants.find(value); known != constants.end())
    return known->second;
  Operation *op = value.getDefiningOp();
  bool constant = op && depth < 100 && isMemoryEffectFree(op) &&
                  llvm::all_of(valuesReadBy(op), [&](Value read) { return isConstant(read, depth + 1); });
  return constants[value] = constant;
}

/// A constant of floats that comes from numbers of the model, not from one that is repeated.
bool Walk::isWeight(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!isFloats(value) || !isConstant(value) || !type.hasStaticShape() || type.getNumElements() < 2)
    return false;
  DenseSet<Operation *> met;
  SmallVector<Value> pending = {value};
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    if (!met.insert(op).second)
      continue;
    DenseElementsAttr elements;
    if (isa<moe::GetWeightOp>(op) ||
        (matchPattern(op, m_Constant(&elements)) && elements.getNumElements() > 1 && !elements.isSplat()))
      return true;
    llvm::append_range(pending, valuesReadBy(op));
  }
  return false;
}

bool Walk::pass(ValueRange from, ValueRange to) {
  bool changed = false;
  for (auto [source, target] : llvm::zip(from, to)) {
    Origin origin = origins[source], before = origins[target];
    origins[target].join(origin);
    changed |= !(origins[target] == before);
  }
  return changed;
}

void Walk::visitFor(scf::ForOp op) {
  pass(op.getInitArgs(), op.getRegionIterArgs());
  do
    visitBlock(*op.getBody());
  while (pass(op.getBody()->getTerminator()->getOperands(), op.getRegionIterArgs()) && found.problem.empty());
  pass(op.getRegionIterArgs(), op.getResults());
}

void Walk::visitIf(scf::IfOp op) {
  for (Region &region : op->getRegions())
    if (!region.empty()) {
      visitBlock(region.front());
      pass(region.front().getTerminator()->getOperands(), op.getResults());
    }
}

void Walk::visitWhile(scf::WhileOp op) {
  pass(op.getInits(), op.getBeforeArguments());
  do {
    visitBlock(*op.getBeforeBody());
    pass(op.getConditionOp().getArgs(), op.getAfterArguments());
    visitBlock(*op.getAfterBody());
  } while (pass(op.getYieldOp()->getOperands(), op.getBeforeArguments()) && found.problem.empty());
  pass(op.getConditionOp().getArgs(), op.getResults());
}

void Walk::visit(Operation *op) {
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return visitFor(loop);
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return visitIf(branch);
  if (auto loop = dyn_cast<scf::WhileOp>(op))
    return visitWhile(loop);
  visitOther(op);
}

/// Whether `op` sums over something.
static bool isProduct(Operation *op) { return isa<moe::LinearOp, moe::GroupedLinearOp>(op) || isReduction(op); }

Origin Walk::meet(Operation *op, const Origin &data, Value weight, bool isSum) {
  Origin result = data;
  result.weights.clear();
  if (isProduct(op) && !isSum) {
    if (data.layer == 2)
      fail("there are more than two products with weights in a row");
    auto [entry, isNew] = productOf.try_emplace(op, unsigned(found.products.size()));
    if (isNew)
      found.products.push_back(
          {weight, nullptr, data.layer + 1, SmallVector<unsigned>(data.products.begin(), data.products.end())});
    result.layer = data.layer + 1;
    result.products = {entry->second};
    return result;
  }
  if (data.products.size() != 1) {
    fail("a constant enters elsewhere than behind a product");
    return result;
  }
  ExpertProduct &product = found.products[*data.products.begin()];
  if (product.bias && product.bias != weight)
    fail("two constants are added to a product");
  product.bias = weight;
  return result;
}

void Walk::visitOther(Operation *op) {
  if (auto route = dyn_cast<moe::RouteOp>(op))
    found.numbers.push_back(route.getRouting().getEpsilon());
  op->walk([&](Operation *nested) {
    FloatAttr number;
    DenseFPElementsAttr elements;
    if (matchPattern(nested, m_Constant(&number)))
      found.numbers.push_back(number.getValueAsDouble());
    else if (matchPattern(nested, m_Constant(&elements)) && elements.getNumElements() > 0 && elements.isSplat())
      found.numbers.push_back(elements.getSplatValue<FloatAttr>().getValueAsDouble());
  });
  if (op->getNumResults() == 0 || isConstant(op->getResult(0)))
    return;
  Origin data, other;
  bool hasScores = false;
  SetVector<Value> met;
  for (Value read : valuesReadBy(op)) {
    if (isWeight(read)) {
      met.insert(read);
      continue;
    }
    auto known = origins.find(read);
    if (known == origins.end())
      continue;
    const Origin &origin = known->second;
    hasScores |= !origin.hasInput && origin.hasLogits && origin.weights.empty() && isFloats(read);
    (origin.hasInput ? data : other).join(origin);
  }
  Origin result = data;
  if (!data.hasInput) {
    result = other;
    if (hasScores) // what is made of scores makes scores: no expert's weight
      for (Value bias : met)
        found.routerBiases.push_back(bias);
    else
      result.weights.insert_range(met);
  } else {
    Value bias;
    if (auto linear = dyn_cast<moe::LinearOp>(op); linear && linear.getBias() && met.remove(linear.getBias()))
      bias = linear.getBias();
    met.insert_range(other.weights);
    if (met.size() > 1)
      fail("two constants meet data in one operation");
    if (!met.empty())
      result = meet(op, data, met.front());
    if (bias && found.problem.empty())
      result = meet(op, result, bias, /*isSum=*/true);
    result.hasLogits |= other.hasLogits;
  }
  for (Value value : op->getResults())
    origins[value] = result;
}

} // namespace

ExpertProducts passes::findExpertProducts(ArrayRef<Operation *> ops, Value input, Value logits) {
  ExpertProducts found;
  Walk walk(found);
  if (input)
    walk[input].hasInput = true;
  walk[logits].hasLogits = true;
  for (Operation *op : ops)
    if (found.problem.empty())
      walk.visit(op);
  llvm::erase_if(found.numbers, [](double number) { return !std::isfinite(number); });
  llvm::sort(found.numbers);
  found.numbers.erase(llvm::unique(found.numbers), found.numbers.end());
  return found;
}
