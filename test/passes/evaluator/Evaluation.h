// Functions in text, evaluated on given arguments.
#ifndef MOEC_TEST_PASSES_EVALUATOR_EVALUATION_H
#define MOEC_TEST_PASSES_EVALUATOR_EVALUATION_H

#include "passes/evaluator/Evaluator.h"

#include <string>
#include <vector>

namespace moec::test {

using evaluator::Argument;
using evaluator::Batch;
using evaluator::Caches;
using evaluator::Tensor;
using Rows = std::vector<std::vector<double>>;

/// A tensor of rank 2.
Tensor rows(const Rows &rows);
/// A tensor of rank 3: one matrix an expert or head.
Tensor matrices(const std::vector<Rows> &matrices);
/// A tensor of rank 1.
Tensor vector(std::vector<double> elements);

/// The results of the one function in `text`; a failure is a failure of the test, and gives no results. A module's weights are read
/// from the files that it names.
std::vector<Tensor> evaluate(const std::string &text, const std::vector<Argument> &arguments, Caches &caches);
std::vector<Tensor> evaluate(const std::string &text, const std::vector<Argument> &arguments);

/// The error with which evaluation of the one function in `text` ends.
std::string refusal(const std::string &text, const std::vector<Argument> &arguments, Caches caches = {});

/// Expects the rows `expected`, each element to 1e-12 of its magnitude.
void expectRows(const Tensor &tensor, const Rows &expected);

} // namespace moec::test

#endif // MOEC_TEST_PASSES_EVALUATOR_EVALUATION_H
