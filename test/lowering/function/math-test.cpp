// Functions of numbers, in f32 and f64, against the host's library.
#include "FunctionRun.h"

#include "llvm/ADT/APFloat.h"
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

using namespace moec;
using namespace moec::test;

namespace {
/// Every element of x (and y) through `op`, of the dialect math or arith.
std::string elementwise(const std::string &op, const std::string &type, int operands) {
  std::string ins = operands == 2 ? "%x, %y" : "%x", tensor = "tensor<?x" + type + ">",
              types = operands == 2 ? tensor + ", " + tensor : tensor;
  std::string map = "affine_map<(d0) -> (d0)>", maps = operands == 2 ? map + ", " + map + ", " + map : map + ", " + map;
  return "func.func @main(%x: " + tensor + " {moe.input = \"x\"}" +
         (operands == 2 ? ", %y: " + tensor + " {moe.input = \"y\"}" : "") + ") -> (" + tensor +
         " {moe.output = \"z\"}) {\n %c0 = arith.constant 0 : index\n %n = tensor.dim %x, %c0 : " + tensor +
         "\n %e = tensor.empty(%n) : " + tensor + "\n %z = linalg.generic {indexing_maps = [" + maps +
         "], iterator_types = [\"parallel\"]} ins(" + ins + " : " + types + ") outs(%e : " + tensor + ") {\n ^bb0(%a: " + type +
         (operands == 2 ? ", %b: " + type : "") + ", %o: " + type + "):\n %r = " + op + " %a" + (operands == 2 ? ", %b" : "") +
         " : " + type + "\n linalg.yield %r : " + type + "\n } -> " + tensor + "\n return %z : " + tensor + "\n}";
}

struct Case {
  const char *op;
  double (*function)(double);
  double low, high;
};

/// Numbers from `low` to `high`, close to nothing, and beyond.
std::vector<double> argumentsOf(const Case &test) {
  std::vector<double> x{0.0, -0.0, NAN};
  for (int i = 0; i <= 1000; ++i)
    x.push_back(test.low + (test.high - test.low) * i / 1000);
  for (double tiny = 1; tiny > 1e-12; tiny /= 3)
    for (double value : {tiny, -tiny})
      if (value >= test.low && value <= test.high)
        x.push_back(value);
  if (test.low < -700)
    x.insert(x.end(), {INFINITY, -INFINITY, 1e30, -1e30});
  return x;
}

/// Whether `got` is `expected` up to a part `relative` of it.
bool isNear(double got, double expected, double relative) {
  if (std::isnan(expected) || std::isinf(expected))
    return std::isnan(expected) ? std::isnan(got) : got == expected;
  return std::abs(got - expected) <= relative * std::abs(expected) + 1e-300;
}

constexpr Case cases[] = {
    {"math.exp", std::exp, -750, 750},     {"math.exp2", std::exp2, -1000, 1000},   {"math.expm1", std::expm1, -750, 700},
    {"math.log", std::log, 0, 1e5},        {"math.log2", std::log2, 0, 1e5},        {"math.log10", std::log10, 0, 1e5},
    {"math.log1p", std::log1p, -1, 100},   {"math.sinh", std::sinh, -750, 750},     {"math.cosh", std::cosh, -750, 750},
    {"math.tanh", std::tanh, -750, 750},   {"math.asinh", std::asinh, -1000, 1000}, {"math.acosh", std::acosh, 1, 1000},
    {"math.atanh", std::atanh, -1, 1},     {"math.sin", std::sin, -100, 100},       {"math.cos", std::cos, -100, 100},
    {"math.tan", std::tan, -100, 100},     {"math.asin", std::asin, -1, 1},         {"math.acos", std::acos, -1, 1},
    {"math.atan", std::atan, -1000, 1000}, {"math.erf", std::erf, -750, 750},       {"math.erfc", std::erfc, -750, 750},
    {"math.cbrt", std::cbrt, -1000, 1000}, {"math.round", std::round, -10, 10},     {"math.sqrt", std::sqrt, 0, 1000},
};

TEST(FunctionMath, inDouble) {
  for (const Case &test : cases) {
    std::vector<double> x = argumentsOf(test);
    CompiledFunctions compiled(elementwise(test.op, "f64", 1));
    for (const std::vector<Tensor> &outputs : compiled.run({tensorOf(artifact::ElementType::f64, {int64_t(x.size())}, x)})) {
      std::vector<double> got = elementsOf<double>(outputs[0]);
      for (size_t i = 0; i < x.size(); ++i) {
        double expected = test.function(x[i]);
        if (std::string(test.op) == "math.erfc" && x[i] > 26)
          continue; // below the normal numbers
        EXPECT_TRUE(isNear(got[i], expected, 1e-12)) << test.op << " " << x[i] << ": expected " << expected << ", got " << got[i];
      }
    }
  }
}

TEST(FunctionMath, inSingle) {
  for (const Case &test : cases) {
    std::vector<float> x;
    for (double value : argumentsOf(test))
      x.push_back(float(value));
    CompiledFunctions compiled(elementwise(test.op, "f32", 1));
    for (const std::vector<Tensor> &outputs : compiled.run({floats({int64_t(x.size())}, x)})) {
      std::vector<float> got = elementsOf<float>(outputs[0]);
      for (size_t i = 0; i < x.size(); ++i) {
        float expected = float(test.function(double(x[i])));
        EXPECT_TRUE(isNear(got[i], expected, 1.2e-7) || (std::abs(expected) < 1.2e-38F && std::abs(got[i]) < 1.2e-38F))
            << test.op << " " << x[i] << ": expected " << expected << ", got " << got[i];
      }
    }
  }
}

/// Every number of 8 bits is what LLVM says it is.
TEST(FunctionMath, ofFloatsOfEightBits) {
  std::vector<uint8_t> bits(256);
  std::iota(bits.begin(), bits.end(), 0);
  for (auto [type, semantics] : {std::pair("f8E4M3FN", &llvm::APFloat::Float8E4M3FN()),
                                 {"f8E5M2", &llvm::APFloat::Float8E5M2()},
                                 {"f8E8M0FNU", &llvm::APFloat::Float8E8M0FNU()}}) {
    std::string map = "affine_map<(d0) -> (d0)>", name = type;
    CompiledFunctions compiled(
        "func.func @main(%x: tensor<256xi8> {moe.input = \"x\", moe.unsigned}) -> (tensor<256xf32> {moe.output = \"y\"}) {\n"
        "%e = tensor.empty() : tensor<256xf32>\n%y = linalg.generic {indexing_maps = [" +
        map + ", " + map +
        "], iterator_types = [\"parallel\"]} ins(%x : tensor<256xi8>) outs(%e : tensor<256xf32>) {\n^bb0(%a: i8, %o: f32):\n"
        "%f = arith.bitcast %a : i8 to " +
        name + "\n%r = arith.extf %f : " + name +
        " to f32\nlinalg.yield %r : f32\n} -> tensor<256xf32>\nreturn %y : tensor<256xf32>\n}");
    for (const std::vector<Tensor> &outputs : compiled.run({tensorOf(artifact::ElementType::u8, {256}, bits)})) {
      std::vector<float> got = elementsOf<float>(outputs[0]);
      for (size_t i = 0; i < 256; ++i) {
        llvm::APFloat value(*semantics, llvm::APInt(8, i));
        bool losesInfo, isNaN = value.isNaN(); // which is lost of a scale
        value.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
        double expected = isNaN ? NAN : value.convertToDouble();
        EXPECT_TRUE(isNear(got[i], expected, 0)) << name << " " << i << ": expected " << expected << ", got " << got[i];
      }
    }
  }
}

TEST(FunctionMath, ofTwoNumbers) {
  struct {
    const char *op;
    double (*function)(double, double);
  } binary[] = {{"math.powf", std::pow}, {"math.atan2", std::atan2}, {"arith.remf", std::fmod}};
  std::vector<double> x, y;
  for (double a : {0.0, -0.0, 1.0, -1.0, 0.3, -2.5, 7.0, -8.0, 1e3, 1e-3, double(INFINITY), -double(INFINITY), double(NAN)})
    for (double b : {0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 3.7, -0.25, double(INFINITY), -double(INFINITY), double(NAN)}) {
      x.push_back(a);
      y.push_back(b);
    }
  for (const auto &test : binary) {
    CompiledFunctions compiled(elementwise(test.op, "f64", 2));
    auto tensor = [](const std::vector<double> &values) {
      return tensorOf(artifact::ElementType::f64, {int64_t(values.size())}, values);
    };
    for (const std::vector<Tensor> &outputs : compiled.run({tensor(x), tensor(y)})) {
      std::vector<double> got = elementsOf<double>(outputs[0]);
      for (size_t i = 0; i < x.size(); ++i)
        EXPECT_TRUE(isNear(got[i], test.function(x[i], y[i]), 1e-12))
            << test.op << " " << x[i] << ", " << y[i] << ": expected " << test.function(x[i], y[i]) << ", got " << got[i];
    }
  }
}
} // namespace
