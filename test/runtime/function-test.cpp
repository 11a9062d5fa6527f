// Functions of named tensors: what a run checks, how it ends, and what manifests may not say of them.
#include "runtime/Function.h"

#include "runtime/Session.h"
#include "runtime/moec.h"
#include "runtime/npy/TensorFile.h"
#include "test/runtime/TestArtifact.h"

#include <cstring>
#include <gtest/gtest.h>

using namespace moec;
using namespace moec::runtime;
using namespace moec::test;
using artifact::ElementType;

namespace {
template <typename T> Tensor tensorOf(ElementType element, std::vector<int64_t> shape, const std::vector<T> &values) {
  std::span<const std::byte> bytes = std::as_bytes(std::span(values));
  return {element, std::move(shape), {bytes.begin(), bytes.end()}};
}
Tensor floats(const std::vector<float> &values) { return tensorOf(ElementType::f32, {int64_t(values.size())}, values); }

struct FunctionTest : testing::Test {
  void SetUp() override {
    auto opened = Artifact::open(writeFile("function.moec", artifactBytes(functionManifest())));
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    artifact = std::move(*opened);
  }
  std::unique_ptr<Function> create(const FunctionOptions &options = {}) {
    auto created = Function::create(*artifact, "twice", options);
    EXPECT_TRUE(created.ok()) << created.status().message();
    return created.ok() ? std::move(*created) : nullptr;
  }
  std::unique_ptr<Artifact> artifact;
};

TEST_F(FunctionTest, runsOnInputsOfAnySize) {
  auto function = create();
  for (std::vector<float> x : {std::vector<float>{1, 2, 3}, {}, {5}}) {
    auto outputs = function->run(std::vector{floats(x)});
    ASSERT_TRUE(outputs.ok()) << outputs.status().message();
    for (float &value : x)
      value = 2 * value + 2;
    EXPECT_EQ((*outputs)[0].bytes, floats(x).bytes);
    EXPECT_EQ((*outputs)[0].shape[0], int64_t(x.size()));
  }
}

TEST_F(FunctionTest, checksItsInputs) {
  auto function = create();
  auto refusal = [&](const std::vector<Tensor> &inputs) { return function->run(inputs).status().message(); };
  EXPECT_EQ(refusal({}), "expected 1 inputs, got 0");
  EXPECT_EQ(refusal({tensorOf<double>(ElementType::f64, {1}, {1})}), "input 'x': expected f32 [?], got f64 [1]");
  EXPECT_EQ(refusal({tensorOf<float>(ElementType::f32, {1, 1}, {1})}), "input 'x': expected f32 [?], got f32 [1, 1]");
  EXPECT_EQ(refusal({tensorOf<float>(ElementType::f32, {2}, {1})}), "input 'x': expected the bytes of f32 [2], got 4");
  EXPECT_EQ(refusal({tensorOf<float>(ElementType::f32, {-1}, {1})}), "input 'x': expected the bytes of f32 [?], got 4");
}

TEST_F(FunctionTest, endsWithItsOwnWordsOrWithoutMemory) {
  EXPECT_EQ(create()->run(std::vector{floats(std::vector<float>(7))}).status().message(), "seven");
  auto bounded = create({.memoryLimit = 100});
  EXPECT_TRUE(bounded->run(std::vector{floats({1, 2, 3, 4})}).ok()); // 80 bytes, and when they are given back 16
  Status refused = bounded->run(std::vector{floats({1, 2, 3, 4, 5})}).status();
  EXPECT_EQ(refused.code(), StatusCode::resourceExhausted);
  EXPECT_EQ(refused.message(), "a tensor of 120 bytes, with 0 in use, is more than the 100 bytes that a run may have");
}

TEST_F(FunctionTest, isNoSession) {
  EXPECT_EQ(cacheBytesPerPosition(artifact->manifest()), 0u);
  EXPECT_NE(Session::create(*artifact, {}).status().message().find("holds functions of named tensors"), std::string::npos);
  EXPECT_NE(Function::create(*artifact, "thrice").status().message().find("no function 'thrice', expected one of twice"),
            std::string::npos);
  std::unique_ptr<Artifact> steps = openSound();
  EXPECT_NE(Function::create(*steps, "twice").status().message().find("holds a language model's steps"), std::string::npos);
}

TEST(FunctionTensors, goThroughFiles) {
  std::string path = folder() + "/tensor.npy";
  auto there = [&](const Tensor &tensor) { EXPECT_TRUE(writeTensor(path, tensor).ok()); };
  Tensor halves = tensorOf<uint16_t>(ElementType::f16, {2}, {0x3c00, 0xc000}); // 1, -2
  there(halves);
  EXPECT_EQ(readTensor(path, ElementType::f16)->bytes, halves.bytes);
  EXPECT_EQ(doublesOf(halves), (std::vector<double>{1, -2}));
  // bf16 comes and goes as f32, rounded to nearest even.
  Tensor bf16 = tensorOf<uint16_t>(ElementType::bf16, {3}, {0x3f80, 0xc000, 0x3f81});
  there(bf16);
  EXPECT_EQ(readTensor(path, ElementType::bf16)->bytes, bf16.bytes);
  there(tensorOf<float>(ElementType::f32, {2}, {1.00390625F, 1.01171875F}));
  EXPECT_EQ(doublesOf(*readTensor(path, ElementType::bf16)), (std::vector<double>{1, 1.015625}));
  // A boolean is 0 or 1, whatever the byte.
  there(tensorOf<uint8_t>(ElementType::boolean, {2}, {0, 7}));
  EXPECT_EQ(doublesOf(*readTensor(path, ElementType::boolean)), (std::vector<double>{0, 1}));
  EXPECT_EQ(readTensor(path, ElementType::i64).status().message(), path + ": expected i64 (<i8), got |b1");
}

TEST(FunctionApi, runs) {
  moec_model *model = nullptr;
  moec_function *function = nullptr;
  std::string path = writeFile("function-api.moec", artifactBytes(functionManifest()));
  ASSERT_EQ(moec_model_open(path.c_str(), nullptr, &model), MOEC_OK) << moec_last_error();
  ASSERT_EQ(moec_function_create(model, nullptr, &function), MOEC_OK) << moec_last_error();
  moec_tensor tensor;
  ASSERT_EQ(moec_function_inputs(function), 1u);
  ASSERT_EQ(moec_function_input(function, 0, &tensor), MOEC_OK);
  EXPECT_STREQ(tensor.name, "x");
  EXPECT_EQ(tensor.element, MOEC_F32);
  ASSERT_EQ(tensor.rank, 1u);
  EXPECT_EQ(tensor.shape[0], -1);
  EXPECT_EQ(moec_function_input(function, 1, &tensor), MOEC_INVALID_ARGUMENT);
  EXPECT_EQ(moec_function_result(function, 0, &tensor), MOEC_INVALID_ARGUMENT);

  float x[] = {1, 2};
  int64_t shape[] = {2};
  moec_tensor input{nullptr, MOEC_F32, 1, shape, x, sizeof x};
  ASSERT_EQ(moec_function_run(function, &input, 1), MOEC_OK) << moec_last_error();
  ASSERT_EQ(moec_function_outputs(function), 1u);
  ASSERT_EQ(moec_function_result(function, 0, &tensor), MOEC_OK);
  EXPECT_STREQ(tensor.name, "y");
  EXPECT_EQ(tensor.shape[0], 2);
  ASSERT_EQ(tensor.bytes, sizeof x);
  EXPECT_EQ(static_cast<const float *>(tensor.data)[1], 6);
  EXPECT_EQ(moec_function_run(function, nullptr, 1), MOEC_INVALID_ARGUMENT);
  EXPECT_EQ(moec_function_create(nullptr, nullptr, &function), MOEC_INVALID_ARGUMENT);
  moec_function_destroy(function);
  moec_model_close(model);
}

struct Malformed {
  const char *name, *message;
  void (*edit)(artifact::ManifestT &);
};
using M = artifact::ManifestT;

const Malformed malformed[] = {
    {"twice", "functions of different names",
     [](M &m) { m.functions.push_back(std::make_unique<artifact::FunctionT>(*m.functions[0])); }},
    {"nameless", "functions of different names", [](M &m) { m.functions[0]->symbol = ""; }},
    {"weight", "function 'twice': no weight 7", [](M &m) { m.functions[0]->weights = {7}; }},
    {"inputTwice", "input 'x' occurs twice",
     [](M &m) {
       auto &inputs = m.functions[0]->inputs;
       inputs.push_back(std::make_unique<artifact::TensorDescriptionT>(*inputs[0]));
     }},
    {"inputNameless", "expected input names", [](M &m) { m.functions[0]->inputs[0]->name = ""; }},
    {"outputType", "output 'y' is of an unknown element type", [](M &m) { m.functions[0]->outputs[0]->element = ElementType(99); }},
    {"rank", "has more than 32 dimensions", [](M &m) { m.functions[0]->outputs[0]->shape.assign(33, 1); }},
    {"dimension", "input 'x' has a shape out of range", [](M &m) { m.functions[0]->inputs[0]->shape = {-2}; }},
    {"size", "input 'x' has a shape out of range",
     [](M &m) { m.functions[0]->inputs[0]->shape = {int64_t(1) << 40, int64_t(1) << 40}; }},
    {"many", "more than 1048576 tensors", [](M &m) { m.functions[0]->weights.assign(1 << 20, 0); }},
    {"steps", "expected no steps beside functions", [](M &m) { m.kernels = soundManifest().kernels; }},
};

TEST(FunctionManifests, areRefused) {
  for (const Malformed &test : malformed) {
    auto opened = Artifact::open(writeFile("malformed-function.moec", artifactBytes(functionManifest(), test.edit)));
    EXPECT_NE(opened.status().message().find(test.message), std::string::npos) << test.name << ": " << opened.status().message();
  }
}
} // namespace
