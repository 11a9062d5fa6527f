// Makes a step over a batch of a decoder that a graph's function is.
#include "passes/Remarks.h"
#include "passes/raise/Draft.h"
#include "passes/raise/Passes.h"
#include "passes/raise/StepBuilder.h"
#include "passes/raise/Trials.h"

#include "dialects/moe/Functions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;

namespace moec::passes {
#define GEN_PASS_DEF_RAISESTEP
#include "passes/raise/Passes.h.inc"

namespace {

/// What tables of angles or masks may take while they are looked at.
constexpr size_t mostBytes = size_t(1) << 28;

struct RaiseStep : impl::RaiseStepBase<RaiseStep> {
  using RaiseStepBase::RaiseStepBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto functions = llvm::to_vector(module.getOps<func::FuncOp>());
    if (functions.size() != 1 || !moe::isOfFunctions(module) || !functions.front().getBody().hasOneBlock())
      return;
    func::FuncOp function = functions.front();
    std::string problem;
    std::optional<Embedding> found = findEmbedding(function, problem);
    if (!found) { // no language model
      if (!problem.empty())
        remark::missed(function.getLoc(), remarkOf(getArgument(), function)) << "a language model stays a function: " << problem;
      return;
    }
    fixAssertedSizes(function);
    auto given = module->getAttrOfType<IntegerAttr>("moe.max_positions");
    const int64_t vocabulary = cast<RankedTensorType>(found->table.getType()).getDimSize(0);
    std::optional<Trials> own;
    Trials &trials = trialsOf(function, getCachedAnalysis<SharedTrials>(), own);
    evaluator::Weights tables({evaluator::WeightOptions::Source::Files, /*seed=*/0, mostBytes});
    func::FuncOp step;
    bool isLast = false;
    for (size_t choice = 0; !step && !isLast; ++choice)
      step = attempt(function, choice, {&trials.budget, &tables, given ? given.getInt() : int64_t(positions)}, isLast, problem);
    trials.sayIfEnded(function, getArgument());
    if (!step) {
      remark::missed(function.getLoc(), remarkOf(getArgument(), function)) << "a language model stays a function: " << problem;
      return;
    }
    remark::passed(function.getLoc(), remarkOf(getArgument(), function)) << "a decoder's step over a batch";
    function.erase();
    finish(step, vocabulary);
    narrowWeights();
  }

  /// Has weights that were looked at as wider floats be what they are: moe ops read them as well.
  void narrowWeights() {
    ModuleOp module = getOperation();
    module->removeAttr("moe.widened");
    SymbolTable symbols(module);
    module.walk([&](moe::GetWeightOp get) {
      auto stored = symbols.lookup<moe::WeightOp>(get.getWeight())->getAttrOfType<TypeAttr>("moe.stored_as");
      if (stored)
        get.getResult().setType(cast<RankedTensorType>(get.getType()).clone(stored.getValue()));
    });
    for (auto weight : module.getOps<moe::WeightOp>())
      if (auto stored = weight->getAttrOfType<TypeAttr>("moe.stored_as")) {
        weight->setAttr(weight.getTypeAttrName(), TypeAttr::get(cast<RankedTensorType>(weight.getType()).clone(stored.getValue())));
        weight->removeAttr("moe.stored_as");
      }
  }

  /// Takes the arguments in the way that comes as number `choice`, and as the last one or behind it. Looks at a copy, in which
  /// sizes and what is the same in all layers are made alike: they are so for this choice alone.
  func::FuncOp attempt(func::FuncOp function, size_t choice, Means means, bool &isLast, std::string &problem) {
    OpBuilder builder(function);
    auto copy = cast<func::FuncOp>(builder.clone(*function));
    std::string ignored;
    Embedding embedding = *findEmbedding(copy, ignored);
    std::vector<StepArguments> guesses = StepArguments::guesses(copy, embedding.ids, means, problem);
    isLast = choice + 1 >= guesses.size();
    func::FuncOp step;
    if (choice < guesses.size()) {
      const StepArguments &arguments = guesses[choice];
      arguments.readSizesOfArguments(copy);
      eraseDead(copy);
      StepBuilder steps(copy, embedding, arguments);
      step = steps.build();
      if (!step && problem.empty())
        problem = steps.problem();
    }
    copy.erase();
    return step;
  }

  void finish(func::FuncOp step, int64_t vocabulary) {
    ModuleOp module = getOperation();
    Builder builder(module.getContext());
    eraseDead(step);
    module->setAttr("moe.vocabulary", builder.getI64IntegerAttr(vocabulary));
    if (!module->hasAttr("moe.max_positions"))
      module->setAttr("moe.max_positions", builder.getI64IntegerAttr(positions));
    // What lies beside a graph may speak of tokens that it has no logits for.
    if (auto bos = module->getAttrOfType<IntegerAttr>("moe.bos"); bos && bos.getInt() >= vocabulary)
      module->removeAttr("moe.bos");
    SmallVector<int64_t> eos;
    if (auto ids = module->getAttrOfType<ArrayAttr>("moe.eos"))
      for (auto id : ids.getAsRange<IntegerAttr>())
        if (id.getInt() < vocabulary)
          eos.push_back(id.getInt());
    module->setAttr("moe.eos", builder.getI64ArrayAttr(eos));
  }
};

} // namespace
} // namespace moec::passes
