// The passes to the LLVM dialect, and LLVM's own.
#include "lowering/kernel/LowerToLLVM.h"

#include "dialects/moe/MoE.h"
#include "dialects/plan/Plan.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;

/// The passes from emitted kernels to the LLVM dialect.
static void buildLowering(PassManager &passes) {
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createUBToLLVMConversionPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
}

void moec::lowering::loadKernelDialects(MLIRContext &context) {
  PassManager passes(&context);
  buildLowering(passes);
  DialectRegistry registry;
  passes.getDependentDialects(registry);
  registry.insert<moe::MoEDialect, plan::PlanDialect, arith::ArithDialect, cf::ControlFlowDialect, LLVM::LLVMDialect,
                  math::MathDialect, scf::SCFDialect, ub::UBDialect, vector::VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
  for (StringRef name : registry.getDialectNames())
    context.getOrLoadDialect(name);
}

LogicalResult moec::lowering::lowerToLLVM(ModuleOp module) {
  RewritePatternSet polynomials(module.getContext());
  populateMathPolynomialApproximationPatterns(polynomials, MathPolynomialApproximationOptions());
  FrozenRewritePatternSet frozen(std::move(polynomials));
  walkAndApplyPatterns(module, frozen);
  walkAndApplyPatterns(module, frozen); // a walk does not visit what it creates, and log1p becomes a log
  PassManager passes(module.getContext());
  passes.enableVerifier(false); // the emitters are tested; the last step's result is verified by its translation
  buildLowering(passes);
  if (failed(passes.run(module)))
    return failure();
  // What is said of a loop arrives at its branch as an attribute that the translation does not look at.
  module.walk([](LLVM::BrOp branch) {
    if (auto annotation = branch->getAttrOfType<LLVM::LoopAnnotationAttr>("llvm.loop_annotation"))
      branch.setLoopAnnotationAttr(annotation);
  });
  return success();
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine, Loops treatment) {
  llvm::PipelineTuningOptions tuning;
  tuning.SLPVectorization = tuning.LoopUnrolling = false;
  tuning.LoopVectorization = tuning.LoopInterleaving = treatment == Loops::Vectorize;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::TargetLibraryInfoImpl noLibrary(module.getTargetTriple());
  noLibrary.disableAllFunctions();
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(noLibrary); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

llvm::Expected<std::string> moec::lowering::compile(ModuleOp source, llvm::TargetMachine &machine, llvm::CodeGenFileType type,
                                                    Loops loops) {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(source, context, "kernels");
  if (!module)
    return llvm::createStringError("expected kernels that translate to LLVM IR");
  module->setTargetTriple(machine.getTargetTriple());
  module->setDataLayout(machine.createDataLayout());
  optimize(*module, machine, loops);

  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager codegen;
  if (machine.addPassesToEmitFile(codegen, stream, nullptr, type))
    return llvm::createStringError("expected a target that writes such files");
  codegen.run(*module);
  return std::string(bytes.begin(), bytes.end());
}
