// What MoE and QMoE have in common: a router's logits and experts' weights, as moe.route and moe.experts.
#ifndef MOEC_IMPORTERS_ONNX_OPERATORS_MIXTURE_H
#define MOEC_IMPORTERS_ONNX_OPERATORS_MIXTURE_H

#include "importers/onnx/Call.h"

namespace moec::importers::onnx {

/// What both operators say in attributes.
struct Mixture {
  int64_t k = 1, fusion = 0;
  bool normalize = false, sparseMixer = false;
  llvm::StringRef activation;
  double alpha = 1, beta = 0;
  std::optional<double> limit;
  bool limitsActivated = false; ///< gate is bounded after its activation
  bool isGated = false;         ///< the activation has two inputs
};

/// A projection of all experts, from which rows are taken.
struct Projection {
  int64_t experts, rows, columns;
  std::function<mlir::Value(int64_t from, int64_t step, int64_t count)> rowsOf;
};

/// The numbers of inputs, which differ between the operators.
struct Places {
  size_t fc1, bias1, fc2, bias2, fc3, bias3;
};

mlir::FailureOr<Mixture> readMixture(Call &call);

/// Builds the node's output; `fc3` is null where gate and up are one projection, or there is no gate. QMoE may have weights of the
/// chosen experts from elsewhere.
mlir::LogicalResult buildMixture(Call &call, const Mixture &mixture, const Projection &fc1, const Projection &fc2,
                                 std::optional<Projection> fc3, const Places &places);

/// The builder of QMoE.
mlir::LogicalResult quantizedMixture(Call &call);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_OPERATORS_MIXTURE_H
