// A model from its files, in the ops that the compiler is for.
#include "tools/Import.h"
#include "dialects/moe/Functions.h"
#include "importers/Importer.h"
#include "passes/raise/Passes.h"

#include "mlir/Pass/PassManager.h"

using namespace moec;

llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> tools::importModel(llvm::StringRef path, mlir::MLIRContext &context, bool raise) {
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> module = importers::importModel(path, context);
  if (!module || !raise || !moe::isOfFunctions(**module))
    return module;
  mlir::PassManager passes(&context);
  passes::buildRaiseStep(passes);
  if (failed(passes.run(**module)))
    return llvm::createStringError(path + ": the raising passes do not apply");
  return module;
}
