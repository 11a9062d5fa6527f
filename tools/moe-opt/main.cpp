// moe-opt: runs passes on a module, as mlir-opt does.
#include "tools/Registration.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  moec::registerDialects(registry);
  moec::registerPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "moec optimizer\n", registry));
}
