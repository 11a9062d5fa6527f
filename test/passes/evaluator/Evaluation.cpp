// Functions in text, evaluated on given arguments.
#include "test/passes/evaluator/Evaluation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::test;

static Tensor flattened(std::vector<int64_t> shape, const std::vector<Rows> &matrices) {
  std::vector<double> elements;
  for (const Rows &matrix : matrices)
    for (const std::vector<double> &row : matrix)
      elements.insert(elements.end(), row.begin(), row.end());
  return Tensor(std::move(shape), std::move(elements));
}

Tensor test::rows(const Rows &rows) {
  return flattened({int64_t(rows.size()), rows.empty() ? 0 : int64_t(rows.front().size())}, {rows});
}

Tensor test::matrices(const std::vector<Rows> &matrices) {
  return flattened({int64_t(matrices.size()), int64_t(matrices.front().size()), int64_t(matrices.front().front().size())},
                   matrices);
}

Tensor test::vector(std::vector<double> elements) { return Tensor({int64_t(elements.size())}, std::move(elements)); }

/// Parses and evaluates; diagnostics go to `message`.
static FailureOr<std::vector<Tensor>> run(const std::string &text, const std::vector<Argument> &arguments, Caches &caches,
                                          std::string &message) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<moe::MoEDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect, tensor::TensorDialect,
                      linalg::LinalgDialect, scf::SCFDialect, cf::ControlFlowDialect>();
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) { message += diagnostic.str(); });
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  if (!module)
    return failure();
  evaluator::Weights weights({.source = evaluator::WeightOptions::Source::Files});
  return evaluator::evaluate(*module->getOps<func::FuncOp>().begin(), arguments, weights, caches);
}

std::vector<Tensor> test::evaluate(const std::string &text, const std::vector<Argument> &arguments, Caches &caches) {
  std::string message;
  FailureOr<std::vector<Tensor>> results = run(text, arguments, caches, message);
  EXPECT_TRUE(succeeded(results)) << message << "\nin\n" << text;
  return succeeded(results) ? *results : std::vector<Tensor>();
}

std::vector<Tensor> test::evaluate(const std::string &text, const std::vector<Argument> &arguments) {
  Caches caches;
  return evaluate(text, arguments, caches);
}

std::string test::refusal(const std::string &text, const std::vector<Argument> &arguments, Caches caches) {
  std::string message;
  EXPECT_TRUE(failed(run(text, arguments, caches, message))) << "evaluated\n" << text;
  return message;
}

void test::expectRows(const Tensor &tensor, const Rows &expected) {
  Tensor wanted = rows(expected);
  ASSERT_EQ(tensor.rows(), wanted.rows());
  ASSERT_EQ(tensor.width(), wanted.width());
  for (int64_t i = 0; i < wanted.rows(); ++i)
    for (int64_t j = 0; j < wanted.width(); ++j)
      EXPECT_NEAR(tensor.row(i)[j], wanted.row(i)[j], 1e-12 * std::max(1.0, std::fabs(wanted.row(i)[j])))
          << "row " << i << ", column " << j;
}
