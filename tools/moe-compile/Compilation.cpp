// One compilation: a module on its way through the phases.
#include "tools/moe-compile/Compilation.h"

#include "dialects/moe/Functions.h"
#include "dialects/plan/Functions.h"
#include "lowering/nvptx/Assembler.h"
#include "lowering/nvptx/CodeGenerator.h"
#include "lowering/plan/Passes.h"
#include "lowering/x86/CodeGenerator.h"
#include "passes/FunctionPipeline.h"
#include "tools/Import.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"

using namespace llvm;
using namespace moec;
using namespace moec::compile;

Error Compilation::load() {
  if (!StringRef(options.input).ends_with(".mlir")) {
    if (options.from != Phase::Import)
      return createStringError("--from expects a FILE.mlir, got '" + options.input + "'");
    Expected<mlir::OwningOpRef<mlir::ModuleOp>> imported = tools::importModel(options.input, context, options.raise);
    if (!imported)
      return imported.takeError();
    ir = std::move(*imported);
    return Error::success();
  }
  ir = mlir::parseSourceFile<mlir::ModuleOp>(options.input, mlir::ParserConfig(&context));
  if (!ir)
    return createStringError(options.input + ": not a module of this compiler");
  return Error::success();
}

Error Compilation::runPasses(StringRef phase, function_ref<void(mlir::OpPassManager &)> build) {
  mlir::PassManager passes(&context);
  mlir::applyDefaultTimingPassManagerCLOptions(passes);
  build(passes);
  // Verified once, behind the last phase: after every pass it would cost a tenth of a large model's compile time. moe-opt does.
  passes.enableVerifier(false);
  if (failed(passes.run(*ir)))
    return createStringError(options.input + ": the phase '" + phase + "' does not apply");
  return Error::success();
}

Error Compilation::advance(Phase last) {
  auto pending = [&](Phase phase) { return options.from < phase && phase <= last; };
  if (pending(Phase::Normalize))
    if (Error error = runPasses("normalize", passes::buildNormalize))
      return error;
  if (pending(Phase::Optimize) && moe::isOfFunctions(*ir)) {
    if (Error error = runPasses("optimize", passes::buildOptimizeFunctions))
      return error;
  } else if (pending(Phase::Optimize)) {
    passes::OptimizeOptions optimize;
    optimize.compute = options.compute;
    optimize.weightFormat = options.weightFormat;
    if (Error error = runPasses("optimize", [&](mlir::OpPassManager &passes) { passes::buildOptimize(passes, optimize); }))
      return error;
  }
  if (pending(Phase::Plan) && moe::isOfFunctions(*ir)) {
    if (Error error = runPasses("plan", lowering::buildPlanFunctions))
      return error;
  } else if (pending(Phase::Plan)) {
    lowering::PlanOptions plan;
    plan.maxSequence = options.maxSequence;
    plan.maxBatch = options.maxBatch;
    plan.maxTokens = options.maxTokens;
    if (Error error = runPasses("plan", [&](mlir::OpPassManager &passes) { lowering::buildPlan(passes, plan); }))
      return error;
  }
  if (failed(mlir::verify(*ir)))
    return createStringError(options.input + ": the phases gave a module that is not valid; this is a fault of the compiler");
  // Code is no IR: it is generated again for a plan that has been through here before.
  return last >= Phase::Codegen ? generateCode() : Error::success();
}

Error Compilation::generateCode() {
  auto doesNotApply = [&] { return createStringError(options.input + ": the phase 'codegen' does not apply"); };
  if (auto functions = ir->getOps<plan::FunctionOp>(); !functions.empty() && !options.gpuTargets.empty())
    return createStringError("function '" + (*functions.begin()).getSymName() +
                             "': code for GPUs is of language models' steps alone; compile it with --target x86-64");
  if (!options.x86Targets.empty()) {
    FailureOr<std::vector<lowering::CodeVariant>> generated = lowering::x86::generateCode(*ir, options.x86Targets);
    if (failed(generated))
      return doesNotApply();
    variants = std::move(*generated);
  }
  FailureOr<std::vector<lowering::GpuCode>> generated = lowering::nvptx::generateCode(*ir, options.gpuTargets);
  if (failed(generated))
    return doesNotApply();
  gpus = std::move(*generated);
  for (lowering::GpuCode &code : gpus)
    if (Error error = assemble(code))
      return error;
  return Error::success();
}

/// Machine code for those of --chip that run `code`.
Error Compilation::assemble(lowering::GpuCode &code) {
  SmallVector<StringRef> kernels;
  for (auto kernel : ir->getOps<plan::KernelOp>())
    kernels.push_back(kernel.getSymName());
  for (const lowering::LaunchChain &chain : code.chains)
    kernels.push_back(chain.name);
  const lowering::nvptx::Target &target = *lowering::nvptx::findTarget(code.target);
  SmallVector<StringRef> chips;
  for (const std::string &chip : options.chips)
    if (llvm::is_contained(target.chips, StringRef(chip)) && !llvm::is_contained(chips, StringRef(chip)))
      chips.push_back(chip);
  auto assembled = lowering::nvptx::assemble(options.assembler, code, chips, kernels);
  if (!assembled)
    return createStringError(code.target + ": " + toString(assembled.takeError()));
  code.chips = std::move(*assembled);
  return Error::success();
}
