// moe-lsp-server: language server for modules with moe and plan ops.
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"
#include "tools/ProgramOptions.h"
#include "tools/Registration.h"

static moec::tools::ProgramOptions programOptions("moe-lsp-server");

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  moec::registerDialects(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
