// Chains of launches stay within what a launch can be given.
#include "lowering/kernel/KernelArguments.h"
#include "lowering/nvptx/CodeGenerator.h"

#include "lowering/kernel/LowerToLLVM.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

using namespace moec;
using namespace moec::lowering;

/// Kernels that each add up so many rows, launched one after the other by a step of one token for each sequence.
static std::string planOfSums(int64_t kernels, int64_t operands) {
  std::string text, launches;
  for (int64_t k = 0; k < kernels; ++k) {
    std::string parts, arguments, sums, buffers, types;
    for (int64_t i = 0; i < operands; ++i) {
      const char *comma = i ? ", " : "";
      parts += llvm::formatv("{0}array<i64>", comma);
      arguments += llvm::formatv("{0}%x{1}: tensor<?x8xf32>", comma, i);
      if (i)
        sums += llvm::formatv("  %s{0} = arith.addf %{1}{2}, %x{0} : tensor<?x8xf32>\n", i, i == 1 ? "x" : "s", i - 1);
      buffers += "%b, ";
      types += "memref<?x8xf32>, ";
    }
    text += llvm::formatv("plan.kernel @k{0} items 1 per tokens rows tokens parts [{1}] {{\n^bb0({2}):\n{3}"
                          "  plan.return %s{4} : tensor<?x8xf32>\n}\n",
                          k, parts, arguments, sums, operands - 1);
    launches += llvm::formatv("  plan.launch @k{0}({1}%r) : {2}memref<?x8xf32>\n", k, buffers, types);
  }
  return text +
         "plan.program @decode tokens 2 sequences 2 outputs 2 arena 128 {\n"
         "  %b = plan.buffer arena at 0 per tokens : memref<?x8xf32>\n"
         "  %r = plan.buffer arena at 64 per tokens : memref<?x8xf32>\n" +
         launches + "}\n";
}

/// Nine kernels of 61 buffers and a workspace each: the driver takes 4 KiB of arguments, those of eight.
TEST(ChainLaunches, HaveAsManyArgumentsAsLaunchesTake) {
  mlir::MLIRContext context;
  loadKernelDialects(context);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(planOfSums(9, 60), &context);
  ASSERT_TRUE(module);
  auto codes = nvptx::generateCode(*module, {nvptx::findTarget("sm_80")});
  ASSERT_TRUE(mlir::succeeded(codes));
  const GpuCode &code = codes->front();
  auto kernels = llvm::to_vector(module->getOps<plan::KernelOp>());
  ASSERT_EQ(code.chains.size(), 1u);
  EXPECT_EQ(code.chains[0].kernels.size(), 8u);
  size_t arguments = 2;
  for (size_t place : code.chains[0].kernels)
    arguments += KernelArguments::countBuffers(kernels[place]) + 1;
  EXPECT_LE(arguments * 8, size_t(4096));
  ASSERT_EQ(code.programs.size(), 1u);
  ASSERT_EQ(code.programs[0].size(), 1u);
  EXPECT_EQ(code.programs[0][0].first, 0u);
}
