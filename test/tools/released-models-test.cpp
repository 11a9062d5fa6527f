// Every family at its released size: what --dry-run says from a config and the headers of its weights.
#include "test/tools/Runs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace moec::test;
namespace fs = std::filesystem;

namespace {
const fs::path released = MOEC_TEST_DATA "/fixtures/released";

/// A line of expected.tsv.
struct Expected {
  std::string name, published;
  int64_t parameters = 0, cacheBytes = 0;
};

std::vector<Expected> expectations() {
  std::vector<Expected> found;
  std::ifstream file(released / "expected.tsv");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#'))
      continue;
    std::string fields[4];
    std::istringstream stream(line);
    for (std::string &field : fields)
      std::getline(stream, field, '\t');
    found.push_back({fields[0], fields[2], std::stoll(fields[1]), std::stoll(fields[3])});
  }
  return found;
}

/// "46.7 billion": the number, and the place of its last digit.
std::pair<double, double> numberOf(const std::string &published) {
  size_t space = published.find(' '), point = published.find('.');
  double unit = published.substr(space + 1) == "trillion" ? 1e12 : 1e9;
  double digit = point == std::string::npos ? 1 : std::pow(10, -double(space - point - 1));
  return {std::stod(published) * unit, digit * unit};
}

class ReleasedModels : public testing::TestWithParam<Expected> {
protected:
  void SetUp() override {
    folder = scratch("released-" + GetParam().name);
    ASSERT_EQ(run("full-size-model", GetParam().name + " all " + folder).code, 0);
  }
  void TearDown() override { fs::remove_all(folder); }
  nlohmann::json answer(const std::string &options) {
    Outcome outcome = run("moe-compile", folder + " --dry-run --json --compute bf16 --max-sequence 4096 " + options);
    EXPECT_EQ(outcome.code, 0);
    return nlohmann::json::parse(outcome.output);
  }
  /// What follows the header of the one file of weights.
  int64_t bytesOfTensors() const {
    for (const auto &entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".safetensors") {
        uint64_t header = 0;
        std::ifstream(entry.path(), std::ios::binary).read(reinterpret_cast<char *>(&header), sizeof header);
        return int64_t(file_size(entry.path()) - sizeof header - header);
      }
    return 0;
  }
  std::string folder;
};

TEST_P(ReleasedModels, HaveTheirPublishedSizes) {
  nlohmann::json said = answer("");
  EXPECT_EQ(said["parameters"], GetParam().parameters);
  auto [number, digit] = numberOf(GetParam().published);
  EXPECT_NEAR(said["parameters"].get<double>(), number, digit / 2);
  EXPECT_EQ(said["cache_bytes_per_position"], GetParam().cacheBytes);
  EXPECT_EQ(said["weight_bytes"], bytesOfTensors()); // parameters in bf16, and tables
}

/// A token multiplies and adds with each parameter that it uses, but for the few that are no matrix's.
TEST_P(ReleasedModels, NeedTwoFlopForEachActiveParameter) {
  nlohmann::json said = answer("");
  double active = said["active_parameters"].get<double>();
  EXPECT_LT(active, said["parameters"].get<double>());
  EXPECT_NEAR(said["flop_per_token"].get<double>(), 2 * active, 0.01 * active);
}

TEST_P(ReleasedModels, FitWhereThereIsRoomForThemAndNoByteBelow) {
  int64_t needed = answer("")["needed_bytes"];
  EXPECT_EQ(answer("--memory " + std::to_string(needed) + "B")["fits"], true);
  EXPECT_EQ(answer("--memory " + std::to_string(needed - 1) + "B")["fits"], false);
}

INSTANTIATE_TEST_SUITE_P(Released, ReleasedModels, testing::ValuesIn(expectations()),
                         [](const testing::TestParamInfo<Expected> &info) { return info.param.name; });
} // namespace
