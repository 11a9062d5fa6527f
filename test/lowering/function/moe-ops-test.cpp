// moe ops in functions run as the reference evaluator says.
#include "FunctionRun.h"

#include "dialects/moe/MoE.h"
#include "passes/evaluator/Evaluator.h"

#include "mlir/InitAllDialects.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace moec;
using namespace moec::test;

namespace {
struct Given {
  std::vector<int64_t> shape;
  std::vector<double> values;
};

Given random(std::vector<int64_t> shape, uint32_t seed) {
  int64_t count = 1;
  for (int64_t dim : shape)
    count *= dim;
  std::vector<float> values = randomFloats(count, seed);
  return {std::move(shape), {values.begin(), values.end()}};
}

/// Runs @main of `text` on floats and integers, and holds its outputs to the evaluator's. Weights are inputs like others.
void expectAsEvaluated(const std::string &text, const std::vector<Given> &given, double tolerance = 2e-6) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  registry.insert<moe::MoEDialect>();
  mlir::MLIRContext context(registry);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  ASSERT_TRUE(module);
  auto function = *module->getOps<mlir::func::FuncOp>().begin();
  std::vector<evaluator::Argument> arguments;
  std::vector<Tensor> inputs;
  for (auto [index, tensor] : llvm::enumerate(given)) {
    arguments.emplace_back(evaluator::Tensor(tensor.shape, tensor.values));
    mlir::Type element = cast<mlir::RankedTensorType>(function.getArgumentTypes()[index]).getElementType();
    if (element.isF32())
      inputs.push_back(floats(tensor.shape, {tensor.values.begin(), tensor.values.end()}));
    else if (element.isInteger(64))
      inputs.push_back(longs(tensor.shape, {tensor.values.begin(), tensor.values.end()}));
    else
      inputs.push_back(tensorOf<int32_t>(artifact::ElementType::i32, tensor.shape, {tensor.values.begin(), tensor.values.end()}));
  }
  evaluator::Weights weights({});
  evaluator::Caches caches;
  auto expected = evaluator::evaluate(function, arguments, weights, caches);
  ASSERT_TRUE(succeeded(expected));

  CompiledFunctions compiled(text);
  for (const std::vector<Tensor> &outputs : compiled.run(inputs)) {
    ASSERT_EQ(outputs.size(), expected->size());
    for (size_t output = 0; output < outputs.size(); ++output) {
      EXPECT_EQ(outputs[output].shape, (*expected)[output].shape);
      bool isFloat = outputs[output].element == artifact::ElementType::f32;
      std::vector<float> reals = elementsOf<float>(outputs[output]);
      std::vector<int32_t> integers = elementsOf<int32_t>(outputs[output]);
      ASSERT_EQ(reals.size(), (*expected)[output].elements.size());
      for (size_t i = 0; i < reals.size(); ++i)
        EXPECT_NEAR(isFloat ? reals[i] : integers[i], (*expected)[output].elements[i], tolerance)
            << "output " << output << ", " << i;
    }
  }
}

TEST(FunctionMoE, dense) {
  expectAsEvaluated(R"(
    func.func @main(%x: tensor<?x24xf32> {moe.input = "x"}, %w: tensor<40x24xf32> {moe.input = "w"}, %b: tensor<40xf32> {moe.input = "b"},
                    %r: tensor<?x40xf32> {moe.input = "r"}, %down: tensor<24x40xf32> {moe.input = "down"})
        -> (tensor<?x40xf32> {moe.output = "linear"}, tensor<?x24xf32> {moe.output = "mlp"}, tensor<?x16xf32> {moe.output = "columns"}) {
      %y = moe.linear %x, %w bias %b (tensor<40xf32>) residual %r (tensor<?x40xf32>) : tensor<?x24xf32>, tensor<40x24xf32> -> tensor<?x40xf32>
      %m = moe.gated_mlp %x, %w, %w, %down residual %x (tensor<?x24xf32>) {activation = #moe.activation<kind = gelu>}
        : tensor<?x24xf32>, tensor<40x24xf32>, tensor<40x24xf32>, tensor<24x40xf32> -> tensor<?x24xf32>
      %a = moe.activate %y, %y {activation = #moe.activation<kind = silu, alpha = 1.702, gate_max = 1.0, up_limit = 0.5, up_offset = 1.0>} : tensor<?x40xf32>
      %c = moe.columns %a from 8 : tensor<?x40xf32> -> tensor<?x16xf32>
      return %y, %m, %c : tensor<?x40xf32>, tensor<?x24xf32>, tensor<?x16xf32>
    })",
                    {random({5, 24}, 1), random({40, 24}, 2), random({40}, 3), random({5, 40}, 4), random({24, 40}, 5)}, 1e-5);
}

TEST(FunctionMoE, norms) {
  expectAsEvaluated(R"(
    func.func @main(%x: tensor<?x24xf32> {moe.input = "x"}, %w: tensor<8xf32> {moe.input = "w"}, %b: tensor<8xf32> {moe.input = "b"})
        -> (tensor<?x24xf32> {moe.output = "heads"}, tensor<?x24xf32> {moe.output = "rows"}, tensor<?x24xf32> {moe.output = "layer"}) {
      %h = moe.rms_norm %x, %w {epsilon = 1.0e-6 : f64} : tensor<?x24xf32>, tensor<8xf32>
      %r = moe.rms_norm %x {epsilon = 1.0e-5 : f64, group = 24 : i64} : tensor<?x24xf32>
      %l = moe.layer_norm %x, %w, %b {epsilon = 1.0e-6 : f64} : tensor<?x24xf32>, tensor<8xf32>, tensor<8xf32>
      return %h, %r, %l : tensor<?x24xf32>, tensor<?x24xf32>, tensor<?x24xf32>
    })",
                    {random({7, 24}, 1), random({8}, 2), random({8}, 3)});
}

TEST(FunctionMoE, routes) {
  for (const char *routing :
       {"k = 3, score = softmax", "k = 2, score = softmax_topk, scale = 2.5", "k = 4, score = sqrt_softplus, renormalize = true",
        "k = 3, score = sigmoid, groups = 4, kept_groups = 2, group_score = top2_sum, renormalize = true, epsilon = 1.0e-20, scale "
        "= 2.5",
        "k = 3, score = softmax, groups = 4, kept_groups = 3, mask_fill = zero"}) {
    std::string k = std::string(routing).substr(4, 1);
    expectAsEvaluated(
        "func.func @main(%x: tensor<?x16xf32> {moe.input = \"x\"}, %b: tensor<16xf32> {moe.input = \"b\"}) -> (tensor<?x" + k +
            "xi32> {moe.output = \"ids\"}, tensor<?x" + k + "xf32> {moe.output = \"weights\"}) {\n" +
            "%ids, %weights = moe.route %x bias %b (tensor<16xf32>) {routing = #moe.routing<" + routing +
            ">} : tensor<?x16xf32> -> tensor<?x" + k + "xi32>, tensor<?x" + k + "xf32>\n return %ids, %weights : tensor<?x" + k +
            "xi32>, tensor<?x" + k + "xf32>\n}",
        {random({9, 16}, 1), random({16}, 2)});
  }
}

TEST(FunctionMoE, routesByNearLogits) {
  expectAsEvaluated(R"(
    func.func @main(%x: tensor<?x16xf32> {moe.input = "x"}) -> (tensor<?x3xi32> {moe.output = "ids"}, tensor<?x3xf32> {moe.output = "weights"}) {
      %ids, %weights = moe.route %x {routing = #moe.routing<k = 3, score = sparse_mixer, jitter_epsilon = 0.25>}
        : tensor<?x16xf32> -> tensor<?x3xi32>, tensor<?x3xf32>
      return %ids, %weights : tensor<?x3xi32>, tensor<?x3xf32>
    })",
                    {random({9, 16}, 1)});
}

TEST(FunctionMoE, sendTokensToExperts) {
  std::string types =
      "tensor<?x12xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x20x12xf32>, tensor<4x20x12xf32>, tensor<4x12x20xf32>";
  for (const char *variant : {"", " biases %gb, %ub, %db (tensor<4x20xf32>, tensor<4x20xf32>, tensor<4x12xf32>)"})
    for (const char *weighted : {"", ", weight_on_input"})
      expectAsEvaluated(R"(
        func.func @main(%x: tensor<?x12xf32> {moe.input = "x"}, %l: tensor<?x4xf32> {moe.input = "l"}, %gate: tensor<4x20x12xf32> {moe.input = "gate"},
                        %up: tensor<4x20x12xf32> {moe.input = "up"}, %down: tensor<4x12x20xf32> {moe.input = "down"},
                        %gb: tensor<4x20xf32> {moe.input = "gb"}, %ub: tensor<4x20xf32> {moe.input = "ub"}, %db: tensor<4x12xf32> {moe.input = "db"})
            -> (tensor<?x12xf32> {moe.output = "y"}) {
          %ids, %weights = moe.route %l {routing = #moe.routing<k = 2, score = softmax_topk>} : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
          %y = moe.experts %x to %ids, %weights with %gate, %up, %down)" +
                            std::string(variant) + " {activation = #moe.activation<kind = silu>" + weighted + "} : " + types +
                            " -> tensor<?x12xf32>\n return %y : tensor<?x12xf32>\n}",
                        {random({6, 12}, 1), random({6, 4}, 2), random({4, 20, 12}, 3), random({4, 20, 12}, 4),
                         random({4, 12, 20}, 5), random({4, 20}, 6), random({4, 20}, 7), random({4, 12}, 8)},
                        1e-5);
}

TEST(FunctionMoE, embed) {
  std::string text = R"(
    func.func @main(%ids: tensor<?xi32> {moe.input = "ids"}, %t: tensor<10x6xf32> {moe.input = "t"}) -> (tensor<?x6xf32> {moe.output = "y"}) {
      %y = moe.embed %ids, %t : tensor<10x6xf32> -> tensor<?x6xf32>
      return %y : tensor<?x6xf32>
    })";
  expectAsEvaluated(text, {{{4}, {3, 0, 9, 3}}, random({10, 6}, 1)});
  CompiledFunctions embed(text);
  for (int32_t id : {10, -1})
    EXPECT_EQ(embed.refusal({tensorOf<int32_t>(artifact::ElementType::i32, {1}, {id}), floats({10, 6}, randomFloats(60, 1))}),
              "moe.embed: expected ids below 10, got another");
}
TEST(FunctionMoE, rope) {
  for (const char *rotary :
       {"dims = 6, layout = half, offset = 2, multiplier = 1.25", "dims = 6, layout = interleaved, inverse = true"})
    expectAsEvaluated(R"(
      func.func @main(%x: tensor<?x24xf32> {moe.input = "x"}, %cos: tensor<?x3xf32> {moe.input = "cos"}, %sin: tensor<?x3xf32> {moe.input = "sin"})
          -> (tensor<?x24xf32> {moe.output = "y"}) {
        %y = moe.rope %x by %cos, %sin : tensor<?x3xf32>, tensor<?x3xf32> {head_dim = 8 : i64, rotary = #moe.rotary<)" +
                          std::string(rotary) + R"(>} : tensor<?x24xf32>
        return %y : tensor<?x24xf32>
      })",
                      {random({5, 24}, 1), random({5, 3}, 2), random({5, 3}, 3)});
}

/// Two sequences of three queries and five keys; the second has only three of them.
TEST(FunctionMoE, attendsToRows) {
  for (const char *seen :
       {"", "from %first", "bias %b : tensor<?x4x1x?xf32>", "from %first bias %b : tensor<?x4x1x?xf32> sinks %s (tensor<4xf32>)"})
    for (const char *attributes : {"", ", soft_cap = 0.5 : f64"})
      expectAsEvaluated(R"(
        func.func @main(%q: tensor<?x16xf32> {moe.input = "q"}, %k: tensor<?x8xf32> {moe.input = "k"}, %v: tensor<?x6xf32> {moe.input = "v"},
                        %n: tensor<?xi64> {moe.input = "n"}, %first: tensor<?xi64> {moe.input = "first"}, %b: tensor<?x4x1x?xf32> {moe.input = "b"},
                        %s: tensor<4xf32> {moe.input = "s"}) -> (tensor<?x12xf32> {moe.output = "y"}) {
          %y = moe.attention %q across %k, %v : tensor<?x8xf32>, tensor<?x6xf32> of %n )" +
                            std::string(seen) + " {head_dim = 4 : i64, scale = 0.5 : f64" + attributes +
                            R"(} : tensor<?x16xf32> -> tensor<?x12xf32>
          return %y : tensor<?x12xf32>
        })",
                        {random({6, 16}, 1),
                         random({10, 8}, 2),
                         random({10, 6}, 3),
                         {{2}, {5, 3}},
                         {{2}, {1, 1}},
                         random({2, 4, 1, 5}, 4),
                         random({4}, 5)});
}

TEST(FunctionMoE, attendsToLatents) {
  expectAsEvaluated(R"(
    func.func @main(%q: tensor<?x18xf32> {moe.input = "q"}, %c: tensor<?x7xf32> {moe.input = "c"}, %k: tensor<?x18xf32> {moe.input = "k"},
                    %v: tensor<?x15xf32> {moe.input = "v"}, %ku: tensor<3x4x5xf32> {moe.input = "ku"}, %vu: tensor<3x5x5xf32> {moe.input = "vu"},
                    %n: tensor<?xi64> {moe.input = "n"}, %m: tensor<?xi64> {moe.input = "m"})
        -> (tensor<?x15xf32> {moe.output = "y"}, tensor<?x15xf32> {moe.output = "past"}, tensor<?x15xf32> {moe.output = "absorbed"}) {
      %y = moe.latent_attention %q across %c : tensor<?x7xf32> of %n with %ku, %vu {scale = 0.5 : f64}
        : tensor<?x18xf32>, tensor<3x4x5xf32>, tensor<3x5x5xf32> -> tensor<?x15xf32>
      %p = moe.latent_attention %q across %c : tensor<?x7xf32> after %k, %v : tensor<?x18xf32>, tensor<?x15xf32> of %m from %n with %ku, %vu {scale = 0.5 : f64}
        : tensor<?x18xf32>, tensor<3x4x5xf32>, tensor<3x5x5xf32> -> tensor<?x15xf32>
      %a = moe.absorbed_attention %q across %c : tensor<?x7xf32> of %n with %ku, %vu {scale = 0.5 : f64}
        : tensor<?x18xf32>, tensor<3x4x5xf32>, tensor<3x5x5xf32> -> tensor<?x15xf32>
      return %y, %p, %a : tensor<?x15xf32>, tensor<?x15xf32>, tensor<?x15xf32>
    })",
                    {random({4, 18}, 1),
                     random({6, 7}, 2),
                     random({2, 18}, 3),
                     random({2, 15}, 4),
                     random({3, 4, 5}, 5),
                     random({3, 5, 5}, 6),
                     {{2}, {3, 2}},
                     {{2}, {4, 4}}});
}

TEST(FunctionMoE, refusesRowsOfNoSequences) {
  CompiledFunctions attention(R"(
    func.func @main(%q: tensor<?x4xf32> {moe.input = "q"}, %n: tensor<?xi64> {moe.input = "n"}) -> (tensor<?x4xf32> {moe.output = "y"}) {
      %y = moe.attention %q across %q, %q : tensor<?x4xf32>, tensor<?x4xf32> of %n {head_dim = 4 : i64, scale = 1.0 : f64} : tensor<?x4xf32> -> tensor<?x4xf32>
      return %y : tensor<?x4xf32>
    })");
  EXPECT_EQ(attention.refusal({floats({3, 4}, randomFloats(12, 1)), longs({2}, {1, 1})}),
            "attention: expected rows of equally long sequences");
}

} // namespace
