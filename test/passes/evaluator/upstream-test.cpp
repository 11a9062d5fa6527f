// What upstream ops mean to the evaluator, on numbers that a reader can follow.
#include "test/passes/evaluator/Evaluation.h"

#include "llvm/Support/FormatVariadic.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace moec::test;

namespace {

using Shape = std::vector<int64_t>;

/// The one result of a function of `text`.
Tensor evaluateOne(const std::string &text, const std::vector<Argument> &arguments) {
  std::vector<Tensor> results = evaluate(text, arguments);
  EXPECT_EQ(results.size(), 1u);
  return results.empty() ? Tensor() : results[0];
}

void expectTensor(const Tensor &tensor, const Shape &shape, const std::vector<double> &elements) {
  EXPECT_EQ(tensor.shape, shape);
  EXPECT_EQ(tensor.elements, elements);
}

/// `op` on two tensors of `type`.
std::vector<double> binary(const char *op, const char *type, std::vector<double> a, std::vector<double> b) {
  const char *text = R"(
    func.func @f(%a: tensor<?x{1}>, %b: tensor<?x{1}>) -> tensor<?x{1}> {{
      %c = {0} %a, %b : tensor<?x{1}>
      return %c : tensor<?x{1}>
    })";
  return evaluateOne(llvm::formatv(text, op, type), {vector(std::move(a)), vector(std::move(b))}).elements;
}

/// `op`, converting tensors of `from` to `to`.
std::vector<double> convert(const char *op, const char *from, const char *to, std::vector<double> values) {
  const char *text = R"(
    func.func @f(%a: tensor<?x{1}>) -> tensor<?x{2}> {{
      %b = {0} %a : tensor<?x{1}> to tensor<?x{2}>
      return %b : tensor<?x{2}>
    })";
  return evaluateOne(llvm::formatv(text, op, from, to), {vector(std::move(values))}).elements;
}

using Numbers = std::vector<double>;

TEST(Upstream, ElementwiseArithmetic) {
  auto real = [](const std::string &op, double a, double b) {
    std::vector<Tensor> results =
        evaluate("func.func @f(%a: tensor<?x1xf32>, %b: tensor<?x1xf32>) -> tensor<?x1xf32> { %y = " + op +
                     " %a, %b : tensor<?x1xf32> return %y : tensor<?x1xf32> }",
                 {rows({{a}}), rows({{b}})});
    return results.empty() ? NAN : results[0].elements[0];
  };
  auto unary = [](const std::string &op, double a) {
    std::vector<Tensor> results = evaluate("func.func @f(%a: tensor<?x1xf32>) -> tensor<?x1xf32> { %y = " + op +
                                               " %a : tensor<?x1xf32> return %y : tensor<?x1xf32> }",
                                           {rows({{a}})});
    return results.empty() ? NAN : results[0].elements[0];
  };
  EXPECT_EQ(real("arith.addf", 7, 2), 9);
  EXPECT_EQ(real("arith.subf", 7, 2), 5);
  EXPECT_EQ(real("arith.mulf", 7, 2), 14);
  EXPECT_EQ(real("arith.divf", 7, 2), 3.5);
  EXPECT_EQ(real("arith.maximumf", -7, 2), 2);
  EXPECT_EQ(real("arith.minimumf", -7, 2), -7);
  EXPECT_TRUE(std::isnan(real("arith.maximumf", NAN, 2)));
  EXPECT_TRUE(std::isnan(real("arith.minimumf", 2, NAN)));
  EXPECT_EQ(unary("arith.negf", 7), -7);
  EXPECT_EQ(unary("math.absf", -7), 7);
  EXPECT_EQ(unary("math.sqrt", 9), 3);
  EXPECT_EQ(unary("math.rsqrt", 4), 0.5);
  EXPECT_NEAR(unary("math.exp", 1), 2.718281828459045, 1e-14);
  EXPECT_NEAR(unary("math.log", 8), 2.0794415416798357, 1e-14);
  EXPECT_NEAR(unary("math.tanh", 0.5), 0.46211715726000975, 1e-14);
  EXPECT_NEAR(unary("math.erf", 0.5), 0.5204998778130465, 1e-14);
  EXPECT_NEAR(unary("math.sin", 0.5), 0.479425538604203, 1e-14);
  EXPECT_NEAR(unary("math.cos", 0.5), 0.8775825618903728, 1e-14);
}

TEST(Upstream, Constants) {
  const char *text = R"(
    func.func @f() -> (tensor<2x2xf32>, tensor<3xi32>) {
      %a = arith.constant dense<[[1.0, 2.5], [-3.0, 4.0]]> : tensor<2x2xf32>
      %b = arith.constant dense<-7> : tensor<3xi32>
      return %a, %b : tensor<2x2xf32>, tensor<3xi32>
    })";
  std::vector<Tensor> results = evaluate(text, {});
  ASSERT_EQ(results.size(), 2u);
  expectRows(results[0], {{1, 2.5}, {-3, 4}});
  expectRows(results[1], {{-7, -7, -7}});
}

TEST(Upstream, RefusesWhatItDoesNotKnow) {
  const char *text = R"(
    func.func @f(%a: tensor<?xi8>) -> tensor<?xui8> {
      %y = tensor.bitcast %a : tensor<?xi8> to tensor<?xui8>
      return %y : tensor<?xui8>
    })";
  EXPECT_EQ(refusal(text, {vector({8})}), "the reference evaluator does not know 'tensor.bitcast'");
}

TEST(Upstream, IntegersWrapAroundAtTheirWidth) {
  EXPECT_EQ(binary("arith.addi", "i8", {127, -128, 5}, {1, -1, 6}), (Numbers{-128, 127, 11}));
  EXPECT_EQ(binary("arith.muli", "i32", {65536}, {65536}), Numbers{0});
  EXPECT_EQ(binary("arith.addi", "i1", {1, 1, 0}, {1, 0, 0}), (Numbers{0, 1, 0}));
}

TEST(Upstream, DivisionRoundsAsItsNameSays) {
  EXPECT_EQ(binary("arith.divsi", "i64", {7, -7, 7}, {2, 2, -2}), (Numbers{3, -3, -3}));
  EXPECT_EQ(binary("arith.floordivsi", "i64", {7, -7, 7}, {2, 2, -2}), (Numbers{3, -4, -4}));
  EXPECT_EQ(binary("arith.ceildivsi", "i64", {7, -7, 7}, {2, 2, -2}), (Numbers{4, -3, -3}));
  EXPECT_EQ(binary("arith.remsi", "i64", {7, -7}, {4, 4}), (Numbers{3, -3}));
  EXPECT_EQ(binary("arith.divui", "i8", {-1}, {2}), Numbers{127});
}

TEST(Upstream, NaNGoesThroughMaximumfAndNotThroughMaxnumf) {
  double nan = std::nan("");
  EXPECT_TRUE(std::isnan(binary("arith.maximumf", "f32", {nan}, {1})[0]));
  EXPECT_EQ(binary("arith.maxnumf", "f32", {nan}, {1}), Numbers{1});
}

TEST(Upstream, ConversionsRoundAndCut) {
  EXPECT_EQ(convert("arith.truncf", "f32", "bf16", {1 + 0x1p-9, 1 + 0x1p-8 + 0x1p-9}), (Numbers{1, 1 + 0x1p-7}));
  EXPECT_EQ(convert("arith.truncf", "f32", "f16", {2049, 65520}), (Numbers{2048, HUGE_VAL}));
  EXPECT_EQ(convert("arith.fptosi", "f32", "i32", {-1.9, 1.9}), (Numbers{-1, 1}));
  EXPECT_EQ(convert("arith.extui", "i8", "i32", {-1}), Numbers{255});
  EXPECT_EQ(convert("arith.extsi", "i1", "i32", {1}), Numbers{-1});
  EXPECT_EQ(convert("arith.extui", "i1", "i32", {1}), Numbers{1});
  EXPECT_EQ(convert("arith.trunci", "i32", "i8", {200}), Numbers{-56});
  EXPECT_EQ(convert("arith.bitcast", "f32", "i32", {1}), Numbers{0x3f800000});
}

TEST(Upstream, ComparisonsKnowUnorderedAndUnsigned) {
  const char *text = R"(
    func.func @f(%a: tensor<?xf32>, %b: tensor<?xi8>) -> (tensor<?xi1>, tensor<?xi1>, tensor<?xi1>) {
      %0 = arith.cmpf olt, %a, %a : tensor<?xf32>
      %1 = arith.cmpf une, %a, %a : tensor<?xf32>
      %zero = arith.constant dense<1> : tensor<1xi8>
      %one = tensor.cast %zero : tensor<1xi8> to tensor<?xi8>
      %2 = arith.cmpi ugt, %b, %one : tensor<?xi8>
      return %0, %1, %2 : tensor<?xi1>, tensor<?xi1>, tensor<?xi1>
    })";
  std::vector<Tensor> results = evaluate(text, {vector({std::nan("")}), vector({-1})});
  ASSERT_EQ(results.size(), 3u);
  expectTensor(results[0], {1}, {0});
  expectTensor(results[1], {1}, {1});
  expectTensor(results[2], {1}, {1});
}

TEST(Upstream, ShapesAreValues) {
  const char *text = R"(
    func.func @f(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %rows = tensor.dim %x, %c0 : tensor<?x?xf32>
      %columns = tensor.dim %x, %c1 : tensor<?x?xf32>
      %count = arith.muli %rows, %columns : index
      %shape = tensor.from_elements %c1, %count : tensor<2xindex>
      %y = tensor.reshape %x(%shape) : (tensor<?x?xf32>, tensor<2xindex>) -> tensor<?x?xf32>
      return %y : tensor<?x?xf32>
    })";
  expectTensor(evaluateOne(text, {rows({{1, 2, 3}, {4, 5, 6}})}), {1, 6}, {1, 2, 3, 4, 5, 6});
}

TEST(Upstream, SlicesHaveOffsetsSizesAndStrides) {
  const char *text = R"(
    func.func @f(%x: tensor<2x4xf32>, %from: tensor<index>) -> (tensor<2xf32>, tensor<2x4xf32>) {
      %i = tensor.extract %from[] : tensor<index>
      %slice = tensor.extract_slice %x[1, %i] [1, 2] [1, 2] : tensor<2x4xf32> to tensor<2xf32>
      %put = tensor.insert_slice %slice into %x[0, 2] [1, 2] [1, 1] : tensor<2xf32> into tensor<2x4xf32>
      return %slice, %put : tensor<2xf32>, tensor<2x4xf32>
    })";
  std::vector<Tensor> results = evaluate(text, {rows({{1, 2, 3, 4}, {5, 6, 7, 8}}), Tensor({}, {1})});
  ASSERT_EQ(results.size(), 2u);
  expectTensor(results[0], {2}, {6, 8});
  expectTensor(results[1], {2, 4}, {1, 2, 6, 8, 5, 6, 7, 8});
}

TEST(Upstream, ASliceBeyondTheTensorIsRefused) {
  const char *text = R"(
    func.func @f(%x: tensor<?xf32>) -> tensor<2xf32> {
      %y = tensor.extract_slice %x[1] [2] [1] : tensor<?xf32> to tensor<2xf32>
      return %y : tensor<2xf32>
    })";
  EXPECT_NE(refusal(text, {vector({1, 2})}).find("expected a slice within the shape 2"), std::string::npos);
}

TEST(Upstream, ConcatAndPad) {
  const char *text = R"(
    func.func @f(%a: tensor<?x?xf32>, %b: tensor<?x?xf32>) -> tensor<?x?xf32> {
      %c = tensor.concat dim(1) %a, %b : (tensor<?x?xf32>, tensor<?x?xf32>) -> tensor<?x?xf32>
      %zero = arith.constant -1.0 : f32
      %d = tensor.pad %c low[1, 0] high[0, 1] {
      ^bb0(%i: index, %j: index):
        tensor.yield %zero : f32
      } : tensor<?x?xf32> to tensor<?x?xf32>
      return %d : tensor<?x?xf32>
    })";
  expectTensor(evaluateOne(text, {rows({{1}, {2}}), rows({{3, 4}, {5, 6}})}), {3, 4}, {-1, -1, -1, -1, 1, 3, 4, -1, 2, 5, 6, -1});
}

TEST(Linalg, NamedOpsAreTheirLoops) {
  const char *text = R"(
    func.func @f(%a: tensor<?x?xf32>, %b: tensor<?x?xf32>, %c: tensor<?x?xf32>) -> tensor<?x?xf32> {
      %d = linalg.matmul ins(%a, %b : tensor<?x?xf32>, tensor<?x?xf32>) outs(%c : tensor<?x?xf32>) -> tensor<?x?xf32>
      return %d : tensor<?x?xf32>
    })";
  expectTensor(evaluateOne(text, {rows({{1, 2}, {3, 4}}), rows({{10}, {1}}), rows({{100}, {200}})}), {2, 1}, {112, 234});
}

/// A gather: an element is read from another tensor at the place that ids say.
TEST(Linalg, GenericReadsOtherTensors) {
  const char *text = R"(
    func.func @f(%ids: tensor<?xi64>, %table: tensor<?x2xf32>, %out: tensor<?x2xf32>) -> tensor<?x2xf32> {
      %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
                           iterator_types = ["parallel", "parallel"]}
          ins(%ids : tensor<?xi64>) outs(%out : tensor<?x2xf32>) {
      ^bb0(%id: i64, %old: f32):
        %j = linalg.index 1 : index
        %row = arith.index_cast %id : i64 to index
        %x = tensor.extract %table[%row, %j] : tensor<?x2xf32>
        %sum = arith.addf %x, %old : f32
        linalg.yield %sum : f32
      } -> tensor<?x2xf32>
      return %y : tensor<?x2xf32>
    })";
  std::vector<Argument> arguments = {vector({2, 0}), rows({{1, 2}, {3, 4}, {5, 6}}), rows({{10, 20}, {30, 40}})};
  expectTensor(evaluateOne(text, arguments), {2, 2}, {15, 26, 31, 42});
  arguments[0] = vector({2, 3});
  EXPECT_NE(refusal(text, arguments).find("expected indices within the tensor, got 3, 0"), std::string::npos);
}

TEST(Linalg, LoopsWithinAnElement) {
  const char *text = R"(
    func.func @f(%n: tensor<?xindex>, %out: tensor<?xindex>) -> tensor<?xindex> {
      %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
          ins(%n : tensor<?xindex>) outs(%out : tensor<?xindex>) {
      ^bb0(%end: index, %old: index):
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %c2 = arith.constant 2 : index
        %sum = scf.for %i = %c0 to %end step %c1 iter_args(%so_far = %c0) -> (index) {
          %odd = arith.remui %i, %c2 : index
          %is_odd = arith.cmpi eq, %odd, %c1 : index
          %next = scf.if %is_odd -> (index) {
            %more = arith.addi %so_far, %i : index
            scf.yield %more : index
          } else {
            scf.yield %so_far : index
          }
          scf.yield %next : index
        }
        %log:2 = scf.while (%rest = %end, %steps = %c0) : (index, index) -> (index, index) {
          %go = arith.cmpi ugt, %rest, %c1 : index
          scf.condition(%go) %rest, %steps : index, index
        } do {
        ^bb0(%rest: index, %steps: index):
          %half = arith.divui %rest, %c2 : index
          %counted = arith.addi %steps, %c1 : index
          scf.yield %half, %counted : index, index
        }
        %hundred = arith.constant 100 : index
        %high = arith.muli %log#1, %hundred : index
        %both = arith.addi %sum, %high : index
        linalg.yield %both : index
      } -> tensor<?xindex>
      return %y : tensor<?xindex>
    })";
  // Odd numbers below 0, 3 and 8; halvings of 0, 3 and 8.
  expectTensor(evaluateOne(text, {vector({0, 3, 8}), vector({0, 0, 0})}), {3}, {0, 101, 316});
}

TEST(ControlFlow, LoopsCarryTensors) {
  const char *text = R"(
    func.func @f(%x: tensor<?xf32>, %n: tensor<index>) -> tensor<?xf32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %end = tensor.extract %n[] : tensor<index>
      %y:2 = scf.for %i = %c0 to %end step %c1 iter_args(%a = %x, %b = %x) -> (tensor<?xf32>, tensor<?xf32>) {
        %sum = arith.addf %a, %b : tensor<?xf32>
        scf.yield %b, %sum : tensor<?xf32>, tensor<?xf32>
      }
      return %y#1 : tensor<?xf32>
    })";
  expectTensor(evaluateOne(text, {vector({1, 10}), Tensor({}, {4})}), {2}, {8, 80}); // 1 1 2 3 5 8
}

TEST(ControlFlow, AssertionsSayTheirMessage) {
  const char *text = R"(
    func.func @f(%x: tensor<?xf32>) -> tensor<?xf32> {
      %c0 = arith.constant 0 : index
      %c2 = arith.constant 2 : index
      %n = tensor.dim %x, %c0 : tensor<?xf32>
      %even = arith.cmpi eq, %n, %c2 : index
      cf.assert %even, "expected two elements"
      return %x : tensor<?xf32>
    })";
  expectTensor(evaluateOne(text, {vector({1, 2})}), {2}, {1, 2});
  EXPECT_NE(refusal(text, {vector({1})}).find("expected two elements"), std::string::npos);
}

/// A weight is read from where it lies, and only while something uses it.
TEST(ControlFlow, BranchesChooseWeights) {
  const char *text = R"(
    func.func @f(%which: tensor<i1>, %x: tensor<?x2xf32>, %a: tensor<1x2xf32>, %b: tensor<1x2xf32>) -> tensor<?x1xf32> {
      %c = tensor.extract %which[] : tensor<i1>
      %w = scf.if %c -> (tensor<1x2xf32>) {
        scf.yield %a : tensor<1x2xf32>
      } else {
        scf.yield %b : tensor<1x2xf32>
      }
      %y = moe.linear %x, %w : tensor<?x2xf32>, tensor<1x2xf32> -> tensor<?x1xf32>
      return %y : tensor<?x1xf32>
    })";
  expectTensor(evaluateOne(text, {Tensor({}, {0}), rows({{1, 1}}), rows({{1, 2}}), rows({{3, 4}})}), {1, 1}, {7});
}

} // namespace
