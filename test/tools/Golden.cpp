// Golden results through the importers' own reader; tools through a shell.
#include "test/tools/Golden.h"

#include "importers/safetensors/Header.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <sys/wait.h>
#include <unistd.h>

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

Outcome test::run(const std::string &tool, const std::string &arguments, const std::string &from) {
  std::string command = "cd " + from + " && " MOEC_TOOLS "/" + tool + " " + arguments;
  FILE *pipe = popen(command.c_str(), "r");
  Outcome outcome{-1, ""};
  char buffer[4096];
  while (size_t count = std::fread(buffer, 1, sizeof buffer, pipe))
    outcome.output.append(buffer, count);
  int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

/// A folder that is removed when the process ends.
struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / "moec-golden-XXXXXX").string();
  Folder() { EXPECT_NE(mkdtemp(path.data()), nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
};

std::string test::scratch(const std::string &name) {
  static const Folder folder;
  return folder.path + "/" + name;
}

std::string test::compiled(const std::string &folder, const std::string &options) {
  static std::map<std::string, std::string> artifacts;
  std::string &path = artifacts[folder + options];
  if (path.empty()) {
    path = scratch(std::to_string(artifacts.size()) + ".moec");
    EXPECT_EQ(run("moe-compile", folder + " -o " + path + " " + options).code, 0) << folder;
  }
  return path;
}

std::string test::joined(const std::vector<int64_t> &ids) {
  std::string text;
  for (int64_t id : ids)
    text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

static const char *valueOf(const std::string &json, const std::string &key) {
  size_t found = json.find("\"" + key + "\":");
  EXPECT_NE(found, std::string::npos) << "expected '" << key << "' in " << json;
  return found == std::string::npos ? "" : json.c_str() + found + key.size() + 3;
}

std::vector<int64_t> test::numbersOf(const std::string &json, const std::string &key) {
  std::vector<int64_t> numbers;
  for (const char *at = valueOf(json, key); *at == '[' || *at == ',';) {
    char *end;
    numbers.push_back(std::strtoll(at + 1, &end, 10));
    at = end;
  }
  return numbers;
}

double test::numberOf(const std::string &json, const std::string &key) { return std::strtod(valueOf(json, key), nullptr); }
