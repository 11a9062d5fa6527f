// From plan.kernel to text: emit the kernels of one target, lower them to LLVM, compile.
#include "lowering/nvptx/CodeGenerator.h"

#include "lowering/kernel/EmitByFamily.h"
#include "lowering/kernel/LowerToLLVM.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/MachineCode.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

void moec::lowering::nvptx::loadDialects(MLIRContext &context) {
  loadKernelDialects(context);
  DialectRegistry registry;
  registerNVVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
  context.getOrLoadDialect<NVVM::NVVMDialect>();
}

/// The kernels of `plan` for `target`, as functions in MLIR; `shapes` receives how each is launched.
static OwningOpRef<ModuleOp> emitKernels(ModuleOp plan, const Target &target, std::vector<LaunchShape> &shapes) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(plan.getLoc());
  KernelBuilder b(*module, target);
  for (auto kernel : plan.getOps<plan::KernelOp>()) {
    LogicalResult outcome = success();
    b.kernel(kernel.getSymName(), KernelFrame::countArguments(kernel), [&](ArrayRef<Value> arguments) {
      KernelFrame frame(b, kernel, arguments);
      outcome = emitByFamily(frame);
      shapes.push_back(frame.shape);
      return frame.shape.threads;
    });
    if (failed(outcome))
      return {};
  }
  return module;
}

FailureOr<std::vector<GpuCode>> moec::lowering::nvptx::generateCode(ModuleOp plan, ArrayRef<const Target *> targets) {
  loadDialects(*plan.getContext());
  std::vector<GpuCode> codes;
  for (const Target *target : targets) {
    GpuCode &code = codes.emplace_back();
    code.target = target->name.str();
    code.section = "ptx/" + code.target;
    code.minComputeCapability = target->minComputeCapability;
    OwningOpRef<ModuleOp> module = emitKernels(plan, *target, code.shapes);
    if (!module || failed(lowerToLLVM(*module)))
      return failure();
    llvm::Expected<std::string> text = compileToText(*module, *target);
    if (!text)
      return plan.emitError("code for ") << target->name << ": " << llvm::toString(text.takeError());
    code.text = std::move(*text);
  }
  return codes;
}
