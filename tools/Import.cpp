// A model from its files, in the ops that the compiler is for.
#include "tools/Import.h"
#include "dialects/moe/Functions.h"
#include "importers/Importer.h"
#include "passes/raise/Passes.h"

#include "mlir/IR/Remarks.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Pass/PassManager.h"

using namespace moec;

/// Whether anything in it is in half floats.
static bool hasHalves(mlir::ModuleOp module) {
  auto isHalf = [](mlir::Type type) {
    mlir::Type element = mlir::getElementTypeOrSelf(type);
    return element.isF16() || element.isBF16();
  };
  return module
      .walk([&](mlir::Operation *op) {
        return llvm::any_of(op->getResultTypes(), isHalf) || llvm::any_of(op->getOperandTypes(), isHalf)
                   ? mlir::WalkResult::interrupt()
                   : mlir::WalkResult::advance();
      })
      .wasInterrupted();
}

/// A decoder in half floats whose step computes in f32; nothing for anything else.
static mlir::OwningOpRef<mlir::ModuleOp> importWidened(llvm::StringRef path, mlir::MLIRContext &context) {
  auto module = importers::importModel(path, context, /*widens=*/true);
  if (!module) {
    llvm::consumeError(module.takeError());
    return {};
  }
  if (!moe::isOfFunctions(**module) || !(**module)->hasAttr("moe.widened"))
    return {};
  // What it does not become says the graph itself.
  mlir::ScopedDiagnosticHandler silence(&context, [](mlir::Diagnostic &diagnostic) {
    return mlir::success(diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error);
  });
  mlir::PassManager passes(&context);
  passes::buildRaiseStep(passes);
  return succeeded(passes.run(**module)) && !moe::isOfFunctions(**module) ? std::move(*module) : nullptr;
}

llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> tools::importModel(llvm::StringRef path, mlir::MLIRContext &context, bool raise) {
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> module = importers::importModel(path, context);
  if (!module || !raise || !moe::isOfFunctions(**module))
    return module;
  if (hasHalves(**module))
    if (auto step = importWidened(path, context))
      return step;
  mlir::PassManager passes(&context);
  passes::buildRaiseStep(passes);
  std::string problem;
  auto keep = [&](mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error)
      return mlir::failure();
    if (problem.empty())
      problem = diagnostic.str();
    return mlir::success();
  };
  mlir::ScopedDiagnosticHandler handler(&context, keep);
  if (succeeded(passes.run(**module)))
    return module;
  // Whatever raising makes of a graph, it can be imported.
  mlir::remark::missed((**module).getLoc(), mlir::remark::RemarkOpts::name("moe-raise").category("moe-raise"))
      << "the graph stays as it was imported: " << problem;
  return importers::importModel(path, context);
}
