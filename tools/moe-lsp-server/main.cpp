// moe-lsp-server: language server for modules with moe and plan ops.
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"
#include "tools/CompletionOption.h"
#include "tools/Registration.h"

static moec::tools::CompletionOption completion("moe-lsp-server");

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  moec::registerDialects(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
