// Finds routing and experts in a graph of upstream ops.
#include "passes/Remarks.h"
#include "passes/raise/Draft.h"
#include "passes/raise/ExpertTrial.h"
#include "passes/raise/Logits.h"
#include "passes/raise/Passes.h"
#include "passes/raise/Rows.h"
#include "passes/raise/Sizes.h"
#include "passes/raise/Trials.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_RAISEEXPERTS
#include "passes/raise/Passes.h.inc"

namespace {

bool isTensorOf(Type type, function_ref<bool(Type)> isElement) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isElement(tensor.getElementType());
}

class Search {
public:
  Search(func::FuncOp function, StringRef pass, evaluator::Budget &whole)
      : function(function), block(function.getBody().front()), flow(block), pass(pass),
        findings{evaluator::Budget(mostSteps, &whole)} {}

  /// Whether anything was raised.
  bool run();
  /// Erases what nothing reads of what was replaced, with all that was to hold within it.
  void eraseReplaced();

private:
  /// That looking for experts may take, so that where it is in vain something is left to find others with.
  static constexpr uint64_t mostSteps = uint64_t(1) << 28;

  /// The float tensor of which `op` makes integers; null for other ops.
  Value scoresOf(Operation *op) const;
  SmallVector<Value> outputsOf(const Flow::Cone &cone) const;
  /// Tries `logits`, which the integers that `chooser` makes come from.
  bool tryLogits(Value logits, Operation *chooser);
  bool tryOutput(Value logits, const Flow::Cone &cone, Value output);
  /// `left` counts those down that looked like experts.
  std::optional<RaisedExperts> trial(Value logits, Value input, Value output, unsigned &left);
  /// The output may be scaled behind the sum.
  void follow(Value logits, Value input, Value &output, RaisedExperts &raised);
  void replace(Value logits, Value output, const RaisedExperts &raised);

  func::FuncOp function;
  Block &block;
  Flow flow;
  StringRef pass;
  DenseSet<Value> tried;          ///< as logits
  DenseSet<Operation *> replaced; ///< ops that have nothing more to say
  ExpertFindings findings;
  std::string problem; ///< of the trial that came furthest
  unsigned progress = 0;
};

Value Search::scoresOf(Operation *op) const {
  if (isa<MoEDialect>(op->getDialect()) || !llvm::any_of(op->getResultTypes(), [](Type type) {
        return isTensorOf(type, [](Type element) { return element.isInteger() && !element.isInteger(1); });
      }))
    return {};
  for (Value read : flow.readBy(op))
    if (isTensorOf(read.getType(), llvm::IsaPred<FloatType>))
      return read;
  return {};
}

/// Rows in which what the cone leads to comes together, in order. Left out are partial sums: all that read them read more besides.
SmallVector<Value> Search::outputsOf(const Flow::Cone &cone) const {
  constexpr unsigned mostOpsInARow = 400;
  SmallVector<Value> values;
  DenseMap<Operation *, unsigned> reached; // by how many exits
  unsigned most = 0, inARow = 0;
  flow.visitBehind(cone.exits, [&](Operation *op, const llvm::BitVector &exits) {
    unsigned count = exits.count();
    reached[op] = count;
    inARow = count > most ? 0 : inARow + 1;
    most = std::max(most, count);
    for (Value result : op->getResults())
      if (rowWidth(result))
        values.push_back(result);
    return inARow < mostOpsInARow;
  });
  SmallVector<Value> outputs;
  for (Value value : values) {
    unsigned count = reached[value.getDefiningOp()];
    bool isPartial = false, isWhole = false;
    for (Operation *reader : flow.readersOf(value))
      (reached.lookup(reader) > count ? isPartial : isWhole) = true;
    if (isWhole || !isPartial)
      outputs.push_back(value);
  }
  return outputs;
}

std::optional<RaisedExperts> Search::trial(Value logits, Value input, Value output, unsigned &left) {
  ExpertTrial trial(logits, input, output, findings);
  std::optional<RaisedExperts> raised = trial.run();
  if (!raised && trial.progress() >= progress) {
    progress = trial.progress();
    problem = trial.problem();
  }
  if (!raised && trial.progress() > 0)
    --left;
  return raised;
}

void Search::follow(Value logits, Value input, Value &output, RaisedExperts &raised) {
  for (Value next = output;;) {
    SmallVector<Operation *> readers = flow.readersOf(next);
    // Once the old output has other readers, it has to be made anyway.
    llvm::erase_if(readers, [&](Operation *reader) { return llvm::is_contained(raised.ops, reader); });
    if (readers.size() != 1 || flow.readBy(readers.front()).size() != 1 || readers.front()->getNumResults() != 1 ||
        rowWidth(readers.front()->getResult(0)) != rowWidth(output))
      return;
    next = readers.front()->getResult(0);
    unsigned left = 0;
    std::optional<RaisedExperts> further = trial(logits, input, next, left);
    if (!further)
      return;
    for (Operation *op : llvm::reverse(raised.ops))
      op->erase();
    raised = std::move(*further);
    output = next;
  }
}

void Search::replace(Value logits, Value output, const RaisedExperts &raised) {
  for (Operation *op : raised.ops)
    flow.update(op);
  // What was to hold within the old ops holds no more of anything.
  DenseSet<Operation *> old(raised.old.begin(), raised.old.end());
  auto isOfOld = [&](Value condition) {
    SmallVector<Value> pending = {condition};
    DenseSet<Value> met;
    while (!pending.empty()) {
      Value value = pending.pop_back_val();
      Operation *op = value.getDefiningOp();
      if (!op || value == output || value == logits || !met.insert(value).second)
        continue;
      if (old.contains(op) && flow.isData(value))
        return true;
      llvm::append_range(pending, valuesReadBy(op));
    }
    return false;
  };
  for (auto assertion : llvm::make_early_inc_range(block.getOps<cf::AssertOp>()))
    if (isOfOld(assertion.getArg()))
      assertion.erase();
  replaced.insert_range(raised.old);
  output.replaceAllUsesWith(raised.output);
  remark::passed(raised.output.getLoc(), remarkOf(pass, raised.output.getDefiningOp()))
      << "found " << std::to_string(raised.experts) << " experts, of which " << std::to_string(raised.routing.getK())
      << " are chosen";
}

/// Whether `a` has as many rows as `b`, as far as that is known beforehand.
bool haveAsManyRows(Value a, Value b) {
  Sizes sizes({3, 5, 4, 2});
  std::optional<SmallVector<int64_t>> one = sizes.shape(a), other = sizes.shape(b);
  return !one || !other || countOf(ArrayRef(*one).drop_back()) == countOf(ArrayRef(*other).drop_back());
}

bool Search::tryOutput(Value logits, const Flow::Cone &cone, Value output) {
  if (!haveAsManyRows(output, logits))
    return false;
  // An input is behind few bottlenecks of a layer, and little that looks like experts is something else.
  unsigned left = 4, bottlenecks = 24;
  bool isDone = false;
  flow.visitBottlenecks(
      output, [&](Value value) { return cone.values.contains(value); },
      [&](Value input) {
        if (bottlenecks-- == 0)
          return false;
        if (input == output || !rowWidth(input) || !haveAsManyRows(input, logits))
          return true;
        if (std::optional<RaisedExperts> raised = trial(logits, input, output, left)) {
          follow(logits, input, output, *raised);
          replace(logits, output, *raised);
          isDone = true;
        }
        return !isDone && left > 0;
      });
  return isDone;
}

bool Search::tryLogits(Value logits, Operation *chooser) {
  Flow::Cone cone = flow.coneOf(logits);
  if (!llvm::is_contained(cone.ops, chooser) || cone.exits.empty())
    return false;
  return llvm::any_of(outputsOf(cone), [&](Value output) { return tryOutput(logits, cone, output); });
}

bool Search::run() {
  SmallVector<Operation *> choosers;
  for (Operation &op : block)
    if (scoresOf(&op))
      choosers.push_back(&op);
  bool isChanged = false;
  for (Operation *chooser : choosers) {
    if (replaced.contains(chooser))
      continue;
    problem.clear();
    progress = 0;
    bool isDone = false, isNew = false;
    for (Value logits : logitsOf(flow, scoresOf(chooser))) {
      if (!tried.insert(logits).second)
        continue;
      isNew = true;
      isDone = tryLogits(logits, chooser);
      if (isDone)
        break;
    }
    isChanged |= isDone;
    if (isNew && !isDone && progress > 0)
      remark::missed(chooser->getLoc(), remarkOf(pass, chooser)) << "no experts: " << problem;
  }
  return isChanged;
}

void Search::eraseReplaced() {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (op.use_empty() && (replaced.contains(&op) || isOpTriviallyDead(&op)))
      op.erase();
}

struct RaiseExperts : TryingPass<impl::RaiseExpertsBase<RaiseExperts>> {
  void runOnOperation() override {
    if (getOperation().isExternal() || !getOperation().getBody().hasOneBlock())
      return;
    Trials &trials = this->trials();
    Search search(getOperation(), getArgument(), trials.budget);
    if (search.run()) {
      search.eraseReplaced();
      eraseDead(getOperation());
    }
    trials.sayIfEnded(getOperation(), getArgument());
  }
};
} // namespace
} // namespace moec::passes
