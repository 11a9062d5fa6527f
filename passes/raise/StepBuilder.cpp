// Builds the step that a decoder's function is, op by op.
#include "passes/raise/StepBuilder.h"
#include "passes/raise/Flow.h"
#include "passes/raise/Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::passes;

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
  if (computes<arith::MulFOp>(op) || computes<arith::DivFOp>(op))
    return convertMultiple(cast<linalg::GenericOp>(op));
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

Value StepBuilder::rowsFor(Value value, Tokens *tokens) {
  std::optional<Columns> columns = rows.rowsOf(value, tokens);
  if (columns)
    return rowsWith(*columns, value.getLoc());
  Operation *maker = makerOf(value);
  auto node = maker ? dyn_cast<NameLoc>(maker->getLoc()) : NameLoc();
  refuse("a '" + (maker ? maker->getName().getStringRef() : "func.func") + "'" +
         (node ? " of " + node.getName().getValue() : Twine()) + " has no form in a step");
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
  std::optional<Tokens> all;
  for (Value operand : op->getOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    bool isStored = type && type.hasStaticShape();
    Tokens tokens = Tokens::All;
    Value own = isStored ? weightFor(operand) : rowsFor(operand, &tokens);
    if (!own)
      return false;
    if (!isStored && all.value_or(tokens) != tokens)
      return refuse("a '" + op->getName().getStringRef() + "' has rows of all tokens and of the last ones");
    if (!isStored)
      all = tokens;
    if (own.getType() != operand.getType())
      return refuse("a '" + op->getName().getStringRef() + "' has rows of a part of a token");
    operands.map(operand, own);
  }
  Operation *made = builder.clone(*op, operands);
  for (auto [old, result] : llvm::zip_equal(op->getResults(), made->getResults()))
    rows.seat(old, result, all.value_or(Tokens::All));
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
  Tokens tokens = Tokens::All;
  if (std::optional<Columns> columns = rows.rowsOf(norm.getInput(), &tokens)) {
    Value input = rowsWith(*columns, norm.getLoc());
    if (!input)
      return false;
    rows.seat(norm.getResult(), create(input), tokens);
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
  RotaryMatch match = matchRotary(rope.getCos(), rope.getSin(), hypothesis, arguments, turns);
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

/// The only number in `value`, a constant.
static std::optional<double> onlyNumber(Value value) {
  DenseFPElementsAttr constant;
  if (!matchPattern(value, m_Constant(&constant)) || constant.getNumElements() != 1)
    return std::nullopt;
  llvm::APFloat number = *constant.begin();
  bool loses;
  number.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &loses);
  return number.isFinite() ? std::optional(number.convertToDouble()) : std::nullopt;
}

/// Rows by a number: an activation of the identity, whose other side stands for the number.
bool StepBuilder::convertMultiple(linalg::GenericOp product) {
  if (product.getNumDpsInputs() != 2 || product.getNumReductionLoops())
    return true;
  bool isQuotient = computes<arith::DivFOp>(product);
  std::optional<double> right = onlyNumber(product.getDpsInputs()[1]),
                        left = right || isQuotient ? std::nullopt : onlyNumber(product.getDpsInputs()[0]);
  unsigned side = right ? 0 : 1;
  Operation *inner = onlyOpOf(product);
  if ((!right && !left) || !product.getMatchingIndexingMap(product.getDpsInputOperand(side)).isIdentity() ||
      inner->getOperand(side) != product.getBody()->getArgument(side))
    return true;
  Value value = product.getDpsInputs()[side];
  double factor = right ? (isQuotient ? 1 / *right : *right) : *left;
  if (!rows.reaches(value) || !std::isfinite(factor) || factor == 0)
    return true; // of something else
  Tokens tokens = Tokens::All;
  Value own = rowsFor(value, &tokens);
  if (!own)
    return false;
  auto number = moe::ActivationAttr::get(builder.getContext(), moe::ActivationKind::Identity, moe::F64(1.0), std::nullopt,
                                         /*up_limit=*/moe::F64(0.0), moe::F64(factor));
  rows.seat(product.getResult(0), moe::ActivateOp::create(builder, product.getLoc(), own.getType(), own, own, number), tokens);
  return true;
}

bool StepBuilder::convertSum(linalg::GenericOp sum) {
  if (sum.getNumDpsInputs() != 2 || sum.getNumReductionLoops() || !rows.reaches(sum.getDpsInputs()[0]) ||
      !rows.reaches(sum.getDpsInputs()[1]))
    return true; // of something else
  for (OpOperand *operand : sum.getDpsInputOperands())
    if (!sum.getMatchingIndexingMap(operand).isIdentity())
      return refuse("a sum repeats one of its sides");
  Tokens ofLeft = Tokens::All, ofRight = Tokens::All;
  Value left = rowsFor(sum.getDpsInputs()[0], &ofLeft), right = left ? rowsFor(sum.getDpsInputs()[1], &ofRight) : Value();
  if (!right)
    return false;
  if (ofLeft != ofRight)
    return refuse("a sum has rows of all tokens and of the last ones");
  if (left.getType() != right.getType())
    return refuse("a sum has sides of different widths");
  rows.seat(sum.getResult(0), arith::AddFOp::create(builder, sum.getLoc(), left, right), ofLeft);
  return true;
}

FlatSymbolRefAttr StepBuilder::declareCache(StringRef name, int64_t width) {
  OpBuilder outside(step);
  std::string symbol = llvm::formatv("layers.{0}.{1}", layers, name);
  auto type = RankedTensorType::get({ShapedType::kDynamic, width}, builder.getF32Type());
  caches.push_back(moe::CacheOp::create(outside, NameLoc::get(builder.getStringAttr(symbol)), symbol, TypeAttr::get(type)));
  return FlatSymbolRefAttr::get(builder.getContext(), symbol);
}

const WeightView *StepBuilder::viewOf(Value weight) {
  auto get = weight.getDefiningOp<moe::GetWeightOp>();
  if (!get)
    return nullptr;
  auto stored = SymbolTable::lookupNearestSymbolFrom<moe::WeightOp>(function, get.getWeightAttr());
  auto [entry, isNew] = views.try_emplace(stored);
  if (isNew)
    entry->second = WeightView::of(stored);
  return entry->second ? &*entry->second : nullptr;
}

/// Whether columns of heads are products of the latents with the rows that attention multiplies them with, and then in each head
/// the key that all share.
bool StepBuilder::areMadeOf(ArrayRef<Column> columns, const Expansion &heads) {
  auto type = cast<RankedTensorType>(heads.up.getType());
  const WeightView *up = viewOf(heads.up);
  int64_t own = type.getDimSize(1), latent = type.getDimSize(2), dim = own + int64_t(heads.key.size());
  if (!up || int64_t(columns.size()) != type.getDimSize(0) * dim)
    return false;
  for (auto [index, column] : llvm::enumerate(columns)) {
    int64_t head = int64_t(index) / dim, place = int64_t(index) % dim;
    if (place >= own) {
      if (column != heads.key[size_t(place - own)])
        return false;
      continue;
    }
    auto linear = column.from.getDefiningOp<moe::LinearOp>();
    const WeightView *weight = linear ? viewOf(linear.getWeight()) : nullptr;
    if (!weight || linear.getInput() != heads.latents || linear.getBias() || linear.getResidual() ||
        weight->type().getElementType() != type.getElementType())
      return false;
    // Elements of a row lie evenly: where the first and the last lie, the others do.
    for (int64_t element : {int64_t(0), latent - 1}) {
      std::optional<WeightView::Place> there = weight->placeOf({column.index, element});
      if (!there || there != up->placeOf({head, place, element}))
        return false;
    }
  }
  return true;
}

bool StepBuilder::isPresent(Value result) {
  auto pasts = arguments.pasts();
  auto isLike = [&](Value past) {
    return getElementTypeOrSelf(past) == getElementTypeOrSelf(result) &&
           succeeded(verifyCompatibleShape(past.getType(), result.getType()));
  };
  auto like = llvm::find_if(pasts, isLike);
  if (like == pasts.end())
    return false;
  std::optional<Context> context = rows.contextOf(result, *like);
  bool isRolled = !context;
  if (isRolled)
    context = rows.contextOf(result, *like, StepRows::Held::Last);
  if (!context || context->past.empty())
    return false;
  Value past = context->past.front().from;
  // What a window sees is there as well in a cache that holds everything.
  if (!isLike(past) || (isRolled && !windowed.contains(past)))
    return false;
  for (auto [index, column] : llvm::enumerate(context->past))
    if (column != Column{past, int64_t(index)})
      return false;
  if (auto heads = expanded.find(past); heads != expanded.end())
    return areMadeOf(context->fresh, heads->second);
  auto known = appended.find(past);
  return known != appended.end() && known->second == context->fresh;
}

/// The product that `logits` are, or are a multiple of; null where they are neither.
static moe::LinearOp headOf(Value logits) {
  auto multiple = logits.getDefiningOp<moe::ActivateOp>();
  if (!multiple || multiple.getGate() != multiple.getUp())
    return logits.getDefiningOp<moe::LinearOp>();
  bool isOnlyReader = llvm::all_of(multiple.getGate().getUsers(), [&](Operation *user) { return user == multiple; });
  return isOnlyReader ? multiple.getGate().getDefiningOp<moe::LinearOp>() : moe::LinearOp();
}

/// Has outputs gathered before the ops that make logits of the last residual.
void StepBuilder::gatherOutputs(Value logits) {
  OpOperand *read = nullptr;
  logits = headOf(logits);
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
    Tokens tokens = Tokens::All;
    if (std::optional<Columns> columns = rows.rowsOf(result, &tokens)) {
      Value found = rowsWith(*columns, result.getLoc());
      if (logits || !found || !headOf(found))
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
