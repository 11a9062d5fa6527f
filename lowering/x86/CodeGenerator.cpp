// From plan.kernel to machine code: emit the kernels of one target, lower them to LLVM, compile, link.
#include "lowering/x86/CodeGenerator.h"

#include "dialects/plan/Functions.h"
#include "lowering/function/LowerFunctions.h"
#include "lowering/kernel/EmitByFamily.h"
#include "lowering/kernel/LowerToLLVM.h"
#include "lowering/x86/Emit.h"
#include "lowering/x86/MachineCode.h"
#include "lowering/x86/WeightBlock.h"

#include "llvm/Support/ThreadPool.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::x86;

/// That the weights of `kernel` are in number formats that its code can read.
static LogicalResult checkFormats(plan::KernelOp kernel) {
  WalkResult result = kernel.walk([](moe::DequantizeOp op) {
    if (WeightBlock::covers(storageOf(op.getResult())))
      return WalkResult::advance();
    op.emitOpError() << "expected a number format that code for x86-64 reads, got " << op.getFormat() << " of "
                     << op.getValues().getType() << " by " << op.getScales().getType();
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
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
        outcome = emitByFamily(frame);
        scratchBytes.push_back(frame.scratchBytes());
      });
    });
    if (failed(outcome))
      return {};
  }
  return module;
}

namespace {

/// What one target's thread produces.
struct Generated {
  std::string object, error;
  SmallVector<int64_t> scratchBytes;
  bool succeeded = false;
};

} // namespace

static void compileFor(ModuleOp module, const Target &target, Loops loops, Generated &generated) {
  llvm::Expected<std::string> object = compileToObject(module, target, loops);
  if (object) {
    generated.object = std::move(*object);
    generated.succeeded = true;
  } else {
    generated.error = llvm::toString(object.takeError());
  }
}

static void generateKernels(ModuleOp plan, const Target &target, Generated &generated) {
  OwningOpRef<ModuleOp> module = emitKernels(plan, target, generated.scratchBytes);
  if (module && succeeded(lowerToLLVM(*module)))
    compileFor(*module, target, Loops::AsWritten, generated);
}

FailureOr<std::vector<CodeVariant>> moec::lowering::x86::generateCode(ModuleOp plan, ArrayRef<const Target *> targets) {
  loadKernelDialects(*plan.getContext());
  OwningOpRef<ModuleOp> functions; // the same for every target up to here
  if (!plan.getOps<plan::FunctionOp>().empty()) {
    loadFunctionDialects(*plan.getContext());
    functions = lowerFunctions(plan);
    if (!functions)
      return failure();
  }
  for (auto kernel : plan.getOps<plan::KernelOp>())
    if (failed(checkFormats(kernel)))
      return failure();
  SmallVector<Generated> results(targets.size());
  {
    // Targets share the context, which is safe for threads, and nothing else.
    llvm::DefaultThreadPool pool(llvm::hardware_concurrency());
    for (auto [target, result] : llvm::zip(targets, results))
      pool.async([&, target = target, &result = result] {
        if (functions)
          compileFor(*functions, *target, Loops::Vectorize, result);
        else
          generateKernels(plan, *target, result);
      });
    pool.wait();
  }

  std::vector<CodeVariant> variants;
  for (auto [target, result] : llvm::zip(targets, results)) {
    if (!result.succeeded) {
      if (!result.error.empty())
        plan.emitError("code for ") << target->name << ": " << result.error;
      return failure();
    }
    llvm::Expected<std::string> shared = linkSharedObject(result.object);
    if (!shared)
      return plan.emitError("code for ") << target->name << ": " << llvm::toString(shared.takeError());
    for (auto [kernel, bytes] : llvm::zip(plan.getOps<plan::KernelOp>(), result.scratchBytes))
      kernel.setScratchBytes(std::max<int64_t>(kernel.getScratchBytes(), bytes));
    variants.push_back({target->name.str(), {target->features.begin(), target->features.end()}, std::move(*shared)});
  }
  return variants;
}

FailureOr<std::vector<CodeVariant>> moec::lowering::x86::generateCode(ModuleOp plan) {
  return generateCode(plan, llvm::to_vector(llvm::make_pointer_range(allTargets())));
}
