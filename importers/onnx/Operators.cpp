// Looks operators up by domain, name and version.
#include "importers/onnx/Operators.h"

#include "llvm/ADT/StringMap.h"

using namespace moec::importers;
using namespace moec::importers::onnx;
using llvm::StringRef;

namespace {
using Table = llvm::StringMap<llvm::SmallVector<const Operator *, 2>>;
} // namespace

static Table tableOf(std::initializer_list<llvm::ArrayRef<Operator>> groups) {
  Table table;
  for (llvm::ArrayRef<Operator> group : groups)
    for (const Operator &op : group)
      table[op.name].push_back(&op);
  return table;
}

static const Table *tableOf(StringRef domain) {
  static const Table standard = tableOf(
      {elementwiseOperators(), comparisonOperators(),       castOperators(),         shapeOperators(),      sliceOperators(),
       constantOperators(),    reductionOperators(),        gatherOperators(),       scatterOperators(),    selectionOperators(),
       productOperators(),     normalizationOperators(),    quantizationOperators(), attentionOperators(),  controlFlowOperators(),
       scanOperators(),        sequenceOperators(),         optionalOperators(),     recurrenceOperators(), einsumOperators(),
       convolutionOperators(), sequenceSplittingOperators()});
  static const Table microsoft = tableOf({biasedActivationOperators(), fusedProductOperators(), skipNormalizationOperators(),
                                          mixtureOperators(), matMulNBitsOperators(), multiHeadAttentionOperators(),
                                          groupQueryAttentionOperators(), gatedOperators(), routerOperators()});
  static const Table preview = tableOf({previewOperators()});
  if (domain.empty())
    return &standard;
  return domain == "com.microsoft" ? &microsoft : domain == "ai.onnx.preview" ? &preview : nullptr;
}

const Operator *onnx::findOperator(StringRef domain, StringRef name, int64_t opset) {
  const Table *table = tableOf(domain);
  if (!table)
    return nullptr;
  auto found = table->find(name);
  if (found == table->end())
    return nullptr;
  for (const Operator *op : found->second)
    if (opset >= op->since && opset <= op->until)
      return op;
  return nullptr;
}
