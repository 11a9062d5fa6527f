// From plan.kernel to machine code: emit the kernels of one target, lower them to LLVM, compile, link.
#include "lowering/x86/CodeGenerator.h"

#include "lowering/x86/Emit.h"
#include "lowering/x86/MachineCode.h"

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
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/ThreadPool.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

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

void moec::lowering::x86::registerRequiredDialects(MLIRContext &context) {
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

/// Emits the body of a kernel by the op it computes: one op of a family, or a group of row-wise ops.
static LogicalResult emitKernel(KernelFrame &frame) {
  SmallVector<Operation *> ops;
  for (Operation &op : frame.kernel.getBody().front().without_terminator())
    if (!isa<moe::CacheOp>(op))
      ops.push_back(&op);
  if (ops.size() != 1)
    return emitRowwise(frame);
  return TypeSwitch<Operation *, LogicalResult>(ops.front())
#define MOEC_FAMILY(Op, emit)                                                                                                      \
  .Case([&](moe::Op op) {                                                                                                          \
    emit(frame, op);                                                                                                               \
    return success();                                                                                                              \
  })
      MOEC_FAMILY(LinearOp, emitLinear) MOEC_FAMILY(GateUpOp, emitGateUp) MOEC_FAMILY(DispatchOp, emitDispatch)
          MOEC_FAMILY(ExpertHiddenOp, emitExpertHidden) MOEC_FAMILY(CombineOp, emitCombine) MOEC_FAMILY(AttentionOp, emitAttention)
              MOEC_FAMILY(LatentAttentionOp, emitLatentAttention) MOEC_FAMILY(AbsorbedAttentionOp, emitAbsorbedAttention)
                  MOEC_FAMILY(EmbedOp, emitEmbed) MOEC_FAMILY(GatherOutputsOp, emitGatherOutputs)
#undef MOEC_FAMILY
                      .Default([&](Operation *) { return emitRowwise(frame); });
}

/// The kernels of `plan` for `target`, as functions in MLIR; `scratchBytes` receives each kernel's need.
static OwningOpRef<ModuleOp> emitKernels(ModuleOp plan, const Target &target, SmallVectorImpl<int64_t> &scratchBytes) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(plan.getLoc());
  KernelBuilder b(*module, target);
  for (auto kernel : plan.getOps<plan::KernelOp>()) {
    LogicalResult outcome = success();
    b.exportedFunction(kernel.getSymName(), {b.ptr, b.ptr, b.ptr, b.i64, b.i64}, [&](ArrayRef<Number> arguments) {
      b.ifThen(arguments[3] < arguments[4], [&] { // a thread without items has nothing to prepare
        KernelFrame frame(b, kernel, arguments);
        outcome = emitKernel(frame);
        scratchBytes.push_back(frame.scratchBytes());
      });
    });
    if (failed(outcome))
      return {};
  }
  return module;
}

/// Lowers everything in `module` to the LLVM dialect.
static LogicalResult lowerToLLVM(ModuleOp module) {
  RewritePatternSet polynomials(module.getContext());
  populateMathPolynomialApproximationPatterns(polynomials, MathPolynomialApproximationOptions());
  FrozenRewritePatternSet frozen(std::move(polynomials));
  walkAndApplyPatterns(module, frozen);
  walkAndApplyPatterns(module, frozen); // a walk does not visit what it creates, and log1p becomes a log
  PassManager passes(module.getContext());
  passes.enableVerifier(false); // the emitters are tested; the last step's result is verified by its translation
  buildLowering(passes);
  return passes.run(module);
}

namespace {

/// What one target's thread produces.
struct Generated {
  std::string object, error;
  SmallVector<int64_t> scratchBytes;
  bool succeeded = false;
};

} // namespace

static void generateFor(ModuleOp plan, const Target &target, Generated &generated) {
  OwningOpRef<ModuleOp> module = emitKernels(plan, target, generated.scratchBytes);
  if (!module || failed(lowerToLLVM(*module)))
    return;
  llvm::Expected<std::string> object = compileToObject(*module, target);
  if (object) {
    generated.object = std::move(*object);
    generated.succeeded = true;
  } else {
    generated.error = llvm::toString(object.takeError());
  }
}

FailureOr<std::vector<CodeVariant>> moec::lowering::x86::generateCode(ModuleOp plan, ArrayRef<Target> targets) {
  registerRequiredDialects(*plan.getContext());
  SmallVector<Generated> results(targets.size());
  {
    // Targets share the context, which is safe for threads, and nothing else.
    llvm::DefaultThreadPool pool(llvm::hardware_concurrency());
    for (auto [target, result] : llvm::zip(targets, results))
      pool.async([&plan, &target = target, &result = result] { generateFor(plan, target, result); });
    pool.wait();
  }

  std::vector<CodeVariant> variants;
  for (auto [target, result] : llvm::zip(targets, results)) {
    if (!result.succeeded) {
      if (!result.error.empty())
        plan.emitError("code for ") << target.isa << ": " << result.error;
      return failure();
    }
    llvm::Expected<std::string> shared = linkSharedObject(result.object);
    if (!shared)
      return plan.emitError("code for ") << target.isa << ": " << llvm::toString(shared.takeError());
    for (auto [kernel, bytes] : llvm::zip(plan.getOps<plan::KernelOp>(), result.scratchBytes))
      kernel.setScratchBytes(std::max<int64_t>(kernel.getScratchBytes(), bytes));
    variants.push_back({target.isa.str(), {target.features.begin(), target.features.end()}, std::move(*shared)});
  }
  return variants;
}

FailureOr<std::vector<CodeVariant>> moec::lowering::x86::generateCode(ModuleOp plan) { return generateCode(plan, allTargets()); }
