// Fuzzes config.json and params.json: strict JSON, then the description of whichever family it is of.
#include "importers/config/Config.h"
#include "importers/consolidated/Consolidated.h"
#include "importers/families/Families.h"

#include "mlir/IR/MLIRContext.h"

using namespace moec;
using namespace moec::importers;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static mlir::MLIRContext &context = *[] {
    auto *made = new mlir::MLIRContext(mlir::MLIRContext::Threading::DISABLED);
    made->loadDialect<moe::MoEDialect>();
    return made;
  }();
  llvm::Expected<json::Value> value = json::parse(llvm::StringRef(reinterpret_cast<const char *>(data), size), "fuzzed");
  if (!value) {
    llvm::consumeError(value.takeError());
    return 0;
  }
  const json::Value *type = value->find("model_type");
  if (!type) {
    if (const json::Object *params = value->object())
      llvm::consumeError(consolidated::describe(*params, "fuzzed", &context).takeError());
    return 0;
  }
  for (const Family &family : families()) {
    if (!type->string() || *type->string() != family.modelType)
      continue;
    std::string problem;
    Config config(*value->object(), "fuzzed", problem);
    Decoder decoder = family.describe(config, &context);
    llvm::consumeError(config.finish());
  }
  return 0;
}
