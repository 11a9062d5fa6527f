// Functions of upstream ops: shapes that each run decides, products, reductions, control flow, what fails at run time.
#include "FunctionRun.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace moec;
using namespace moec::test;
using artifact::ElementType;

namespace {
TEST(Functions, addTensorsOfAnyShapeByBroadcast) {
  CompiledFunctions add(R"(
    #whole = affine_map<(d0, d1) -> (d0, d1)>
    #column = affine_map<(d0, d1) -> (d1)>
    func.func @main(%x: tensor<?x?xf32> {moe.input = "x"}, %y: tensor<?xf32> {moe.input = "y"}) -> (tensor<?x?xf32> {moe.output = "z"}) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %rows = tensor.dim %x, %c0 : tensor<?x?xf32>
      %columns = tensor.dim %x, %c1 : tensor<?x?xf32>
      %empty = tensor.empty(%rows, %columns) : tensor<?x?xf32>
      %z = linalg.generic {indexing_maps = [#whole, #column, #whole], iterator_types = ["parallel", "parallel"]}
          ins(%x, %y : tensor<?x?xf32>, tensor<?xf32>) outs(%empty : tensor<?x?xf32>) {
      ^bb0(%a: f32, %b: f32, %out: f32):
        %s = arith.addf %a, %b : f32
        linalg.yield %s : f32
      } -> tensor<?x?xf32>
      return %z : tensor<?x?xf32>
    })");
  for (const std::vector<Tensor> &outputs : add.run({floats({2, 3}, {1, 2, 3, 4, 5, 6}), floats({3}, {10, 20, 30})})) {
    EXPECT_EQ(outputs[0].shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(elementsOf<float>(outputs[0]), (std::vector<float>{11, 22, 33, 14, 25, 36}));
  }
  // Nothing at all is a size like others.
  for (const std::vector<Tensor> &outputs : add.run({floats({0, 3}, {}), floats({3}, {10, 20, 30})}))
    EXPECT_EQ(outputs[0].shape, (std::vector<int64_t>{0, 3}));
  // Dimensions that have to agree do not.
  EXPECT_NE(add.refusal({floats({2, 3}, {1, 2, 3, 4, 5, 6}), floats({2}, {10, 20})}).find("linalg.generic: "), std::string::npos);
  EXPECT_EQ(add.refusal({floats({2}, {1, 2}), floats({2}, {10, 20})}), "input 'x': expected f32 [?, ?], got f32 [2]");
  EXPECT_EQ(add.refusal({longs({1, 1}, {1}), floats({2}, {10, 20})}), "input 'x': expected f32 [?, ?], got i64 [1, 1]");
  EXPECT_EQ(add.refusal({floats({1, 1}, {1})}), "expected 2 inputs, got 1");
}

TEST(Functions, multiplyByAWeight) {
  std::vector<float> weight = randomFloats(int64_t{37} * 53, 1), x = randomFloats(int64_t{5} * 37, 2);
  CompiledFunctions multiply(R"(
    module attributes {moe.folder = "/"} {
      moe.weight @w : tensor<37x53xf32> = [#moe.slice<"w" in "weights" at 0 rows 37>]
      func.func @main(%x: tensor<?x37xf32> {moe.input = "x"}) -> (tensor<?x53xf32> {moe.output = "y"}) {
        %w = moe.get_weight @w : tensor<37x53xf32>
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %rows = tensor.dim %x, %c0 : tensor<?x37xf32>
        %empty = tensor.empty(%rows) : tensor<?x53xf32>
        %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x53xf32>) -> tensor<?x53xf32>
        %y = linalg.matmul ins(%x, %w : tensor<?x37xf32>, tensor<37x53xf32>) outs(%zeros : tensor<?x53xf32>) -> tensor<?x53xf32>
        return %y : tensor<?x53xf32>
      }
    })",
                             std::string(reinterpret_cast<const char *>(weight.data()), weight.size() * 4));
  for (const std::vector<Tensor> &outputs : multiply.run({floats({5, 37}, x)})) {
    std::vector<float> y = elementsOf<float>(outputs[0]);
    for (size_t row = 0; row < 5; ++row)
      for (size_t column = 0; column < 53; ++column) {
        double expected = 0;
        for (size_t i = 0; i < 37; ++i)
          expected += double(x[row * 37 + i]) * double(weight[i * 53 + column]);
        EXPECT_NEAR(y[row * 53 + column], expected, 1e-5);
      }
  }
}

TEST(Functions, takeWeightsOfSeveralElementsToAByte) {
  CompiledFunctions widen(R"(
    #at = affine_map<(d0, d1) -> (d0, d1)>
    module attributes {moe.folder = "/"} {
      moe.weight @four : tensor<2x4xi4> = [#moe.slice<"four" in "weights" at 0 rows 2>]
      moe.weight @two : tensor<1x8xi2> = [#moe.slice<"two" in "weights" at 1 rows 1>]
      moe.weight @floats : tensor<1x4xf4E2M1FN> = [#moe.slice<"floats" in "weights" at 2 rows 1>]
      func.func @main(%x: tensor<1xf32> {moe.input = "x"})
          -> (tensor<2x4xf32> {moe.output = "a"}, tensor<1x8xf32> {moe.output = "b"}, tensor<1x4xf32> {moe.output = "c"}) {
        %four = moe.get_weight @four : tensor<2x4xi4>
        %two = moe.get_weight @two : tensor<1x8xi2>
        %floats = moe.get_weight @floats : tensor<1x4xf4E2M1FN>
        %a = arith.sitofp %four : tensor<2x4xi4> to tensor<2x4xf32>
        %b = arith.uitofp %two : tensor<1x8xi2> to tensor<1x8xf32>
        %c = arith.extf %floats : tensor<1x4xf4E2M1FN> to tensor<1x4xf32>
        return %a, %b, %c : tensor<2x4xf32>, tensor<1x8xf32>, tensor<1x4xf32>
      }
    })",
                          "\x21\xf8\x93\x7e");
  for (const std::vector<Tensor> &outputs : widen.run({floats({1}, {0})})) {
    EXPECT_EQ(elementsOf<float>(outputs[0]), (std::vector<float>{1, 2, -8, -1, 3, -7, -2, 7}));
    EXPECT_EQ(elementsOf<float>(outputs[1]), (std::vector<float>{0, 2, 3, 3, 3, 0, 1, 2}));
    EXPECT_EQ(elementsOf<float>(outputs[2]), (std::vector<float>{1.5, -0.5, -4, 6}));
  }
}

TEST(Functions, takeControlFlowAndShapesThatTheyCompute) {
  // The sum of 0 to n - 1, and x in a shape that is an input.
  CompiledFunctions function(R"(
    func.func @main(%n: tensor<i64> {moe.input = "n"}, %x: tensor<?xf32> {moe.input = "x"}, %shape: tensor<2xi64> {moe.input = "shape"})
        -> (tensor<i64> {moe.output = "sum"}, tensor<?x?xf32> {moe.output = "reshaped"}, tensor<?xf32> {moe.output = "x again"}) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %limit64 = tensor.extract %n[] : tensor<i64>
      %limit = arith.index_cast %limit64 : i64 to index
      %zero = arith.constant dense<0> : tensor<i64>
      %sum = scf.for %i = %c0 to %limit step %c1 iter_args(%sofar = %zero) -> tensor<i64> {
        %old = tensor.extract %sofar[] : tensor<i64>
        %i64 = arith.index_cast %i : index to i64
        %new = arith.addi %old, %i64 : i64
        %next = tensor.insert %new into %sofar[] : tensor<i64>
        scf.yield %next : tensor<i64>
      }
      %reshaped = tensor.reshape %x(%shape) : (tensor<?xf32>, tensor<2xi64>) -> tensor<?x?xf32>
      return %sum, %reshaped, %x : tensor<i64>, tensor<?x?xf32>, tensor<?xf32>
    })");
  Tensor x = floats({6}, {1, 2, 3, 4, 5, 6});
  for (const std::vector<Tensor> &outputs : function.run({longs({}, {5}), x, longs({2}, {3, 2})})) {
    EXPECT_EQ(elementsOf<int64_t>(outputs[0]), (std::vector<int64_t>{10}));
    EXPECT_EQ(outputs[1].shape, (std::vector<int64_t>{3, 2}));
    EXPECT_EQ(outputs[1].bytes, x.bytes);
    EXPECT_EQ(outputs[2].bytes, x.bytes);
  }
  EXPECT_EQ(function.refusal({longs({}, {5}), x, longs({2}, {3, 3})}),
            "tensor.reshape: expected a shape of as many elements as the tensor has");
  EXPECT_EQ(function.refusal({longs({}, {5}), x, longs({2}, {-3, -2})}),
            "tensor.reshape: expected a shape of as many elements as the tensor has");
}

/// Of which each has the sizes that it has, whichever was chosen.
TEST(Functions, chooseBetweenTensors) {
  CompiledFunctions function(R"(
    func.func @main(%first: tensor<i64> {moe.input = "first"}, %a: tensor<?xf32> {moe.input = "a"}, %b: tensor<?xf32> {moe.input = "b"})
        -> (tensor<?xf32> {moe.output = "branch"}, tensor<?xf32> {moe.output = "select"}) {
      %flag = tensor.extract %first[] : tensor<i64>
      %zero = arith.constant 0 : i64
      %isFirst = arith.cmpi ne, %flag, %zero : i64
      %branch = scf.if %isFirst -> tensor<?xf32> {
        scf.yield %a : tensor<?xf32>
      } else {
        scf.yield %b : tensor<?xf32>
      }
      %twice = arith.addf %a, %a : tensor<?xf32>
      %select = arith.select %isFirst, %twice, %b : tensor<?xf32>
      return %branch, %select : tensor<?xf32>, tensor<?xf32>
    })");
  Tensor a = floats({3}, {1, 2, 3}), b = floats({2}, {4, 5});
  for (const std::vector<Tensor> &outputs : function.run({longs({}, {1}), a, b})) {
    EXPECT_EQ(elementsOf<float>(outputs[0]), (std::vector<float>{1, 2, 3}));
    EXPECT_EQ(elementsOf<float>(outputs[1]), (std::vector<float>{2, 4, 6}));
  }
  for (const std::vector<Tensor> &outputs : function.run({longs({}, {0}), a, b}))
    for (const Tensor &output : outputs) {
      EXPECT_EQ(output.shape, (std::vector<int64_t>{2}));
      EXPECT_EQ(elementsOf<float>(output), (std::vector<float>{4, 5}));
    }
}

TEST(Functions, seeScalarsAsTensors) {
  CompiledFunctions function(R"(
    func.func @main(%x: tensor<f32> {moe.input = "x"}) -> (tensor<1x1xf32> {moe.output = "y"}) {
      %sum = arith.addf %x, %x : tensor<f32>
      %y = tensor.expand_shape %sum [] output_shape [1, 1] : tensor<f32> into tensor<1x1xf32>
      return %y : tensor<1x1xf32>
    })");
  for (const std::vector<Tensor> &outputs : function.run({floats({}, {3})}))
    EXPECT_EQ(elementsOf<float>(outputs[0]), (std::vector<float>{6}));
}

TEST(Functions, seeTensorsInOtherShapes) {
  // As rows and back, by dimensions that only a run knows; and a slice of them, which is not contiguous.
  CompiledFunctions function(R"(
    func.func @main(%x: tensor<?x?x4xf32> {moe.input = "x"}) -> (tensor<?x?x4xf32> {moe.output = "y"}, tensor<?x?x2xf32> {moe.output = "z"}) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %a = tensor.dim %x, %c0 : tensor<?x?x4xf32>
      %b = tensor.dim %x, %c1 : tensor<?x?x4xf32>
      %n = arith.muli %a, %b : index
      %rows = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x?x4xf32> into tensor<?x4xf32>
      %sum = arith.addf %rows, %rows : tensor<?x4xf32>
      %y = tensor.expand_shape %sum [[0, 1], [2]] output_shape [%a, %b, 4] : tensor<?x4xf32> into tensor<?x?x4xf32>
      %half = tensor.extract_slice %sum[0, 1] [%n, 2] [1, 1] : tensor<?x4xf32> to tensor<?x2xf32>
      %z = tensor.expand_shape %half [[0, 1], [2]] output_shape [%b, %a, 2] : tensor<?x2xf32> into tensor<?x?x2xf32>
      return %y, %z : tensor<?x?x4xf32>, tensor<?x?x2xf32>
    })");
  for (const std::vector<Tensor> &outputs : function.run({floats({1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})})) {
    EXPECT_EQ(outputs[0].shape, (std::vector<int64_t>{1, 2, 4}));
    EXPECT_EQ(elementsOf<float>(outputs[0]), (std::vector<float>{2, 4, 6, 8, 10, 12, 14, 16}));
    EXPECT_EQ(outputs[1].shape, (std::vector<int64_t>{2, 1, 2}));
    EXPECT_EQ(elementsOf<float>(outputs[1]), (std::vector<float>{4, 6, 12, 14}));
  }
}

TEST(Functions, gatherWithinTheirTensors) {
  CompiledFunctions gather(R"(
    #map = affine_map<(d0) -> (d0)>
    func.func @main(%x: tensor<?xf32> {moe.input = "x"}, %at: tensor<?xi64> {moe.input = "at"}) -> (tensor<?xf32> {moe.output = "y"}) {
      %c0 = arith.constant 0 : index
      %count = tensor.dim %at, %c0 : tensor<?xi64>
      %empty = tensor.empty(%count) : tensor<?xf32>
      %y = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]}
          ins(%at : tensor<?xi64>) outs(%empty : tensor<?xf32>) {
      ^bb0(%place: i64, %out: f32):
        %index = arith.index_cast %place : i64 to index
        %element = tensor.extract %x[%index] : tensor<?xf32>
        linalg.yield %element : f32
      } -> tensor<?xf32>
      return %y : tensor<?xf32>
    })");
  Tensor x = floats({3}, {1, 2, 3});
  for (const std::vector<Tensor> &outputs : gather.run({x, longs({4}, {2, 0, 1, 2})}))
    EXPECT_EQ(elementsOf<float>(outputs[0]), (std::vector<float>{3, 1, 2, 3}));
  EXPECT_EQ(gather.refusal({x, longs({1}, {3})}), "tensor.extract: out-of-bounds access");
  EXPECT_EQ(gather.refusal({x, longs({1}, {-1})}), "tensor.extract: out-of-bounds access");
}

TEST(Functions, failWithTheirOwnWords) {
  CompiledFunctions check(R"(
    func.func @main(%n: tensor<i64> {moe.input = "n"}) -> (tensor<i64> {moe.output = "n"}) {
      %value = tensor.extract %n[] : tensor<i64>
      %zero = arith.constant 0 : i64
      %positive = arith.cmpi sgt, %value, %zero : i64
      cf.assert %positive, "node 'a': expected n > 0"
      return %n : tensor<i64>
    })");
  for (const std::vector<Tensor> &outputs : check.run({longs({}, {1})}))
    EXPECT_EQ(elementsOf<int64_t>(outputs[0]), (std::vector<int64_t>{1}));
  EXPECT_EQ(check.refusal({longs({}, {0})}), "node 'a': expected n > 0");
}

TEST(Functions, takeNoMoreMemoryThanThereIs) {
  CompiledFunctions expand(R"(
    func.func @main(%n: tensor<i64> {moe.input = "n"}) -> (tensor<?x?xf32> {moe.output = "zeros"}) {
      %size64 = tensor.extract %n[] : tensor<i64>
      %size = arith.index_cast %size64 : i64 to index
      %empty = tensor.empty(%size, %size) : tensor<?x?xf32>
      %zero = arith.constant 0.0 : f32
      %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
      return %zeros : tensor<?x?xf32>
    })");
  EXPECT_NE(expand.refusal({longs({}, {int64_t(1) << 40})}).find("a tensor of more than 2^64 bytes"), std::string::npos);
  EXPECT_NE(expand.refusal({longs({}, {int64_t(1) << 20})}).find("is more than the "), std::string::npos);
  EXPECT_NE(expand.refusal({longs({}, {-1})}).find("a tensor of more than 2^64 bytes"), std::string::npos);
}
} // namespace
