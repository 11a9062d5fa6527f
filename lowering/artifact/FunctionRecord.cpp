// The record of a function: what goes in, what comes out, and what it is made of.
#include "lowering/artifact/FunctionRecord.h"

#include "lowering/artifact/ElementType.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <map>

using namespace llvm;
using namespace moec;
using artifact::ElementType;

namespace {
/// The element type of an input or output.
Expected<ElementType> elementOf(mlir::Type type, StringRef name, bool isUnsigned) {
  constexpr std::pair<ElementType, ElementType> integers[] = {{ElementType::i8, ElementType::u8},
                                                              {ElementType::i16, ElementType::u16},
                                                              {ElementType::i32, ElementType::u32},
                                                              {ElementType::i64, ElementType::u64}};
  if (type.isInteger(1))
    return ElementType::boolean;
  for (auto [index, pair] : enumerate(integers))
    if (type.isInteger(8u << index))
      return isUnsigned ? pair.second : pair.first;
  return lowering::elementOf(type, "tensor '" + name + "'");
}

using Descriptions = std::vector<std::unique_ptr<artifact::TensorDescriptionT>>;

Error describe(mlir::ArrayAttr names, mlir::ValueRange values, ArrayRef<int64_t> withoutSign, Descriptions &tensors) {
  for (auto [index, name, value] : enumerate(names.getAsRange<mlir::StringAttr>(), values)) {
    auto type = cast<mlir::RankedTensorType>(value.getType());
    Expected<ElementType> element = elementOf(type.getElementType(), name, is_contained(withoutSign, int64_t(index)));
    if (!element)
      return element.takeError();
    artifact::TensorDescriptionT &tensor = *tensors.emplace_back(std::make_unique<artifact::TensorDescriptionT>());
    tensor.name = name.str();
    tensor.element = *element;
    for (int64_t dim : type.getShape())
      tensor.shape.push_back(mlir::ShapedType::isDynamic(dim) ? -1 : dim);
  }
  return Error::success();
}

/// The operations of `function`, each with how often it occurs, in order of their names.
std::string summaryOf(plan::FunctionOp function) {
  std::map<StringRef, int64_t> counts;
  function.getBody().walk([&](mlir::Operation *op) { ++counts[op->getName().getStringRef()]; });
  counts.erase(plan::ResultsOp::getOperationName());
  std::string text;
  ListSeparator separator(", ");
  for (auto [name, count] : counts)
    text += (StringRef(separator) + Twine(count) + " " + name).str();
  return text;
}
} // namespace

Expected<artifact::FunctionT> moec::lowering::recordOf(plan::FunctionOp function,
                                                       function_ref<uint32_t(mlir::StringAttr)> indexOf) {
  artifact::FunctionT record;
  record.symbol = function.getSymName().str();
  mlir::ValueRange inputs = function.getBody().getArguments().take_front(function.getInputs().size());
  if (Error error = describe(function.getInputs(), inputs, function.getUnsignedInputs(), record.inputs))
    return error;
  if (Error error = describe(function.getOutputs(), function.getResults(), function.getUnsignedOutputs(), record.outputs))
    return error;
  for (auto symbol : function.getWeights().getAsRange<mlir::FlatSymbolRefAttr>())
    record.weights.push_back(indexOf(symbol.getAttr()));
  record.summary = summaryOf(function);
  return record;
}
