// Golden results through the importers' own reader.
#include "test/importers/Golden.h"

#include "importers/safetensors/Header.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace moec;
using namespace moec::test;

Golden::Golden(const std::string &folder) : path(folder) {}

/// Element `i` of `bytes` that holds numbers of the safetensors type `type`.
static double element(const std::string &bytes, llvm::StringRef type, size_t i) {
  auto as = [&](auto value) {
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    return value;
  };
  if (type == "F32")
    return as(float());
  if (type == "F64")
    return as(double());
  if (type == "I32")
    return as(int32_t());
  if (type == "I64")
    return double(as(int64_t()));
  if (type == "BF16") {
    uint32_t bits = uint32_t(as(uint16_t())) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  ADD_FAILURE() << "expected a type of golden results, got " << type.str();
  return 0;
}

std::optional<GoldenTensor> Golden::find(const std::string &name) const {
  auto folder = llvm::cantFail(importers::ModelFolder::at(path));
  auto file = llvm::cantFail(folder.open("golden.safetensors"));
  auto header = llvm::cantFail(importers::safetensors::readHeader(file));
  for (const importers::safetensors::Tensor &tensor : header.tensors) {
    if (tensor.name.val() != name)
      continue;
    std::string bytes(size_t(tensor.bytes), '\0');
    llvm::cantFail(file.read(uint64_t(tensor.offset), bytes));
    GoldenTensor result;
    result.shape.assign(tensor.shape.begin(), tensor.shape.end());
    size_t count = 1;
    for (int64_t dim : tensor.shape)
      count *= size_t(dim);
    for (size_t i = 0; i < count; ++i)
      result.values.push_back(element(bytes, tensor.type, i));
    return result;
  }
  return std::nullopt;
}

GoldenTensor Golden::get(const std::string &name) const {
  std::optional<GoldenTensor> found = find(name);
  EXPECT_TRUE(found) << path << " has no " << name;
  return found.value_or(GoldenTensor());
}

std::optional<std::vector<int64_t>> Golden::prompt(int i) const {
  std::optional<GoldenTensor> found = find("input_ids/" + std::to_string(i));
  if (!found)
    found = find("ids/" + std::to_string(i));
  if (!found)
    return std::nullopt;
  return std::vector<int64_t>(found->values.begin(), found->values.end());
}

std::vector<double> Golden::exactLogits(int i) const {
  std::optional<GoldenTensor> exact = find("logits_f64/" + std::to_string(i));
  return exact ? exact->values : get("logits_f32/" + std::to_string(i)).values;
}

double test::largest(const std::vector<double> &values) {
  double result = 0;
  for (double value : values)
    result = std::max(result, std::abs(value));
  return result;
}

double test::distance(const std::vector<double> &a, const std::vector<double> &b) {
  EXPECT_EQ(a.size(), b.size());
  double result = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    result = std::max(result, std::isnan(a[i]) ? INFINITY : std::abs(a[i] - b[i]));
  return result;
}

double Golden::bf16Bound(int i) const {
  double bound = 0;
  for (int prompt = 0; auto rounded = find("logits_bf16/" + std::to_string(prompt)); ++prompt)
    bound = std::max(bound, 2 * distance(rounded->values, exactLogits(prompt)));
  if (bound > 0)
    return bound;
  std::ifstream file(path + "/golden.json");
  return 2 * nlohmann::json::parse(file)["relative_error_against_f64"]["bf16"].get<double>() * largest(exactLogits(i));
}
