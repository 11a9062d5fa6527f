// A part of a function, cut out to be evaluated by itself.
#include "passes/raise/Excerpt.h"
#include "dialects/moe/MoE.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"

#include "llvm/Support/Threading.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

SmallVector<Value> passes::valuesReadBy(Operation *op) {
  SetVector<Value> read;
  read.insert_range(op->getOperands());
  getUsedValuesDefinedAbove(op->getRegions(), read);
  return read.takeVector();
}

/// Whether `op` does nothing but make its results, and perhaps check something while it does.
static bool isComputation(Operation *op) {
  return !op->walk([](Operation *nested) {
              bool pure =
                  isa<cf::AssertOp>(nested) || nested->hasTrait<OpTrait::HasRecursiveMemoryEffects>() || isMemoryEffectFree(nested);
              return pure ? WalkResult::advance() : WalkResult::interrupt();
            }).wasInterrupted();
}

namespace {
/// Collects the ops between inputs and an output.
class Cut {
public:
  Cut(ArrayRef<Value> inputs) : inputs(inputs.begin(), inputs.end()) {}

  /// Whether `value` follows from the inputs, constants and integers that are known beforehand.
  bool add(Value value) {
    SmallVector<Value> pending = {value};
    while (!pending.empty()) {
      Value next = pending.pop_back_val();
      if (inputs.contains(next) || !seen.insert(next).second)
        continue;
      Operation *op = next.getDefiningOp();
      if (next.getType().isIntOrIndex() && !(op && op->hasTrait<OpTrait::ConstantLike>()) && !dependsOnInputs(next)) {
        numbers.push_back(next);
        continue;
      }
      if (!op || !isComputation(op))
        return false;
      ops.insert(op);
      llvm::append_range(pending, valuesReadBy(op));
    }
    return true;
  }

  SetVector<Operation *> ops;
  SmallVector<Value> numbers;

private:
  /// Sizes come from little; what comes from more than can be looked through is taken to depend on everything.
  bool dependsOnInputs(Value value) {
    constexpr size_t most = 4096;
    SmallVector<Value> pending = {value};
    DenseSet<Value> met;
    while (!pending.empty()) {
      Value next = pending.pop_back_val();
      if (inputs.contains(next) || met.size() == most)
        return true;
      Operation *op = next.getDefiningOp();
      if (!op || !met.insert(next).second)
        continue;
      if (auto dim = dyn_cast<tensor::DimOp>(op); dim && inputs.contains(dim.getSource()))
        continue; // an input's own size
      llvm::append_range(pending, valuesReadBy(op));
    }
    return false;
  }

  SmallPtrSet<Value, 8> inputs;
  DenseSet<Value> seen;
};
} // namespace

std::optional<Between> passes::opsBetween(ArrayRef<Value> inputs, Value output) {
  Cut cut(inputs);
  if (!cut.add(output))
    return std::nullopt;
  Between between{cut.ops.takeVector(), std::move(cut.numbers)};
  llvm::sort(between.ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return between;
}

/// Whether single elements are all that is read of it.
static bool isReadByElements(Value table) {
  return llvm::all_of(table.getUsers(), [](Operation *user) { return isa<tensor::ExtractOp>(user); });
}

/// Has what is looked at as wider floats be read as what it is.
static void seeAsStored(moe::GetWeightOp get, Type stored) {
  Value narrow = get.getResult();
  auto wide = cast<RankedTensorType>(get.getType());
  bool byElements = isReadByElements(narrow);
  narrow.setType(wide.clone(stored));
  OpBuilder builder(get->getContext());
  auto widen = [&](Value value, Type type) {
    builder.setInsertionPointAfterValue(value);
    Value widened = arith::ExtFOp::create(builder, get.getLoc(), type, value);
    value.replaceAllUsesExcept(widened, widened.getDefiningOp());
  };
  if (!byElements)
    return widen(narrow, wide);
  for (Operation *user : narrow.getUsers()) {
    user->getResult(0).setType(stored);
    widen(user->getResult(0), wide.getElementType());
  }
}

/// As much of a weight as it takes to look at it: the leading rows of a table, of which single elements are read, for to read
/// beyond them fails. Nothing where that is too much.
static std::optional<RankedTensorType> readPart(moe::GetWeightOp get) {
  constexpr int64_t most = 1 << 23; // elements
  auto type = cast<RankedTensorType>(get.getType());
  if (!isa<FloatType, IntegerType>(type.getElementType()))
    return std::nullopt;
  int64_t elements = countOf(type.getShape());
  if (elements <= most)
    return type;
  int64_t rows = most / (elements / type.getDimSize(0));
  if (rows == 0 || !isReadByElements(get.getResult()))
    return std::nullopt;
  SmallVector<int64_t> dims(type.getShape());
  dims[0] = rows;
  return type.clone(dims);
}

/// Has `weight` be its leading rows; whether it can be.
static bool cutTo(moe::WeightOp weight, RankedTensorType type) {
  auto whole = cast<RankedTensorType>(weight.getType());
  if (whole.getShape() == type.getShape())
    return true;
  auto slice = weight.getSlices().size() == 1 ? dyn_cast<moe::SliceAttr>(weight.getSlices()[0]) : moe::SliceAttr();
  if (!slice || slice.getTimes() != 1 || slice.isStrided() || slice.getRows() < type.getDimSize(0))
    return false;
  Builder builder(weight.getContext());
  slice = moe::SliceAttr::get(weight.getContext(), slice.getTensor(), slice.getFile(), slice.getOffset(), type.getDimSize(0));
  weight.setSlicesAttr(builder.getArrayAttr(slice));
  weight.setTypeAttr(TypeAttr::get(whole.clone(type.getShape())));
  return true;
}

bool Excerpt::takeWeights(ModuleOp original) {
  if (auto folder = original->getAttr("moe.folder"))
    (*module)->setAttr("moe.folder", folder);
  OpBuilder builder = OpBuilder::atBlockBegin(module->getBody());
  return !function
              .walk([&](moe::GetWeightOp get) {
                auto weight = SymbolTable::lookupNearestSymbolFrom<moe::WeightOp>(original, get.getWeightAttr());
                std::optional<RankedTensorType> part = readPart(get);
                if (!tables || !weight || !part)
                  return WalkResult::interrupt();
                auto own = module->lookupSymbol<moe::WeightOp>(get.getWeight());
                if (!own)
                  own = cast<moe::WeightOp>(builder.clone(*weight));
                if (!cutTo(own, *part))
                  return WalkResult::interrupt();
                get.getResult().setType(*part);
                if (auto stored = own->getAttrOfType<TypeAttr>("moe.stored_as")) {
                  own.setTypeAttr(TypeAttr::get(part->clone(stored.getValue())));
                  seeAsStored(get, stored.getValue());
                }
                return WalkResult::advance();
              })
              .wasInterrupted();
}

std::optional<Excerpt> Excerpt::make(Value output, ArrayRef<Value> inputs, evaluator::Budget *budget, evaluator::Weights *tables) {
  std::optional<Between> between = opsBetween(inputs, output);
  if (!between)
    return std::nullopt;

  OpBuilder builder(output.getContext());
  Location loc = output.getLoc();
  Excerpt excerpt;
  excerpt.budget = budget;
  excerpt.tables = tables;
  excerpt.module = ModuleOp::create(loc);
  builder.setInsertionPointToStart(excerpt.module->getBody());
  SmallVector<Type> types(ValueRange(inputs).getTypes());
  excerpt.function = func::FuncOp::create(builder, loc, "excerpt", builder.getFunctionType(types, output.getType()));
  Block *body = excerpt.function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  IRMapping copies;
  for (auto [input, argument] : llvm::zip(inputs, body->getArguments()))
    copies.map(input, argument);
  // Stand-ins for integers, of which those that turn out to be read become constants.
  for (Value number : between->numbers)
    copies.map(number, body->addArgument(number.getType(), loc));
  for (Operation *op : between->ops)
    builder.clone(*op, copies);
  func::ReturnOp::create(builder, loc, copies.lookup(output));
  // Constants within regions were copied with them.
  for (auto [input, argument] : llvm::zip(inputs, body->getArguments()))
    if (Value copy = copies.lookup(input); copy != argument)
      copy.replaceAllUsesWith(argument);
  IRRewriter rewriter(builder.getContext());
  (void)runRegionDCE(rewriter, excerpt.function->getRegions());
  builder.setInsertionPointToStart(body);
  for (Value number : between->numbers) {
    Value standIn = copies.lookup(number);
    if (!standIn.use_empty()) {
      auto constant = arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(number.getType(), 0));
      standIn.replaceAllUsesWith(constant);
      excerpt.numbers.push_back({number, constant});
    }
    body->eraseArgument(cast<BlockArgument>(standIn).getArgNumber());
  }
  auto original = output.getParentRegion()->getParentOfType<ModuleOp>();
  return original && !excerpt.takeWeights(original) ? std::nullopt : std::optional(std::move(excerpt));
}

std::optional<evaluator::Tensor> Excerpt::evaluate(ArrayRef<evaluator::Tensor> inputs, Sizes &sizes) {
  Builder builder(function.getContext());
  for (auto &[original, constant] : numbers) {
    std::optional<int64_t> number = sizes.number(original);
    if (!number)
      return std::nullopt;
    constant.setValueAttr(builder.getIntegerAttr(original.getType(), *number));
  }
  // Not to be able to evaluate is an answer, not an error; what other threads report meanwhile is not ours to silence.
  ScopedDiagnosticHandler silence(
      function.getContext(), [thread = llvm::get_threadid()](Diagnostic &) { return success(llvm::get_threadid() == thread); });
  evaluator::Weights none{evaluator::WeightOptions()};
  evaluator::Caches caches;
  std::vector<evaluator::Argument> arguments(inputs.begin(), inputs.end());
  FailureOr<std::vector<evaluator::Tensor>> results =
      evaluator::evaluate(function, arguments, tables ? *tables : none, caches, /*trace=*/nullptr, budget ? budget : &own);
  if (failed(results))
    return std::nullopt;
  return std::move(results->front());
}

unsigned Excerpt::precision() {
  unsigned bits = 24;
  function.walk([&](Operation *op) {
    // Constants may be looked at as wider floats than they are stored as.
    if (auto stored = op->getAttrOfType<TypeAttr>("moe.stored_as"))
      bits = std::min(bits, cast<FloatType>(stored.getValue()).getFPMantissaWidth());
    for (Type type : op->getResultTypes())
      if (auto element = dyn_cast<FloatType>(getElementTypeOrSelf(type)))
        bits = std::min(bits, element.getFPMantissaWidth());
  });
  return bits;
}

std::string Excerpt::text() {
  std::string text;
  llvm::raw_string_ostream stream(text);
  // Whatever sizes it was evaluated at before.
  Builder builder(function.getContext());
  for (auto &[original, constant] : numbers)
    constant.setValueAttr(builder.getIntegerAttr(original.getType(), 0));
  function.print(stream, OpPrintingFlags().elideLargeElementsAttrs(std::numeric_limits<int64_t>::max()));
  return text;
}

std::string Excerpt::numbersAt(Sizes &sizes) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  for (auto &[original, constant] : numbers)
    if (std::optional<int64_t> number = sizes.number(original))
      stream << *number << ' ';
    else
      stream << "? ";
  return text;
}

std::string Excerpt::key() {
  std::string text = this->text();
  llvm::raw_string_ostream stream(text);
  for (auto &[original, constant] : numbers)
    stream << original.getAsOpaquePointer() << ' ';
  return text;
}
