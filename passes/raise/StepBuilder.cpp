// Builds the step that a decoder's function is, op by op.
#include "passes/raise/StepBuilder.h"
#include "passes/raise/Flow.h"
#include "passes/raise/RotaryMatch.h"
#include "passes/raise/Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

/// The argument that `value` is, seen in other shapes and integer types.
static BlockArgument argumentBehind(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    auto converts = [](Operation *op) { return computes<arith::TruncIOp>(op) || computes<arith::ExtSIOp>(op); };
    if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp, arith::TruncIOp, arith::ExtSIOp>(op) && !converts(op))
      return {};
    value = op->getOperand(0);
  }
  return dyn_cast<BlockArgument>(value);
}

std::optional<Embedding> passes::findEmbedding(func::FuncOp function) {
  auto isIds = [](BlockArgument argument) {
    auto type = argument ? dyn_cast<RankedTensorType>(argument.getType()) : RankedTensorType();
    return type && type.getRank() == 2 && type.getElementType().isInteger() && type.getNumDynamicDims() == 2;
  };
  for (Operation &op : function.getBody().front()) {
    if (auto embed = dyn_cast<moe::EmbedOp>(op))
      if (BlockArgument ids = argumentBehind(embed.getIds()); isIds(ids))
        return Embedding{ids, embed.getTable(), embed.getResult()};
    // A gather as it is imported: elements of a table, from the row that an id says and the column that the loop says.
    auto gather = dyn_cast<linalg::GenericOp>(op);
    if (!gather || gather.getNumDpsInputs() != 1 || gather.getNumResults() != 1 || gather.getNumReductionLoops())
      continue;
    auto extract = gather.getBody()->getTerminator()->getOperand(0).getDefiningOp<tensor::ExtractOp>();
    BlockArgument ids = argumentBehind(gather.getDpsInputs()[0]);
    if (!extract || !isIds(ids) || !extract.getTensor().getDefiningOp<moe::GetWeightOp>() || extract.getIndices().size() != 2)
      continue;
    auto column = extract.getIndices()[1].getDefiningOp<linalg::IndexOp>();
    AffineMap map = gather.getMatchingIndexingMap(gather.getDpsInputOperand(0));
    bool isRow = column && column.getDim() + 1 == gather.getNumLoops() && !map.isFunctionOfDim(gather.getNumLoops() - 1) &&
                 map.isProjectedPermutation() && gather.getMatchingIndexingMap(gather.getDpsInitOperand(0)).isIdentity();
    // Ids that are no negative numbers are the rows themselves.
    Value row = extract.getIndices()[0];
    if (auto select = row.getDefiningOp<arith::SelectOp>())
      row = select.getFalseValue();
    if (auto cast = row.getDefiningOp<arith::IndexCastOp>())
      row = cast.getIn();
    if (isRow && row == gather.getBody()->getArgument(0))
      return Embedding{ids, extract.getTensor(), gather.getResult(0)};
  }
  return std::nullopt;
}

StepBuilder::StepBuilder(func::FuncOp function, const Embedding &embedding, const StepArguments &arguments)
    : function(function), embedding(embedding), arguments(arguments), rows(arguments), builder(function) {}

func::FuncOp StepBuilder::build() {
  MLIRContext *context = function.getContext();
  auto ids = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
  auto location = NameLoc::get(builder.getStringAttr("step"));
  step = func::FuncOp::create(builder, location, "step", builder.getFunctionType({ids, moe::BatchType::get(context)}, {}));
  Block *body = step.addEntryBlock();
  batch = body->getArgument(1);
  builder.setInsertionPointToStart(body);
  bool isWhole = true;
  for (Operation &op : function.getBody().front().without_terminator()) {
    why.clear();
    if (!convert(&op) && !why.empty())
      problems[&op] = why;
  }
  why.clear();
  isWhole = convertResults();
  if (isWhole)
    return step;
  // What stood in the way first is what to say.
  for (Operation &op : function.getBody().front())
    if (auto found = problems.find(&op); found != problems.end()) {
      why = found->second;
      break;
    }
  for (moe::CacheOp cache : caches)
    cache.erase();
  step.erase();
  return {};
}

bool StepBuilder::convert(Operation *op) {
  if (op->getNumResults() == 1 && op->getResult(0) == embedding.result) {
    Value table = weightFor(embedding.table);
    if (!table)
      return false;
    int64_t width = cast<RankedTensorType>(op->getResult(0).getType()).getShape().back();
    auto type = RankedTensorType::get({ShapedType::kDynamic, width}, builder.getF32Type());
    rows.seat(embedding.result, moe::EmbedOp::create(builder, op->getLoc(), type, step.getArgument(0), table));
    return true;
  }
  if (auto norm = dyn_cast<moe::RMSNormOp>(op))
    return convertNorm(norm);
  if (auto rope = dyn_cast<moe::RopeOp>(op))
    return convertRope(rope);
  if (auto attention = dyn_cast<moe::AttentionOp>(op))
    return convertAttention(attention);
  if (auto attention = dyn_cast<moe::LatentAttentionOp>(op))
    return convertLatentAttention(attention);
  if (isa<moe::LinearOp, moe::LayerNormOp, moe::RouteOp, moe::ExpertsOp, moe::GatedMLPOp, moe::ActivateOp>(op))
    return convertRowwise(op);
  if (computes<arith::AddFOp>(op))
    return convertSum(cast<linalg::GenericOp>(op));
  return true;
}

Value StepBuilder::rowsWith(ArrayRef<Column> columns, Location loc) {
  SmallVector<ColumnRun> runs = runsOf(columns);
  if (runs.size() != 1) {
    refuse("columns of several values, or in another order, are taken for rows");
    return {};
  }
  auto [from, first, count] = runs.front();
  if (count == moe::widthOf(from.getType()))
    return from;
  auto type = RankedTensorType::get({ShapedType::kDynamic, count}, cast<RankedTensorType>(from.getType()).getElementType());
  return moe::ColumnsOp::create(builder, loc, type, from, first);
}

/// What makes `value`, beyond ops that only move elements.
static Operation *makerOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isMovement(op) || op->getNumOperands() == 0)
      return op;
    value = op->getOperand(0);
  }
  return nullptr;
}

Value StepBuilder::rowsFor(Value value) {
  std::optional<Columns> columns = rows.rowsOf(value);
  if (columns)
    return rowsWith(*columns, value.getLoc());
  Operation *maker = makerOf(value);
  refuse("a '" + (maker ? maker->getName().getStringRef() : "func.func") + "' has no form in a step");
  return {};
}

Value StepBuilder::weightFor(Value value) {
  if (Value known = weights.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (!isa_and_nonnull<moe::GetWeightOp, moe::DequantizeOp>(op)) {
    refuse(llvm::formatv("a weight of a '{0}' is computed", op ? op->getName().getStringRef() : "func.func"));
    return {};
  }
  for (Value operand : op->getOperands())
    if (!weightFor(operand))
      return {};
  builder.clone(*op, weights);
  return weights.lookup(value);
}

bool StepBuilder::convertRowwise(Operation *op) {
  IRMapping operands;
  for (Value operand : op->getOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    Value own = type && type.hasStaticShape() ? weightFor(operand) : rowsFor(operand);
    if (!own)
      return false;
    if (own.getType() != operand.getType())
      return refuse("a '" + op->getName().getStringRef() + "' has rows of a part of a token");
    operands.map(operand, own);
  }
  Operation *made = builder.clone(*op, operands);
  for (auto [old, result] : llvm::zip_equal(op->getResults(), made->getResults()))
    rows.seat(old, result);
  if (auto route = dyn_cast<moe::RouteOp>(made))
    choices.emplace_back(route.getIds(), "routing." + std::to_string(layers - 1));
  return true;
}

bool StepBuilder::convertNorm(moe::RMSNormOp norm) {
  Value weight = norm.getWeight() ? weightFor(norm.getWeight()) : Value();
  if (norm.getWeight() && !weight)
    return false;
  // Groups of columns may be rows of their own, and may have changed places.
  int64_t group = norm.getWeight() ? moe::widthOf(norm.getWeight().getType()) : int64_t(*norm.getGroup());
  auto create = [&](Value input) {
    return moe::RMSNormOp::create(builder, norm.getLoc(), input.getType(), input, weight, norm.getEpsilonAttr(),
                                  norm.getGroupAttr());
  };
  if (std::optional<Columns> columns = rows.rowsOf(norm.getInput())) {
    Value input = rowsWith(*columns, norm.getLoc());
    if (!input)
      return false;
    rows.seat(norm.getResult(), create(input));
    return true;
  }
  if (std::optional<Value> input = rows.shuffled(norm.getInput(), group)) {
    rows.seatLike(norm.getResult(), create(*input), norm.getInput());
    return true;
  }
  return rowsFor(norm.getInput()) != nullptr;
}

bool StepBuilder::convertRope(moe::RopeOp rope) {
  if (!rope.getCos())
    return refuse("a rotary embedding has a batch");
  std::optional<Columns> columns = rows.rowsOf(rope.getInput());
  if (!columns)
    return rowsFor(rope.getInput()) != nullptr;
  moe::RotaryAttr rotary = rope.getRotary();
  int64_t headDim = int64_t(rope.getHeadDim()), heads = int64_t(columns->size()) / headDim;
  Value from = columns->front().from;
  // Of one head, columns next to one another are rows of their own; of several, what turns may be a part of each.
  bool isWhole = rotary.getDims() == headDim;
  int64_t stride = headDim;
  SmallVector<int64_t> order;
  if (heads == 1 || runsOf(*columns).size() == 1) {
    Columns sorted(*columns);
    llvm::sort(sorted, [](const Column &a, const Column &b) { return a.index < b.index; });
    if (std::optional<SmallVector<int64_t>> found = orderInHeads(*columns, headDim, headDim))
      order = *found;
    int64_t first = sorted.front().index;
    for (int64_t &column : order)
      column -= first;
    from = rowsWith(sorted, rope.getLoc());
    if (!from)
      return false;
  } else {
    stride = isWhole ? moe::widthOf(from.getType()) / heads : headDim;
    if (std::optional<SmallVector<int64_t>> found = orderInHeads(*columns, headDim, stride))
      order = *found;
  }
  int64_t offset = order.empty() ? 0 : *llvm::min_element(order), half = headDim / 2;
  auto isOrder = [&](auto columnOf) {
    return llvm::all_of(llvm::enumerate(order),
                        [&](auto each) { return each.value() == offset + columnOf(int64_t(each.index())); });
  };
  auto layout = rotary.getLayout();
  if (isWhole && isOrder([&](int64_t j) { return j < half ? 2 * j : 2 * (j - half) + 1; }) && half > 1 &&
      layout == moe::RotaryLayout::Half)
    layout = moe::RotaryLayout::Interleaved;
  else if (order.empty() || !isOrder([](int64_t j) { return j; }))
    return refuse("a rotary embedding turns columns in an order that no layout is");
  if (moe::widthOf(from.getType()) % stride)
    return refuse("a rotary embedding turns parts of heads of different widths");
  auto hypothesis = moe::RotaryAttr::get(rotary.getContext(), rotary.getDims(), std::nullopt, layout, rotary.getOffset() + offset,
                                         rotary.getMultiplier(), rotary.getInverse(), {});
  RotaryMatch match = matchRotary(rope.getCos(), rope.getSin(), hypothesis, arguments);
  if (!match.rotary)
    return refuse(match.problem);
  if (moe::YarnAttr yarn = match.rotary.getYarn(); yarn && !llvm::is_contained(factors, double(yarn.getFactor())))
    factors.push_back(yarn.getFactor());
  Value turned = moe::RopeOp::create(builder, rope.getLoc(), from, batch, stride, match.rotary);
  if (from == columns->front().from) {
    rows.seatLike(rope.getResult(), turned, rope.getInput());
    return true;
  }
  SmallVector<int64_t> places;
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t column : order)
      places.push_back(head * stride + column);
  rows.seat(rope.getResult(), turned, places);
  return true;
}

bool StepBuilder::convertSum(linalg::GenericOp sum) {
  if (sum.getNumDpsInputs() != 2 || sum.getNumReductionLoops() || !rows.reaches(sum.getDpsInputs()[0]) ||
      !rows.reaches(sum.getDpsInputs()[1]))
    return true; // of something else
  for (OpOperand *operand : sum.getDpsInputOperands())
    if (!sum.getMatchingIndexingMap(operand).isIdentity())
      return refuse("a sum repeats one of its sides");
  Value left = rowsFor(sum.getDpsInputs()[0]), right = left ? rowsFor(sum.getDpsInputs()[1]) : Value();
  if (!right)
    return false;
  if (left.getType() != right.getType())
    return refuse("a sum has sides of different widths");
  rows.seat(sum.getResult(0), arith::AddFOp::create(builder, sum.getLoc(), left, right));
  return true;
}

FlatSymbolRefAttr StepBuilder::declareCache(StringRef name, int64_t width) {
  OpBuilder outside(step);
  std::string symbol = llvm::formatv("layers.{0}.{1}", layers, name);
  auto type = RankedTensorType::get({ShapedType::kDynamic, width}, builder.getF32Type());
  caches.push_back(moe::CacheOp::create(outside, NameLoc::get(builder.getStringAttr(symbol)), symbol, TypeAttr::get(type)));
  return FlatSymbolRefAttr::get(builder.getContext(), symbol);
}

/// Whether columns of heads are products with latents, then in each head the key that all share.
static bool areMadeOf(ArrayRef<Column> columns, Value latents, ArrayRef<Column> key) {
  auto isOfLatents = [&](const Column &column) {
    auto linear = column.from.getDefiningOp<moe::LinearOp>();
    return linear && linear.getInput() == latents;
  };
  size_t nope = 0;
  while (nope < columns.size() && isOfLatents(columns[nope]))
    ++nope;
  if (key.empty() || nope == 0)
    return nope == columns.size();
  size_t dim = nope + key.size();
  for (auto [index, column] : llvm::enumerate(columns))
    if (index % dim < nope ? !isOfLatents(column) : column != key[index % dim - nope])
      return false;
  return columns.size() % dim == 0;
}

bool StepBuilder::isPresent(Value result) {
  auto pasts = arguments.pasts();
  auto like = llvm::find_if(pasts, [&](Value past) { return past.getType() == result.getType(); });
  std::optional<Context> context = like != pasts.end() ? rows.contextOf(result, *like) : std::nullopt;
  if (!context || context->past.empty())
    return false;
  Value past = context->past.front().from;
  if (past.getType() != result.getType())
    return false;
  for (auto [index, column] : llvm::enumerate(context->past))
    if (column != Column{past, int64_t(index)})
      return false;
  if (auto heads = expanded.find(past); heads != expanded.end())
    return areMadeOf(context->fresh, heads->second.first, heads->second.second);
  auto known = appended.find(past);
  return known != appended.end() && known->second == context->fresh;
}

/// Has outputs gathered before the ops that make logits of the last residual.
void StepBuilder::gatherOutputs(Value logits) {
  OpOperand *read = nullptr;
  for (Value next = logits; Operation *op = next.getDefiningOp(); next = op->getOperand(0)) {
    if (!isa<moe::LinearOp, moe::RMSNormOp, moe::LayerNormOp>(op) || !(next == logits || next.hasOneUse()))
      break;
    read = &op->getOpOperand(0);
  }
  builder.setInsertionPoint(read->getOwner());
  // Weights are read right before.
  while (Operation *before = builder.getInsertionPoint()->getPrevNode()) {
    if (!isa<moe::GetWeightOp, moe::DequantizeOp>(before))
      break;
    builder.setInsertionPoint(before);
  }
  read->set(moe::GatherOutputsOp::create(builder, NameLoc::get(builder.getStringAttr("gather_outputs")), read->get().getType(),
                                         read->get(), batch));
}

bool StepBuilder::convertResults() {
  auto end = cast<func::ReturnOp>(function.getBody().front().getTerminator());
  Value logits;
  for (auto [index, result] : llvm::enumerate(end.getOperands())) {
    auto name = function.getResultAttrOfType<StringAttr>(unsigned(index), "moe.output");
    if (!name)
      return refuse("its output " + Twine(index) + " has no name");
    if (std::optional<Columns> columns = rows.rowsOf(result)) {
      Value found = rowsWith(*columns, result.getLoc());
      if (logits || !found || !found.getDefiningOp<moe::LinearOp>())
        return refuse("its output '" + name.getValue() + "' is neither logits nor what a later call takes");
      logits = found;
    } else if (!isPresent(result)) {
      return refuse("its output '" + name.getValue() + "' is neither logits nor what a later call takes");
    }
  }
  for (Value past : arguments.pasts())
    if (!appended.contains(past) && !expanded.contains(past))
      return refuse("an input that may be of the past is not what attention goes on with");
  if (!logits || layers == 0)
    return refuse("it has no logits of tokens that attend to one another");
  if (moe::widthOf(logits.getType()) != cast<RankedTensorType>(embedding.table.getType()).getDimSize(0))
    return refuse("it has as many logits as there are no tokens");
  gatherOutputs(logits);
  builder.setInsertionPointToEnd(&step.getBody().front());
  SmallVector<Value> results{logits};
  for (auto &[ids, name] : choices)
    results.push_back(ids);
  func::ReturnOp::create(builder, step.getLoc(), results);
  step.setType(builder.getFunctionType(step.getArgumentTypes(), ValueRange(results).getTypes()));
  step.setResultAttr(0, "moe.output", builder.getStringAttr("logits"));
  for (auto [index, choice] : llvm::enumerate(choices))
    step.setResultAttr(unsigned(index) + 1, "moe.output", builder.getStringAttr(choice.second));
  return true;
}
