// The operators that are imported, as a table.
#ifndef MOEC_IMPORTERS_ONNX_OPERATORS_H
#define MOEC_IMPORTERS_ONNX_OPERATORS_H

#include "importers/onnx/Call.h"

namespace moec::importers::onnx {

constexpr unsigned anyNumber = ~0u;

struct Operator {
  llvm::StringLiteral name;
  BuildFunction build;
  unsigned minInputs, maxInputs, maxOutputs = 1;
  /// Versions of the operator set in which it means what is built.
  int64_t since = 1, until = 1000;
  bool takesCompounds = false; ///< sequences and optional values as inputs
};

/// The operator's meaning in that version of its domain; null when there is none here.
const Operator *findOperator(llvm::StringRef domain, llvm::StringRef name, int64_t opset);

// Each file of operators/ lists its own.
llvm::ArrayRef<Operator> elementwiseOperators();
llvm::ArrayRef<Operator> comparisonOperators();
llvm::ArrayRef<Operator> castOperators();
llvm::ArrayRef<Operator> reductionOperators();
llvm::ArrayRef<Operator> shapeOperators();
llvm::ArrayRef<Operator> sliceOperators();
llvm::ArrayRef<Operator> constantOperators();
llvm::ArrayRef<Operator> gatherOperators();
llvm::ArrayRef<Operator> scatterOperators();
llvm::ArrayRef<Operator> selectionOperators();
llvm::ArrayRef<Operator> productOperators();
llvm::ArrayRef<Operator> normalizationOperators();
llvm::ArrayRef<Operator> quantizationOperators();
llvm::ArrayRef<Operator> attentionOperators();
llvm::ArrayRef<Operator> multiHeadAttentionOperators();
llvm::ArrayRef<Operator> groupQueryAttentionOperators();
llvm::ArrayRef<Operator> recurrenceOperators();
llvm::ArrayRef<Operator> gatedOperators();
llvm::ArrayRef<Operator> einsumOperators();
llvm::ArrayRef<Operator> routerOperators();
llvm::ArrayRef<Operator> convolutionOperators();
llvm::ArrayRef<Operator> previewOperators();
llvm::ArrayRef<Operator> controlFlowOperators();
llvm::ArrayRef<Operator> scanOperators();
llvm::ArrayRef<Operator> sequenceOperators();
llvm::ArrayRef<Operator> sequenceSplittingOperators();
llvm::ArrayRef<Operator> optionalOperators();
llvm::ArrayRef<Operator> biasedActivationOperators();
llvm::ArrayRef<Operator> fusedProductOperators();
llvm::ArrayRef<Operator> skipNormalizationOperators();
llvm::ArrayRef<Operator> mixtureOperators();
llvm::ArrayRef<Operator> matMulNBitsOperators();

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_OPERATORS_H
