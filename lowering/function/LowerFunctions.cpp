// From functions of a plan to functions in the LLVM dialect, a step a line.
#include "lowering/function/LowerFunctions.h"

#include "dialects/plan/Functions.h"
#include "lowering/function/ArrangeLoops.h"
#include "lowering/function/Boundary.h"
#include "lowering/function/ExpandMath.h"
#include "lowering/function/ExpandShapes.h"
#include "lowering/function/OutlineLoops.h"
#include "lowering/function/RuntimeChecks.h"
#include "lowering/loops/Loops.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;

/// The functions of `plan` as functions of tensors whose arguments nobody writes.
static OwningOpRef<ModuleOp> copyFunctions(ModuleOp plan) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(plan.getLoc());
  auto builder = OpBuilder::atBlockEnd(module->getBody());
  for (auto source : plan.getOps<plan::FunctionOp>()) {
    auto type = builder.getFunctionType(source.getBody().getArgumentTypes(), source.getResults().getTypes());
    auto function = func::FuncOp::create(builder, source.getLoc(), source.getSymName(), type);
    IRMapping mapping;
    source.getBody().cloneInto(&function.getBody(), mapping);
    Operation *end = function.getBody().front().getTerminator();
    OpBuilder atEnd(end);
    func::ReturnOp::create(atEnd, end->getLoc(), end->getOperands());
    end->erase();
    for (unsigned index = 0; index < function.getNumArguments(); ++index)
      function.setArgAttr(index, "bufferization.writable", builder.getBoolAttr(false));
  }
  return module;
}

static LogicalResult run(ModuleOp module, llvm::function_ref<void(PassManager &)> build) {
  PassManager passes(module.getContext());
  build(passes);
  return passes.run(module);
}

static LogicalResult bufferize(ModuleOp module) {
  bufferization::OneShotBufferizationOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.setFunctionBoundaryTypeConversion(bufferization::LayoutMapOption::IdentityLayoutMap);
  options.allowReturnAllocsFromLoops = true;
  bufferization::BufferizationState state;
  return bufferization::runOneShotModuleBufferize(module, options, state);
}

/// A copy becomes a loop like every other: code calls nothing for it.
static void expandCopies(ModuleOp module) {
  module.walk([](memref::CopyOp copy) {
    OpBuilder builder(copy);
    linalg::CopyOp::create(builder, copy.getLoc(), copy.getSource(), copy.getTarget());
    copy.erase();
  });
}

/// Choices between whole tensors become branches: sizes may differ, which no loop over one of them says.
static void branchOnTensors(ModuleOp module) {
  module.walk([](arith::SelectOp select) {
    auto type = dyn_cast<RankedTensorType>(select.getType());
    if (!type || type.hasStaticShape() || !select.getCondition().getType().isInteger(1))
      return;
    OpBuilder builder(select);
    auto branch = scf::IfOp::create(builder, select.getLoc(), TypeRange(type), select.getCondition(), /*addThenBlock=*/true,
                                    /*addElseBlock=*/true);
    auto thenEnd = OpBuilder::atBlockEnd(branch.thenBlock()), elseEnd = OpBuilder::atBlockEnd(branch.elseBlock());
    scf::YieldOp::create(thenEnd, select.getLoc(), select.getTrueValue());
    scf::YieldOp::create(elseEnd, select.getLoc(), select.getFalseValue());
    select.getResult().replaceAllUsesWith(branch.getResult(0));
    select.erase();
  });
}

static LogicalResult lower(ModuleOp module) {
  // Tensors.
  if (failed(convertToLoops(module)))
    return failure();
  addRuntimeChecks(module);
  branchOnTensors(module);
  if (failed(run(module, [](PassManager &passes) {
        passes.addPass(createConvertElementwiseToLinalgPass());
        passes.addPass(createCanonicalizerPass());
        passes.addPass(createCSEPass());
      })))
    return failure();
  branchOnTensors(module); // as canonicalising folds them again
  arrangeLoops(module);

  // Memory.
  if (failed(bufferize(module)) || failed(run(module, [](PassManager &passes) {
        bufferization::buildBufferDeallocationPipeline(passes);
        passes.addPass(createConvertBufferizationToMemRefPass());
      })))
    return failure();

  // Loops, and the code in them.
  expandCopies(module);
  expandShapes(module);
  outlineLoops(module);
  if (failed(run(module, [](PassManager &passes) {
        passes.addPass(createConvertLinalgToLoopsPass());
        passes.addPass(memref::createExpandStridedMetadataPass());
        passes.addPass(createLowerAffinePass());
        passes.addPass(createSCFToControlFlowPass());
      })))
    return failure();
  for (auto function : llvm::to_vector(module.getOps<func::FuncOp>()))
    if (!function.isPrivate()) // as are loops, and what says at run time which of many to release
      convertBoundary(function);
  expandMath(module);
  if (failed(run(module, [](PassManager &passes) {
        arith::ArithExpandOpsPassOptions arithmetic;
        arithmetic.includeBf16 = arithmetic.includeF4E2M1 = true;
        passes.addPass(arith::createArithExpandOpsPass(arithmetic));
        passes.addPass(createConvertMathToLLVMPass());
        passes.addPass(createConvertIndexToLLVMPass());
        passes.addPass(createArithToLLVMConversionPass());
        passes.addPass(createFinalizeMemRefToLLVMConversionPass());
        passes.addPass(createConvertFuncToLLVMPass());
        passes.addPass(createConvertControlFlowToLLVMPass());
        passes.addPass(createReconcileUnrealizedCastsPass());
      })))
    return failure();
  for (auto function : module.getOps<LLVM::LLVMFuncOp>())
    if (function.isPrivate()) {
      function.setLinkage(LLVM::Linkage::Internal);
      function.setNoInline(true);
    }
  return success();
}

void moec::lowering::loadFunctionDialects(MLIRContext &context) {
  for (StringRef name :
       {"affine", "arith", "bufferization", "cf", "func", "index", "linalg", "llvm", "math", "memref", "scf", "tensor", "ub"})
    context.getOrLoadDialect(name);
}

OwningOpRef<ModuleOp> moec::lowering::lowerFunctions(ModuleOp plan) {
  OwningOpRef<ModuleOp> module = copyFunctions(plan);
  return succeeded(lower(*module)) ? std::move(module) : OwningOpRef<ModuleOp>();
}
