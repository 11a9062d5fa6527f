// Excerpts are evaluated by passes that run on several functions at once.
#include "passes/raise/Excerpt.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

#include <atomic>
#include <thread>

using namespace mlir;
using namespace moec::passes;

namespace {

/// A sum of vectors of two lengths, which cannot be evaluated.
constexpr const char *uneven = R"(
  func.func @uneven(%x: tensor<2xf64>) -> tensor<?xf64> {
    %three = arith.constant dense<1.0> : tensor<3xf64>
    %other = tensor.cast %three : tensor<3xf64> to tensor<?xf64>
    %one = tensor.cast %x : tensor<2xf64> to tensor<?xf64>
    %sum = arith.addf %one, %other : tensor<?xf64>
    return %sum : tensor<?xf64>
  })";

TEST(Excerpts, SilenceOnlyTheirOwnErrors) {
  MLIRContext context;
  context.loadDialect<func::FuncDialect, arith::ArithDialect, tensor::TensorDialect>();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(uneven, &context);
  ASSERT_TRUE(module);
  func::FuncOp function = *module->getOps<func::FuncOp>().begin();
  Value sum = function.front().getTerminator()->getOperand(0);
  std::optional<Excerpt> excerpt = Excerpt::make(sum, {function.getArgument(0)});
  ASSERT_TRUE(excerpt);

  std::atomic<unsigned> heard = 0;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &) { ++heard; });
  std::atomic<bool> started = false, stop = false;
  unsigned evaluated = 0;
  std::thread other([&] {
    for (; !stop; started = true) {
      Sizes sizes({2});
      evaluated += excerpt->evaluate({moec::evaluator::Tensor({2}, {1, 2})}, sizes).has_value();
    }
  });
  while (!started)
    std::this_thread::yield();
  constexpr unsigned remarks = 20000;
  for (unsigned i = 0; i < remarks; ++i)
    emitRemark(function.getLoc()) << "spoken by another thread";
  stop = true;
  other.join();
  EXPECT_EQ(heard, remarks);
  EXPECT_EQ(evaluated, 0u);
}

} // namespace
