// Fuzzes the import of ONNX models: whatever the bytes are, a verified module or an error.
#include "importers/onnx/Onnx.h"
#include "importers/onnx/Reader.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"

using namespace moec::importers;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const ModelFolder folder = llvm::cantFail(ModelFolder::at(MOEC_TEST_DATA "/fixtures/onnx/malformed"));
  onnx::Limits limits;
  limits.items = 1 << 10;
  limits.decoded = 1 << 16;
  onnx::Model model;
  if (llvm::Error error = onnx::readModel({reinterpret_cast<const char *>(data), size}, "fuzzed", folder, model, limits)) {
    llvm::consumeError(std::move(error));
    return 0;
  }
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = onnx::buildModel(model, context);
  if (!module)
    llvm::consumeError(module.takeError());
  else if (mlir::failed(mlir::verify(**module)))
    __builtin_trap();
  return 0;
}
