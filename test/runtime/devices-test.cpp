// What every device must do, asked of each in the same words. A GPU that this machine does not have is skipped, not passed.
#include "runtime/Session.h"
#include "test/runtime/TestArtifact.h"

#include <gtest/gtest.h>

using namespace moec;
using namespace moec::runtime;
using namespace moec::test;

namespace {
struct DeviceKind {
  const char *name;
  DeviceFactory create;
  std::string driver = {};
  bool needsHardware = false;
};

constexpr size_t prefill = 0, decode = 1, logitsOutput = 0, routingOutput = 1;
constexpr int64_t pagesPerSequence = 3;

/// New tokens of one sequence, and which of them get logits.
struct Part {
  std::vector<int32_t> ids;
  int32_t firstPosition = 0;
  std::vector<int32_t> pages;
  std::vector<size_t> outputs; ///< places in `ids`
};

/// A step's input, as a session would describe it.
struct Step {
  std::vector<int32_t> tokenIds, positions, tokenSequence, starts, pages, outputTokens;

  explicit Step(const std::vector<Part> &parts) {
    for (const Part &part : parts) {
      starts.push_back(int32_t(tokenIds.size()));
      for (size_t output : part.outputs)
        outputTokens.push_back(int32_t(tokenIds.size() + output));
      for (size_t i = 0; i < part.ids.size(); ++i) {
        tokenIds.push_back(part.ids[i]);
        positions.push_back(part.firstPosition + int32_t(i));
        tokenSequence.push_back(int32_t(starts.size() - 1));
      }
      pages.insert(pages.end(), part.pages.begin(), part.pages.end());
    }
    starts.push_back(int32_t(tokenIds.size()));
  }
  StepInput input() const { return {tokenIds, positions, tokenSequence, starts, pages, outputTokens, pagesPerSequence}; }
};

class DeviceTest : public testing::TestWithParam<DeviceKind> {
protected:
  void SetUp() override {
    artifact = openSound();
    ASSERT_NE(artifact, nullptr);
    Result<std::unique_ptr<Device>> made = create({});
    if (!made.ok() && GetParam().needsHardware && made.status().code() == StatusCode::unavailable)
      GTEST_SKIP() << made.status().message();
    ASSERT_TRUE(made.ok()) << made.status().message();
    device = std::move(*made);
  }
  Result<std::unique_ptr<Device>> create(std::string isa) {
    DeviceOptions options;
    options.threads = 2;
    options.pages = uint64_t(maxBatch * pagesPerSequence);
    options.isa = std::move(isa);
    options.driver = GetParam().driver;
    return GetParam().create(*artifact, options);
  }
  void run(size_t program, const std::vector<Part> &parts) {
    Step step(parts);
    Status status = device->run(program, step.input());
    ASSERT_TRUE(status.ok()) << status.message();
  }
  template <typename T> std::vector<T> read(size_t program, size_t output) {
    std::span<const std::byte> bytes = device->output(program, output);
    const T *values = reinterpret_cast<const T *>(bytes.data());
    return {values, values + bytes.size() / sizeof(T)};
  }
  /// The logits of the last step are those of these texts, in order.
  void expectLogits(size_t program, const std::vector<std::vector<int32_t>> &texts) {
    std::vector<float> expected;
    for (const std::vector<int32_t> &text : texts) {
      std::vector<float> row = expectedLogits(text);
      expected.insert(expected.end(), row.begin(), row.end());
    }
    EXPECT_EQ(read<float>(program, logitsOutput), expected);
  }

  std::unique_ptr<Artifact> artifact;
  std::unique_ptr<Device> device;
};

TEST_P(DeviceTest, runsARaggedBatchOverScatteredPages) {
  run(prefill, {{{1}, 0, {8, 0, 4}, {0}}, {{2, 3, 4}, 0, {3, 7, 1}, {2}}, {{5, 6}, 0, {2, 6, 5}, {1}}});
  expectLogits(prefill, {{1}, {2, 3, 4}, {5, 6}});
  EXPECT_EQ(read<int32_t>(prefill, routingOutput), (std::vector<int32_t>{1, 2, 0, 1, 2, 0}));
  // Onto each sequence's second page, in another order and with another sequence first.
  run(prefill, {{{7, 1, 2}, 3, {3, 7, 1}, {2}}, {{4}, 1, {8, 0, 4}, {0}}});
  expectLogits(prefill, {{2, 3, 4, 7, 1, 2}, {1, 4}});
}

TEST_P(DeviceTest, givesLogitsForTheChosenTokensOnly) {
  run(prefill, {{{1, 2, 3, 4}, 0, {0, 1, 2}, {0, 2, 3}}, {{5, 6}, 0, {3, 4, 5}, {}}});
  expectLogits(prefill, {{1}, {1, 2, 3}, {1, 2, 3, 4}});
  EXPECT_EQ(read<int32_t>(prefill, routingOutput).size(), 6u);
  run(prefill, {{{7}, 4, {0, 1, 2}, {}}, {{7}, 2, {3, 4, 5}, {}}});
  EXPECT_TRUE(read<float>(prefill, logitsOutput).empty());
  run(decode, {{{1}, 5, {0, 1, 2}, {0}}});
  expectLogits(decode, {{1, 2, 3, 4, 7, 1}});
}

TEST_P(DeviceTest, decodesWhatPrefillCached) {
  run(prefill, {{{3, 1}, 0, {5, 4, 3}, {1}}, {{2}, 0, {0, 1, 2}, {0}}});
  std::vector<int32_t> first{3, 1}, second{2};
  for (int32_t id : {4, 1, 5, 2, 6, 5}) {
    run(decode, {{{id}, int32_t(first.size()), {5, 4, 3}, {0}}, {{7 - id}, int32_t(second.size()), {0, 1, 2}, {0}}});
    first.push_back(id);
    second.push_back(7 - id);
    expectLogits(decode, {first, second});
    EXPECT_EQ(read<int32_t>(decode, routingOutput), (std::vector<int32_t>{id % 3, (7 - id) % 3}));
  }
}

TEST_P(DeviceTest, repeatsItselfBitByBit) {
  std::vector<Part> parts{{{1, 2, 3}, 0, {0, 1, 2}, {2}}, {{4, 5}, 0, {3, 4, 5}, {1}}};
  run(prefill, parts);
  std::vector<float> first = read<float>(prefill, logitsOutput);
  for (int round = 0; round < 3; ++round) {
    run(decode, {{{6}, 0, {6, 7, 8}, {0}}}); // of a sequence that shares nothing with them
    run(prefill, parts);
    EXPECT_EQ(read<float>(prefill, logitsOutput), first);
  }
}

TEST_P(DeviceTest, doesNotMindWhoElseIsInTheBatch) {
  Part sequence{{6, 2, 5}, 0, {4, 2, 0}, {2}};
  run(prefill, {sequence});
  std::vector<float> alone = read<float>(prefill, logitsOutput);
  run(prefill, {{{1}, 0, {8, 7, 6}, {0}}, sequence, {{3, 3}, 0, {5, 3, 1}, {1}}});
  std::vector<float> together = read<float>(prefill, logitsOutput);
  EXPECT_EQ(std::vector(together.begin() + vocabulary, together.begin() + 2 * vocabulary), alone);
}

TEST_P(DeviceTest, handlesTheLargestStep) {
  run(prefill, {{{1, 2}, 0, {0, 1, 2}, {0, 1}}, {{3, 4}, 0, {3, 4, 5}, {1}}, {{5, 6}, 0, {6, 7, 8}, {1}}});
  expectLogits(prefill, {{1}, {1, 2}, {3, 4}, {5, 6}});
}

TEST_P(DeviceTest, refusesCodeThatTheArtifactLacks) {
  Result<std::unique_ptr<Device>> made = create("vax");
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.status().code(), StatusCode::unavailable);
  EXPECT_NE(made.status().message().find("'vax' (the artifact has: "), std::string::npos) << made.status().message();
}

TEST_P(DeviceTest, saysWhatItIs) { EXPECT_NE(device->description(), ""); }

TEST_P(DeviceTest, standsBesideAnother) {
  Result<std::unique_ptr<Device>> second = create({});
  ASSERT_TRUE(second.ok()) << second.status().message();
  run(prefill, {{{1, 2}, 0, {0, 1, 2}, {1}}});
  std::swap(device, *second);
  run(prefill, {{{5, 6}, 0, {0, 1, 2}, {1}}}); // the same pages, of its own cache
  std::swap(device, *second);
  run(decode, {{{3}, 2, {0, 1, 2}, {0}}});
  expectLogits(decode, {{1, 2, 3}});
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceTest,
                         testing::Values(DeviceKind{"cpu", createCpuDevice}, DeviceKind{"emulator", createEmulatorDevice},
                                         DeviceKind{"standIn", createCudaDevice, MOEC_TEST_STAND_IN},
                                         DeviceKind{"cuda", createCudaDevice, "", true}),
                         [](const auto &info) { return std::string(info.param.name); });
} // namespace
