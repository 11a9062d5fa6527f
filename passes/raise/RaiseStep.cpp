// Makes a step over a batch of a decoder that a graph's function is.
#include "passes/Remarks.h"
#include "passes/raise/Draft.h"
#include "passes/raise/Passes.h"
#include "passes/raise/StepBuilder.h"

#include "dialects/moe/Functions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;

namespace moec::passes {
#define GEN_PASS_DEF_RAISESTEP
#include "passes/raise/Passes.h.inc"

namespace {

struct RaiseStep : impl::RaiseStepBase<RaiseStep> {
  using RaiseStepBase::RaiseStepBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto functions = llvm::to_vector(module.getOps<func::FuncOp>());
    if (functions.size() != 1 || !moe::isOfFunctions(module) || !functions.front().getBody().hasOneBlock())
      return;
    func::FuncOp function = functions.front();
    if (!findEmbedding(function))
      return; // no language model
    // Looked at in a copy, in which sizes and what is the same in all layers are made alike.
    OpBuilder builder(function);
    auto copy = cast<func::FuncOp>(builder.clone(*function));
    Embedding embedding = *findEmbedding(copy);
    const int64_t vocabulary = cast<RankedTensorType>(embedding.table.getType()).getDimSize(0);
    std::string problem;
    func::FuncOp step;
    for (const StepArguments &arguments : StepArguments::guesses(copy, embedding.ids, problem)) {
      arguments.readSizesOfArguments(copy);
      eraseDead(copy);
      StepBuilder attempt(copy, embedding, arguments);
      step = attempt.build();
      if (step)
        break;
      if (problem.empty())
        problem = attempt.problem();
    }
    copy.erase();
    if (!step) {
      remark::missed(function.getLoc(), remarkOf(getArgument(), function)) << "a language model stays a function: " << problem;
      return;
    }
    remark::passed(function.getLoc(), remarkOf(getArgument(), function)) << "a decoder's step over a batch";
    function.erase();
    finish(step, vocabulary);
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
