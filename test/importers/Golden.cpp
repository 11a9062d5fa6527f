// Golden results through the importers' own reader.
#include "test/importers/Golden.h"

#include "importers/safetensors/Header.h"

#include <gtest/gtest.h>

#include <cstring>

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
  for (const importers::safetensors::Tensor &tensor : llvm::cantFail(importers::safetensors::readHeader(file))) {
    if (tensor.name != name)
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
