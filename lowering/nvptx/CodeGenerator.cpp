// From plan.kernel to text: emit the kernels of one target, lower them to LLVM, compile.
#include "lowering/nvptx/CodeGenerator.h"

#include "lowering/kernel/EmitByFamily.h"
#include "lowering/kernel/LowerToLLVM.h"
#include "lowering/nvptx/Emit.h"
#include "lowering/nvptx/MachineCode.h"
#include "lowering/nvptx/launches/ChainLaunches.h"
#include "lowering/nvptx/launches/EmitChain.h"
#include "lowering/plan/BufferSize.h"

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

/// The most rows that a launch of each kernel has.
static llvm::DenseMap<StringAttr, int64_t> mostRowsOf(ModuleOp plan) {
  llvm::DenseMap<StringAttr, plan::Extent> extents;
  for (auto kernel : plan.getOps<plan::KernelOp>())
    extents[kernel.getSymNameAttr()] = kernel.getRows();
  llvm::DenseMap<StringAttr, int64_t> most;
  for (auto program : plan.getOps<plan::ProgramOp>())
    for (auto launch : program.getBody().getOps<plan::LaunchOp>()) {
      StringAttr kernel = launch.getKernelAttr().getAttr();
      most[kernel] = std::max(most[kernel], mostUnits(program, extents.at(kernel)));
    }
  return most;
}

/// The kernels of `plan` and their chains for `target`, as functions in MLIR; `code` receives how each is launched.
static OwningOpRef<ModuleOp> emitKernels(ModuleOp plan, const Target &target, GpuCode &code) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(plan.getLoc());
  KernelBuilder b(*module, target);
  auto kernels = llvm::to_vector(plan.getOps<plan::KernelOp>());
  const llvm::DenseMap<StringAttr, int64_t> mostRows = mostRowsOf(plan);
  for (plan::KernelOp kernel : kernels) {
    LogicalResult outcome = success();
    b.kernel(kernel.getSymName(), KernelFrame::countArguments(kernel), [&](ArrayRef<Value> arguments) {
      KernelFrame frame(b, kernel, arguments);
      if (auto most = mostRows.find(kernel.getSymNameAttr()); most != mostRows.end())
        frame.mostRows = most->second;
      outcome = emitByFamily(frame);
      code.shapes.push_back(frame.shape);
      return succeeded(outcome) ? frame.shape.threads : warpSize; // nobody launches what was refused
    });
    if (failed(outcome))
      return {};
  }
  chainLaunches(plan, target.machine, code);
  for (const LaunchChain &chain : code.chains)
    if (failed(emitChain(b, chain, kernels, code.shapes)))
      return {};
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
    OwningOpRef<ModuleOp> module = emitKernels(plan, *target, code);
    if (!module || failed(lowerToLLVM(*module)))
      return failure();
    llvm::Expected<std::string> text = compileToText(*module, *target);
    if (!text)
      return plan.emitError("code for ") << target->name << ": " << llvm::toString(text.takeError());
    code.text = std::move(*text);
  }
  return codes;
}
