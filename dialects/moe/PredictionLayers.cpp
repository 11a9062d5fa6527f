// To an attribute, and back from one that anybody may have written.
#include "dialects/moe/PredictionLayers.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace moec::moe;

static constexpr llvm::StringLiteral attrName = "moe.prediction_layers";

std::string PredictionLayers::inWords(int64_t layers) {
  return std::to_string(layers) + (layers == 1 ? " layer that predicts" : " layers that predict") + " tokens beyond the next";
}

void moec::moe::setPredictionLayers(ModuleOp module, const PredictionLayers &found) {
  Builder builder(module.getContext());
  auto number = [&](StringRef name, int64_t value) { return builder.getNamedAttr(name, builder.getI64IntegerAttr(value)); };
  SmallVector<NamedAttribute> numbers;
  if (found.layers)
    numbers = {number("layers", found.layers), number("parameters", found.parameters), number("bytes", found.bytes)};
  if (found.absent)
    numbers.push_back(number("absent", found.absent));
  if (!numbers.empty())
    module->setAttr(attrName, builder.getDictionaryAttr(numbers));
}

PredictionLayers moec::moe::predictionLayersOf(ModuleOp module) {
  auto said = module->getAttrOfType<DictionaryAttr>(attrName);
  auto number = [&](StringRef name) {
    auto value = said ? said.getAs<IntegerAttr>(name) : IntegerAttr();
    return value && value.getType().isInteger(64) ? value.getValue().getSExtValue() : 0;
  };
  return {number("layers"), number("parameters"), number("bytes"), number("absent")};
}
