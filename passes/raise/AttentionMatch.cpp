// What lies between a product of queries and keys and one with values, as attention.
#include "passes/raise/AttentionMatch.h"
#include "passes/raise/Proof.h"

#include "dialects/moe/MoE.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::passes;
using evaluator::Tensor;

/// What a softmax is made of lies within so many ops.
static constexpr size_t mostOps = 64;

static bool isBefore(Operation *a, Operation *b) { return a->isBeforeInBlock(b); }

SmallVector<Contraction> passes::scoresBehind(const Contraction &weighted, const Flow &flow) {
  SmallVector<Contraction> found;
  if (weighted.batch.empty())
    return found;
  bool hasExponential = false;
  SetVector<Operation *> met;
  SmallVector<Value> pending{weighted.left()};
  while (!pending.empty() && met.size() < mostOps) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    if (!op || !met.insert(op))
      continue;
    if (std::optional<Contraction> product = Contraction::of(op)) {
      if (product->batch.size() == weighted.batch.size())
        found.push_back(*product);
      continue;
    }
    hasExponential |= contains<math::ExpOp>(op);
    llvm::append_range(pending, flow.readBy(op));
  }
  if (!hasExponential)
    found.clear();
  llvm::sort(found, [](const Contraction &a, const Contraction &b) { return isBefore(b.op, a.op); });
  return found;
}

AttentionMatch::AttentionMatch(const Contraction &scores, const Contraction &weighted, const Flow &flow, evaluator::Budget &budget)
    : scores(scores), weighted(weighted), flow(flow), budget(budget) {
  // The ops that lead to the weights, and of these the ones that scores lead to.
  SetVector<Operation *> behind;
  SmallVector<Value> pending{weighted.left()};
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    if (op && op != scores.op && isBefore(scores.op, op) && behind.insert(op))
      llvm::append_range(pending, flow.readBy(op));
  }
  SmallVector<Operation *> sorted = behind.takeVector();
  llvm::sort(sorted, isBefore);
  DenseSet<Value> made{scores.result()};
  SetVector<Value> read;
  for (Operation *op : sorted) {
    SmallVector<Value> data = flow.readBy(op);
    if (!llvm::any_of(data, [&](Value value) { return made.contains(value); }))
      continue;
    path.push_back(op);
    made.insert_range(op->getResults());
    for (Value value : data)
      if (!made.contains(value))
        read.insert(value);
  }
  others = read.takeVector();
}

std::optional<std::string> AttentionMatch::findMaskedScores() {
  for (Operation *op : path) {
    bool isMaximum = isReduction(op) && (contains<arith::MaximumFOp>(op) || contains<arith::MaxNumFOp>(op));
    if (!isMaximum && !contains<math::ExpOp>(op))
      continue;
    masked = cast<linalg::LinalgOp>(op).getDpsInputs()[0];
    break;
  }
  if (!masked)
    return "no exponential was found behind its scores";
  auto concat = masked.getDefiningOp<tensor::ConcatOp>();
  if (!concat || !llvm::is_contained(path, concat))
    return std::nullopt;
  auto type = cast<RankedTensorType>(masked.getType());
  if (concat.getInputs().size() != 2 || concat.getDim() + 1 != uint64_t(type.getRank()))
    return "more is concatenated to its scores than sinks";
  bool isFirst = concat.getInputs()[0] == scores.result() || llvm::is_contained(path, concat.getInputs()[0].getDefiningOp());
  masked = concat.getInputs()[isFirst ? 0 : 1];
  sinks = concat.getInputs()[isFirst ? 1 : 0];
  return std::nullopt;
}

std::optional<std::string> AttentionMatch::probe() {
  // A mask may hide nothing at the sizes that are tried: whatever does more than scale and cap is taken for one.
  for (Operation *op : path) {
    bool scales = computes<arith::MulFOp>(op) || computes<arith::DivFOp>(op) || contains<math::TanhOp>(op) ||
                  isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op);
    if (op->isBeforeInBlock(masked.getDefiningOp()) || op == masked.getDefiningOp())
      hasBias |= !scales;
  }
  SmallVector<Value> inputs{scores.result()};
  llvm::append_range(inputs, others);
  std::optional<Excerpt> excerpt = Excerpt::make(masked, inputs, &budget);
  if (!excerpt)
    return "what becomes of its scores depends on more than can be evaluated";
  for (const std::vector<int64_t> &choices : trialSizes()) {
    Sizes sizes(choices);
    Draw draw(7);
    std::vector<Tensor> arguments;
    for (Value input : inputs)
      if (std::optional<Tensor> tensor = drawFor(input, 0.3, draw, sizes))
        arguments.push_back(std::move(*tensor));
    if (arguments.size() != inputs.size())
      return "its sizes depend on data";
    auto ofScore = [&](double score) {
      llvm::fill(arguments[0].elements, score);
      return excerpt->evaluate(arguments, sizes);
    };
    std::optional<Tensor> zero = ofScore(0), one = ofScore(1), small = ofScore(1e-4), large = ofScore(1e9);
    if (!zero || !one || !small || !large)
      continue;
    for (size_t i = 0; i < zero->elements.size(); ++i) {
      if (!(std::abs(zero->elements[i]) < 1e6)) // masked
        continue;
      double slope = (small->elements[i] - zero->elements[i]) * 1e4, step = one->elements[i] - zero->elements[i];
      bool isLinear = std::abs(slope - step) <= 1e-6 * std::abs(step);
      scale = double(float(isLinear ? step : slope));
      if (!isLinear)
        softCap = double(float(large->elements[i] - zero->elements[i]));
    }
    return scale != 0 ? std::nullopt : std::optional<std::string>("its scores do not reach the softmax");
  }
  return "no sizes were found at which it can be evaluated";
}

std::optional<std::string> AttentionMatch::observe() {
  if (path.empty())
    return "its scores do not reach the softmax";
  if (std::optional<std::string> problem = findMaskedScores())
    return problem;
  if (cast<RankedTensorType>(masked.getType()).getRank() != cast<RankedTensorType>(scores.result().getType()).getRank())
    return "its scores are reshaped before the softmax";
  return probe();
}

/// `value` with dimensions of size 1 in front, up to rank 4.
static Value asBias(OpBuilder &builder, Location loc, Value value, ArrayRef<int64_t> at) {
  // at: which of the four dimensions each one is.
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<OpFoldResult> own = tensor::getMixedSizes(builder, loc, value), sizes(4, builder.getIndexAttr(1));
  SmallVector<int64_t> shape(4, 1);
  SmallVector<ReassociationIndices> groups(at.size());
  for (auto [dim, to] : llvm::enumerate(at)) {
    sizes[size_t(to)] = own[dim];
    shape[size_t(to)] = type.getDimSize(unsigned(dim));
  }
  for (int64_t dim = 0, group = 0; dim < 4; ++dim) {
    if (group + 1 < int64_t(at.size()) && dim > at[size_t(group)])
      ++group;
    groups[size_t(group)].push_back(dim);
  }
  return tensor::ExpandShapeOp::create(builder, loc, RankedTensorType::get(shape, type.getElementType()), value, groups, sizes);
}

Value AttentionMatch::buildBias(OpBuilder &builder) const {
  Location loc = weighted.op.getLoc();
  unsigned rank = unsigned(cast<RankedTensorType>(masked.getType()).getRank());
  SmallVector<int64_t> ofScores = rank == 3 ? SmallVector<int64_t>{0, 2, 3} : SmallVector<int64_t>{0, 1, 2, 3};
  // Most masks are what is added last.
  if (rank <= 4 && computes<arith::AddFOp>(masked.getDefiningOp())) {
    auto add = cast<linalg::GenericOp>(masked.getDefiningOp());
    for (OpOperand *use : add.getDpsInputOperands()) {
      Value mask = use->get();
      bool onPath = mask == scores.result() || llvm::is_contained(path, mask.getDefiningOp());
      auto type = cast<RankedTensorType>(mask.getType());
      bool isOnlyOne = others.empty() || (others.size() == 1 && others[0] == mask);
      if (onPath || !isOnlyOne || type.getRank() == 0 || !type.getElementType().isF32() || add.getNumDpsInputs() != 2)
        continue;
      SmallVector<int64_t> at;
      for (auto [dim, expr] : llvm::enumerate(add.getMatchingIndexingMap(use).getResults())) {
        auto loop = dyn_cast<AffineDimExpr>(expr);
        if (!loop && type.getDimSize(unsigned(dim)) != 1)
          return {};
        // A repeated dimension stands where it would if it were not.
        at.push_back(ofScores[loop ? loop.getPosition() : rank - unsigned(type.getRank()) + unsigned(dim)]);
      }
      if (llvm::is_sorted(at) && std::adjacent_find(at.begin(), at.end()) == at.end())
        return asBias(builder, loc, mask, at);
    }
  }
  // What scores of zero become.
  IRMapping copies;
  // Of what the scores are written to, which does not depend on them.
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, scores.op.getDpsInits()[0]);
  Value zero = arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
  Value empty = tensor::EmptyOp::create(builder, loc, sizes, builder.getF32Type());
  Value zeros = linalg::FillOp::create(builder, loc, ValueRange(zero), ValueRange(empty)).getResult(0);
  if (zeros.getType() != scores.result().getType())
    zeros = tensor::CastOp::create(builder, loc, scores.result().getType(), zeros);
  copies.map(scores.result(), zeros);
  for (Operation *op : path) {
    builder.clone(*op, copies);
    if (op == masked.getDefiningOp())
      break;
  }
  Value whole = copies.lookup(masked);
  if (rank == 5) // heads in groups
    whole = tensor::CollapseShapeOp::create(builder, loc, whole, SmallVector<ReassociationIndices>{{0}, {1, 2}, {3}, {4}});
  return asBias(builder, loc, whole, ofScores);
}

Value AttentionMatch::buildSinks(OpBuilder &builder, int64_t heads) {
  Value value = sinks;
  while (true) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.hasStaticShape() && type.getNumElements() == heads)
      break;
    Operation *op = value.getDefiningOp();
    if (!op || !isMovement(op) || isa<tensor::ConcatOp>(op))
      return refuse("what is concatenated to its scores is not a sink for each head");
    value = op->getOperand(0);
  }
  if (Operation *op = value.getDefiningOp(); flow.isData(value) || isa_and_nonnull<moe::GetWeightOp>(op))
    given.push_back(value);
  SmallVector<ReassociationIndices> all(1);
  llvm::append_range(all[0], llvm::seq<int64_t>(0, cast<RankedTensorType>(value.getType()).getRank()));
  return all[0].size() == 1 ? value : tensor::CollapseShapeOp::create(builder, value.getLoc(), value, all).getResult();
}

/// Rows of a tensor whose loops are sequences, rows, heads (of which there may be none, or some in groups) and columns.
static Value rowsOf(OpBuilder &builder, Location loc, const View &view, ArrayRef<unsigned> order) {
  Value arranged = view.arranged(builder, loc, order);
  SmallVector<ReassociationIndices> groups{{0, 1}, {}};
  llvm::append_range(groups[1], llvm::seq<int64_t>(2, int64_t(view.loops.size())));
  Value rows = tensor::CollapseShapeOp::create(builder, loc, arranged, groups);
  auto type = RankedTensorType::get({ShapedType::kDynamic, moe::widthOf(rows.getType())}, builder.getF32Type());
  return rows.getType() == type ? rows : tensor::CastOp::create(builder, loc, type, rows).getResult();
}

Value AttentionMatch::build(OpBuilder &builder) {
  Location loc = weighted.op.getLoc();
  std::optional<View> q = View::of(builder, scores.op, 0), k = View::of(builder, scores.op, 1);
  std::optional<View> v = View::of(builder, weighted.op, 1);
  if (!q || !k || !v || scores.batch.size() > 3)
    return refuse("its operands are not [sequences, heads, rows, columns]");
  auto order = [&](const Contraction &of, unsigned row, unsigned column) {
    SmallVector<unsigned, 4> loops{of.batch[0], row};
    llvm::append_range(loops, ArrayRef<unsigned>(of.batch).drop_front());
    loops.push_back(column);
    return loops;
  };
  ArrayRef<unsigned> headLoops = ArrayRef<unsigned>(scores.batch).drop_front();
  ArrayRef<unsigned> valueLoops = ArrayRef<unsigned>(weighted.batch).drop_front();
  if (!q->has(scores.batch[0]) || !k->has(scores.batch[0]) || !v->has(weighted.batch[0]) ||
      !llvm::all_of(headLoops, [&](unsigned loop) { return q->has(loop); }))
    return refuse("sequences share queries, keys or values");
  if (headLoops.size() == 2 && !k->has(headLoops[0]) && k->has(headLoops[1]))
    return refuse("heads that share keys and values are not next to one another");
  if (v->factor != 1)
    return refuse("its values are multiplied by a constant");
  View keys = *k, values = *v;
  if (headLoops.size() == 1) {
    keys = k->withoutRepetition(builder, loc, headLoops[0]);
    values = v->withoutRepetition(builder, loc, valueLoops[0]);
    if (keys.sizeOf(headLoops[0]) != values.sizeOf(valueLoops[0]))
      keys = *k, values = *v;
  }
  int64_t heads = 1, pairs = 1;
  for (auto [loop, valueLoop] : llvm::zip_equal(headLoops, valueLoops)) {
    if (ShapedType::isDynamic(q->sizeOf(loop)) || keys.sizeOf(loop) != values.sizeOf(valueLoop))
      return refuse("the number of heads is not known, or keys and values differ in it");
    heads *= q->sizeOf(loop);
    pairs *= keys.sizeOf(loop);
  }
  int64_t width = q->sizeOf(scores.inner), valueWidth = values.sizeOf(weighted.column);
  if (ShapedType::isDynamic(width) || ShapedType::isDynamic(valueWidth) || heads % pairs)
    return refuse("the width of a head is not known");
  for (Value operand : {q->tensor, keys.tensor, values.tensor})
    if (!cast<RankedTensorType>(operand.getType()).getElementType().isF32())
      return refuse("it is not of f32");

  scale *= q->factor * keys.factor;
  given = {q->origin, keys.origin, values.origin};
  for (Value other : others)
    if (!llvm::is_contained(given, other))
      given.push_back(other);
  Value sinkWeights = sinks ? buildSinks(builder, heads) : Value();
  if (sinks && !sinkWeights)
    return {};
  moe::Attended attended;
  if (hasBias) {
    attended.bias = buildBias(builder);
    if (!attended.bias)
      return refuse("its masks do not broadcast to scores");
  }
  Value count = tensor::DimOp::create(builder, loc, q->tensor, q->dimOf(scores.batch[0]));
  Value length = tensor::DimOp::create(builder, loc, keys.tensor, keys.dimOf(scores.column));
  length = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), length);
  Value empty = tensor::EmptyOp::create(builder, loc, ArrayRef<OpFoldResult>{count}, builder.getI64Type());
  attended.lengths = linalg::FillOp::create(builder, loc, ValueRange(length), ValueRange(empty)).getResult(0);

  Value queryRows = rowsOf(builder, loc, *q, order(scores, scores.row, scores.inner));
  Value keyRows = rowsOf(builder, loc, keys, order(scores, scores.column, scores.inner));
  Value valueRows = rowsOf(builder, loc, values, order(weighted, weighted.inner, weighted.column));
  auto type = RankedTensorType::get({ShapedType::kDynamic, heads * valueWidth}, builder.getF32Type());
  Value rows = moe::AttentionOp::create(builder, loc, type, queryRows, keyRows, valueRows, attended, sinkWeights, width, scale,
                                        std::nullopt, softCap);
  // Back: [sequences, queries, heads, columns] in the order of the result.
  auto result = cast<RankedTensorType>(weighted.result().getType());
  SmallVector<OpFoldResult> sizes{count, tensor::getMixedSize(builder, loc, q->tensor, q->dimOf(scores.row))};
  SmallVector<int64_t> shape{result.getDimSize(0), result.getDimSize(unsigned(result.getRank() - 2))};
  for (int64_t dim = 0; dim < 2; ++dim)
    if (!ShapedType::isDynamic(shape[size_t(dim)]))
      sizes[size_t(dim)] = builder.getIndexAttr(shape[size_t(dim)]);
  for (unsigned loop : headLoops) {
    sizes.push_back(builder.getIndexAttr(q->sizeOf(loop)));
    shape.push_back(q->sizeOf(loop));
  }
  SmallVector<ReassociationIndices> groups{{0, 1}, {}};
  llvm::append_range(groups[1], llvm::seq<int64_t>(2, int64_t(shape.size()) + 1));
  sizes.push_back(builder.getIndexAttr(valueWidth));
  shape.push_back(valueWidth);
  auto expandedType = RankedTensorType::get(shape, builder.getF32Type());
  auto collapsedType = tensor::CollapseShapeOp::inferCollapsedType(expandedType, groups);
  if (rows.getType() != collapsedType)
    rows = tensor::CastOp::create(builder, loc, collapsedType, rows);
  Value expanded = tensor::ExpandShapeOp::create(builder, loc, expandedType, rows, groups, sizes);
  SmallVector<int64_t> back{0};
  llvm::append_range(back, llvm::seq<int64_t>(2, int64_t(shape.size()) - 1));
  back.append({1, int64_t(shape.size()) - 1});
  return transposed(builder, loc, expanded, back);
}

std::string AttentionMatch::description() const {
  return llvm::formatv("scale {0:f4}{1}{2}{3}", scale, softCap ? ", soft cap" : "", hasBias ? ", a bias" : "",
                       sinks ? ", sinks" : "")
      .str();
}
