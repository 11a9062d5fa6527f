// Equal loops are code once, however often a graph has them.
#include "dialects/plan/Functions.h"
#include "lowering/function/LowerFunctions.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/InitAllDialects.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace moec;

/// How many functions a chain of `layers` products by the same matrix becomes.
static int64_t functionsOf(int layers) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  registry.insert<plan::PlanDialect>();
  mlir::MLIRContext context(registry);
  lowering::loadFunctionDialects(context);
  std::string text = R"(
    plan.function @main inputs ["x", "w"] outputs ["y"] weights [] {
    ^bb0(%x0: tensor<?x4xf32>, %w: tensor<4x4xf32>):
      %c0 = arith.constant 0 : index
      %zero = arith.constant 0.0 : f32
      %n = tensor.dim %x0, %c0 : tensor<?x4xf32>)";
  for (int layer = 0; layer < layers; ++layer) {
    std::string i = std::to_string(layer), next = std::to_string(layer + 1);
    text += "%e" + i + " = tensor.empty(%n) : tensor<?x4xf32>\n%z" + i + " = linalg.fill ins(%zero : f32) outs(%e" + i +
            " : tensor<?x4xf32>) -> tensor<?x4xf32>\n%x" + next + " = linalg.matmul ins(%x" + i +
            ", %w : tensor<?x4xf32>, tensor<4x4xf32>) outs(%z" + i + " : tensor<?x4xf32>) -> tensor<?x4xf32>\n";
  }
  text += "plan.results %x" + std::to_string(layers) + " : tensor<?x4xf32>\n}";
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return -1;
  mlir::OwningOpRef<mlir::ModuleOp> lowered = lowering::lowerFunctions(*module);
  return lowered ? std::distance(lowered->getOps<mlir::LLVM::LLVMFuncOp>().begin(), lowered->getOps<mlir::LLVM::LLVMFuncOp>().end())
                 : -1;
}

TEST(OutlinedLoops, areSharedByLayers) {
  EXPECT_GE(functionsOf(2), 3); // @main, filling, multiplying
  EXPECT_EQ(functionsOf(9), functionsOf(2));
}
