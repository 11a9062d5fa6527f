// Products with quantised weights against the reference evaluator: every format, widths around its blocks, cuts of tensors.
#include "Elements.h"
#include "KernelRun.h"

#include "lowering/kernel/LowerToLLVM.h"
#include "lowering/x86/CodeGenerator.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace moec;
using namespace moec::test;

/// A linear over weights of `values` by `scales`.
static std::string linear(int64_t in, int64_t out, const std::string &element, int64_t rows, int64_t columns,
                          const std::string &scale, const std::string &more = "", const char *compute = "f32") {
  int64_t gridRows = (out + rows - 1) / rows, gridColumns = (in + columns - 1) / columns;
  std::string values = llvm::formatv("tensor<{0}x{1}x{2}>", out, in, element),
              scales = llvm::formatv("tensor<{0}x{1}x{2}>", gridRows, gridColumns, scale);
  return llvm::formatv("plan.kernel @k items {0} per constant rows tokens parts [array<i64>, array<i64: {1}>, array<i64: {2}>] {{\n"
                       "^bb0(%x: tensor<?x{3}xf32>, %v: {4}, %s: {5}):\n"
                       "  %w = moe.dequantize %v by %s as <rows = {6}, columns = {7}{8}> : {4}, {5}\n"
                       "  %y = moe.linear %x, %w {{compute = #moe<compute {9}>} : tensor<?x{3}xf32>, tensor<{1}x{3}xf32> -> "
                       "tensor<?x{1}xf32>\n"
                       "  plan.return %y : tensor<?x{1}xf32>\n}\n",
                       (out + 15) / 16, out, gridRows, in, values, scales, rows, columns, more, compute)
      .str();
}

/// The same of unsigned integers with zero points for groups of `columns`.
static std::string linearWithZeros(int64_t in, int64_t out, const std::string &element, int64_t columns, int64_t zeroPoint,
                                   const char *compute = "f32") {
  int64_t groups = (in + columns - 1) / columns;
  std::string values = llvm::formatv("tensor<{0}x{1}x{2}>", out, in, element),
              scales = llvm::formatv("tensor<{0}x{1}xf16>", out, groups), zeros = llvm::formatv("tensor<{0}x{1}xui8>", out, groups);
  return llvm::formatv("plan.kernel @k items {0} per constant rows tokens parts [array<i64>, array<i64: {1}>, array<i64: {1}>, "
                       "array<i64: {1}>] {{\n^bb0(%x: tensor<?x{2}xf32>, %v: {3}, %s: {4}, %z: {5}):\n"
                       "  %w = moe.dequantize %v by %s zeros %z ({5}) as <rows = 1, columns = {6}, zero_point = {7}> : {3}, {4}\n"
                       "  %y = moe.linear %x, %w {{compute = #moe<compute {8}>} : tensor<?x{2}xf32>, tensor<{1}x{2}xf32> -> "
                       "tensor<?x{1}xf32>\n"
                       "  plan.return %y : tensor<?x{1}xf32>\n}\n",
                       (out + 15) / 16, out, in, values, scales, zeros, columns, zeroPoint, compute)
      .str();
}

static void check(const std::string &text, std::vector<int64_t> tokenCounts) {
  KernelRun run(text);
  for (int64_t tokens : tokenCounts) {
    SCOPED_TRACE(text + " with " + std::to_string(tokens) + " tokens");
    run.setStep({{0, tokens}});
    run.makeUp(uint64_t(tokens));
    run.expectAsEvaluated(1e-5);
  }
  run.expectSameRowsAlone();
}

/// Ragged last blocks, every remainder of a tile's rows, all types of scales.
TEST(NumberFormats, BlocksOfFP8) {
  for (int64_t in : {24, 64, 136, 256})
    check(linear(in, 20, "f8E4M3FN", 128, 128, "f32"), {1, 7});
  check(linear(200, 136, "f8E4M3FN", 128, 128, "bf16"), {1, 2, 3, 4, 6});
  check(linear(136, 40, "f8E4M3FN", 32, 32, "f8E8M0FNU", "", "bf16"), {1, 5});
}

TEST(NumberFormats, OneScaleForAllOrForARow) {
  check(linear(36, 20, "f8E4M3FN", 20, 36, "bf16"), {1, 6});
  check(linear(70, 20, "f8E4M3FN", 1, 70, "f32"), {1, 6});
  check(linear(64, 20, "i8", 1, 64, "f16"), {2});
}

TEST(NumberFormats, Groups) {
  for (int64_t in : {32, 96, 160, 256}) {
    check(linear(in, 17, "ui4", 1, 32, "bf16", ", zero_point = 8"), {1, 3});
    check(linear(in, 17, "f4E2M1FN", 1, 32, "f8E8M0FNU"), {1, 3});
    check(linear(in, 17, "f4E2M1FN", 1, 16, "f8E4M3FN"), {1, 3});
    check(linear(in, 17, "i8", 1, 32, "f16"), {1, 3});
  }
  check(linear(256, 48, "ui4", 1, 128, "bf16", ", zero_point = 3"), {1, 2, 5, 9});
  check(linear(224, 17, "i4", 1, 64, "bf16"), {1, 3});
  // The largest zero point that is a code, and some that are none.
  check(linear(256, 17, "ui4", 1, 128, "bf16", ", zero_point = 15"), {1, 3});
  check(linear(256, 17, "ui4", 1, 128, "bf16", ", zero_point = 16"), {1, 3});
  check(linear(256, 17, "i4", 1, 128, "bf16", ", zero_point = 8"), {1, 3});
}

/// What `count` numbers of `element` are whose bits are 0, 1, ... and again 0, with 1 for what is not finite.
static std::vector<double> allNumbersOf(mlir::Type element, size_t count) {
  std::vector<double> numbers;
  for (size_t i = 0; i < count; ++i) {
    double value = valueOf(element, i & llvm::maskTrailingOnes<uint64_t>(element.getIntOrFloatBitWidth()));
    numbers.push_back(std::isfinite(value) ? value : 1);
  }
  return numbers;
}

/// Every code by every scale that a byte can be comes out to the bit: denormals, both zeros and signs; a NaN makes its row NaN.
TEST(NumberFormats, EveryCodeIsExact) {
  constexpr int64_t in = 256, out = 256, nanRow = 77;
  mlir::MLIRContext context;
  mlir::Type e4m3 = mlir::Float8E4M3FNType::get(&context), e2m1 = mlir::Float4E2M1FNType::get(&context);
  for (const char *compute : {"f32", "bf16"})
    for (bool isPacked : {false, true}) {
      SCOPED_TRACE(std::string(compute) + (isPacked ? " packed" : ""));
      KernelRun run(isPacked ? linear(in, out, "f4E2M1FN", 1, 16, "f8E4M3FN", "", compute)
                             : linear(in, out, "f8E4M3FN", 128, 128, "f32", "", compute));
      std::vector<double> codes = allNumbersOf(isPacked ? e2m1 : e4m3, 256), scales = allNumbersOf(e4m3, out * in / 16);
      Tensor values({out, in}), ofBlocks(isPacked ? std::vector<int64_t>{out, in / 16} : std::vector<int64_t>{2, 2});
      for (int64_t n = 0; n < out; ++n)
        for (int64_t k = 0; k < in; ++k)
          values.row(n)[size_t(k)] = codes[size_t(n + 37 * k) % 256];
      for (size_t i = 0; i < ofBlocks.elements.size(); ++i)
        ofBlocks.elements[i] = isPacked ? scales[i] : std::ldexp(1, int(i) - 2);
      if (!isPacked)
        values.row(nanRow)[200] = std::nan("");
      const std::vector<int64_t> columns = {0, 77, 255};
      run.setStep({{0, int64_t(columns.size())}});
      Tensor input({int64_t(columns.size()), in});
      for (auto [token, column] : llvm::enumerate(columns))
        input.row(int64_t(token))[size_t(column)] = 1;
      run.give(0, input);
      run.give(1, values);
      run.give(2, ofBlocks);
      run.makeUp(1);
      for (const std::vector<Bits> &results : run.runAll())
        for (auto [token, column] : llvm::enumerate(columns))
          for (int64_t n = 0; n < out; ++n) {
            float result = llvm::bit_cast<float>(results[0][token * out + size_t(n)]);
            double scale = isPacked ? ofBlocks.row(n)[size_t(column / 16)] : ofBlocks.row(n / 128)[size_t(column / 128)];
            if (!isPacked && n == nanRow)
              EXPECT_TRUE(std::isnan(result));
            else
              EXPECT_EQ(result, float(values.row(n)[size_t(column)] * scale)) << n << ", " << column;
          }
    }
}

/// Activations become integers on their way to codes: rows as large and as small as f32 has them, and of zeros.
TEST(NumberFormats, RowsOfAnyMagnitude) {
  for (const char *element : {"i8", "ui4"}) {
    KernelRun run(linear(256, 16, element, 1, 128, "bf16", element == llvm::StringRef("ui4") ? ", zero_point = 8" : ""));
    run.setStep({{0, 3}});
    for (double factor : {1e30, 1e-30, 0.0}) {
      SCOPED_TRACE(factor);
      run.makeUp(5);
      run.scale(0, factor);
      run.expectAsEvaluated(1e-5);
    }
  }
}

/// No integer stands for what is not finite: its row comes out so, and no other.
TEST(NumberFormats, RowsThatAreNotFinite) {
  constexpr int64_t in = 200, out = 16;
  for (double value : {HUGE_VAL, -HUGE_VAL, std::nan("")})
    for (int64_t column : {int64_t(3), in - 1}) { // in a whole block, and in the last one
      KernelRun run(linear(in, out, "i8", 1, 128, "bf16"));
      run.setStep({{0, 2}});
      run.makeUp(7);
      Tensor input = run.input(0);
      input.row(1)[column] = value;
      run.give(0, std::move(input));
      run.makeUp(7);
      for (const std::vector<Bits> &results : run.runAll())
        for (auto [i, bits] : llvm::enumerate(results[0]))
          EXPECT_EQ(std::isfinite(llvm::bit_cast<float>(bits)), int64_t(i) < out) << i;
    }
}

/// Several groups to a block and several blocks to a group, ragged rows, one group for a whole row; zero points that wrap around.
TEST(NumberFormats, ZeroPointsOfGroups) {
  for (const char *element : {"ui4", "ui8"})
    for (int64_t in : {32, 96, 160, 256})
      check(linearWithZeros(in, 17, element, 32, /*zeroPoint=*/1), {1, 3});
  check(linearWithZeros(256, 48, "ui4", 128, /*zeroPoint=*/0), {1, 2, 5, 9});
  check(linearWithZeros(256, 48, "ui8", 128, /*zeroPoint=*/0, "bf16"), {1, 5});
  check(linearWithZeros(88, 20, "ui4", 88, /*zeroPoint=*/1), {1, 6});
  check(linearWithZeros(88, 20, "ui8", 88, /*zeroPoint=*/1), {1, 6});
}

/// Rows of whole chunks in bf16, which matrix units multiply: few rows, and many, for which tiles are computed; more columns than a
/// tile, depths that end within each part and within a block.
TEST(NumberFormats, OnMatrixUnits) {
  for (int64_t in : {64, 160, 544}) {
    check(linear(in, 20, "f8E4M3FN", 128, 128, "f32", "", "bf16"), {1, 9, 33});
    check(linear(in, 20, "ui4", 1, 32, "bf16", ", zero_point = 8", "bf16"), {1, 40});
    check(linear(in, 20, "i4", 1, 64, "f16", "", "bf16"), {3, 33});
    check(linear(in, 20, "i8", 1, 32, "bf16", "", "bf16"), {1, 35});
    check(linear(in, 20, "ui8", 1, 128, "f16", ", zero_point = 100", "bf16"), {1, 33});
    check(linear(in, 20, "f4E2M1FN", 1, 32, "f8E8M0FNU", "", "bf16"), {1, 34});
    for (const char *element : {"ui4", "ui8"})
      check(linearWithZeros(in, 20, element, 32, /*zeroPoint=*/1, "bf16"), {1, 33});
  }
  check(linear(272, 150, "f8E4M3FN", 128, 128, "f8E8M0FNU", "", "bf16"), {70});
  check(linear(64, 24, "f8E4M3FN", 24, 64, "f32", "", "bf16"), {1, 33});
  check(linear(96, 24, "f8E4M3FN", 1, 96, "bf16", "", "bf16"), {1, 33});
  check(linearWithZeros(96, 20, "ui4", 96, /*zeroPoint=*/0, "bf16"), {1, 33});
}

/// A decode step of FP8 reads its codes and scales once, without bank conflicts in the loop over them, and computes with no more
/// tiles than there are.
TEST(NumberFormats, TrafficOnMatrixUnits) {
  runtime::emulator::Counters ofWidth[2];
  for (int64_t i : {0, 1}) {
    const int64_t in = i ? 2048 : 1024, out = 64;
    KernelRun run(linear(in, out, "f8E4M3FN", 128, 128, "f32", "", "bf16"));
    run.setStep({{0, 1}});
    run.makeUp(3);
    ofWidth[i] = run.count("sm_80");
    double compulsory = in * out + 4 * in / 128 + 4 * in;
    EXPECT_LE(double(ofWidth[i].uniqueSectorsLoaded * 32), 1.05 * compulsory);
    EXPECT_LE(double(ofWidth[i].globalSectorsLoaded * 32), 1.05 * double(ofWidth[i].globalBytesLoaded));
    uint64_t products = 0;
    for (uint64_t count : ofWidth[i].matrixOperations)
      products += count;
    EXPECT_EQ(products, uint64_t(in * out / 16 / 16));
  }
  EXPECT_EQ(ofWidth[0].bankConflicts, ofWidth[1].bankConflicts);
}

/// Scales of fewer columns than code reads at once are refused by name.
TEST(NumberFormats, RefusesBlocksThatAreTooNarrow) {
  mlir::MLIRContext context;
  context.loadDialect<mlir::func::FuncDialect, mlir::arith::ArithDialect>();
  moec::lowering::loadKernelDialects(context);
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) { message += diagnostic.str(); });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(linear(64, 16, "f8E4M3FN", 16, 16, "f32"), &context);
  ASSERT_TRUE(module);
  EXPECT_TRUE(failed(moec::lowering::x86::generateCode(*module)));
  EXPECT_NE(message.find("expected a number format that code for x86-64 reads, got"), std::string::npos) << message;
}
