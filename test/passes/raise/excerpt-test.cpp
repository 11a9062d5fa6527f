// Excerpts are evaluated by passes that run on several functions at once, and of large tables they read only the leading rows.
#include "dialects/moe/MoE.h"
#include "passes/raise/Excerpt.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

#include <atomic>
#include <filesystem>
#include <fstream>
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

/// The sum of the first elements of 20 tensors of 2^22: each read where it is made, or all of them in the end.
std::optional<moec::evaluator::Tensor> sumOfFirst(bool areKept) {
  std::string makes = "%v = tensor.extract %x[] : tensor<f64>\n%zero = arith.constant 0 : index\n", reads, before = "%v";
  for (int i = 0; i < 20; ++i) {
    std::string n = std::to_string(i);
    makes += "%e" + n + " = tensor.splat %v : tensor<4194304xf64>\n";
    (areKept ? reads : makes) += "%f" + n + " = tensor.extract %e" + n + "[%zero] : tensor<4194304xf64>\n%s" + n +
                                 " = arith.addf " + before + ", %f" + n + " : f64\n";
    before = "%s" + n;
  }
  MLIRContext context;
  context.loadDialect<func::FuncDialect, arith::ArithDialect, tensor::TensorDialect>();
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>("func.func @sum(%x: tensor<f64>) -> tensor<f64> {\n" + makes + reads +
                                      "%sum = tensor.from_elements " + before + " : tensor<f64>\nreturn %sum : tensor<f64>\n}",
                                  &context);
  EXPECT_TRUE(module);
  func::FuncOp function = *module->getOps<func::FuncOp>().begin();
  std::optional<Excerpt> excerpt = Excerpt::make(function.front().getTerminator()->getOperand(0), {function.getArgument(0)});
  EXPECT_TRUE(excerpt);
  Sizes sizes({2});
  return excerpt->evaluate({moec::evaluator::Tensor({}, {1})}, sizes);
}

TEST(Excerpts, KeepNoMoreTensorsThanFitIntoMemory) {
  std::optional<moec::evaluator::Tensor> sum = sumOfFirst(/*areKept=*/false);
  ASSERT_TRUE(sum);
  EXPECT_EQ(sum->elements.front(), 21);
  EXPECT_FALSE(sumOfFirst(/*areKept=*/true));
}

/// One element of a table of 2^25.
constexpr const char *row = R"(
  module attributes {moe.folder = "FOLDER"} {
    moe.weight @table : tensor<1048576x32xf32> = [#moe.slice<"table" in "table.bin" at 8 rows 1048576>] ATTRIBUTES
    func.func @row(%at: tensor<i64>) -> tensor<f32> {
      %table = moe.get_weight @table : tensor<1048576x32xf32>
      %empty = tensor.empty() : tensor<f32>
      %read = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
          ins(%at : tensor<i64>) outs(%empty : tensor<f32>) {
      ^bb0(%i: i64, %out: f32):
        %row = arith.index_cast %i : i64 to index
        %c3 = arith.constant 3 : index
        %v = tensor.extract %table[%row, %c3] : tensor<1048576x32xf32>
        linalg.yield %v : f32
      } -> tensor<f32>
      return %read : tensor<f32>
    }
  })";

/// What is read at a row of the table whose element 200000, 3 is 2 in these bytes.
void checkRows(const std::string &attributes, const std::string &bytes) {
  std::string folder = testing::TempDir() + "moec-excerpt-" + std::to_string(getpid());
  std::filesystem::create_directory(folder);
  auto path = std::filesystem::path(folder) / "table.bin";
  std::ofstream file(path, std::ios::binary);
  file.seekp(8 + std::streamoff((200000 * 32 + 3) * bytes.size()));
  file << bytes;
  file.close();
  std::filesystem::resize_file(path, 8 + bytes.size() * (size_t(1) << 25)); // a hole
  std::string text = row;
  text.replace(text.find("FOLDER"), 6, folder);
  text.replace(text.find("ATTRIBUTES"), 10, attributes);

  MLIRContext context;
  context
      .loadDialect<moec::moe::MoEDialect, func::FuncDialect, arith::ArithDialect, tensor::TensorDialect, linalg::LinalgDialect>();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(module);
  func::FuncOp function = *module->getOps<func::FuncOp>().begin();
  moec::evaluator::Weights tables({moec::evaluator::WeightOptions::Source::Files, /*seed=*/0, size_t(1) << 28});
  std::optional<Excerpt> excerpt =
      Excerpt::make(function.front().getTerminator()->getOperand(0), {function.getArgument(0)}, /*budget=*/nullptr, &tables);
  ASSERT_TRUE(excerpt);
  auto at = [&](double row) {
    Sizes sizes({2});
    return excerpt->evaluate({moec::evaluator::Tensor({}, {row})}, sizes);
  };
  std::optional<moec::evaluator::Tensor> element = at(200000);
  ASSERT_TRUE(element);
  EXPECT_EQ(element->elements.front(), 2);
  EXPECT_FALSE(at(1 << 18)); // is in the table, but was not read
  EXPECT_FALSE(at(-1));
  std::filesystem::remove_all(folder);
}

TEST(Excerpts, ReadTheLeadingRowsOfLargeTables) {
  checkRows("", std::string("\0\0\0\x40", 4));
  checkRows("{moe.stored_as = f16}", std::string("\0\x40", 2));
}

} // namespace
