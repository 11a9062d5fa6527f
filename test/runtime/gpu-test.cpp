// Memory and launches of GPU code: known from the artifact alone, complete, and apart from each other.
#include "runtime/devices/gpu/Launches.h"
#include "test/runtime/TestArtifact.h"

#include <cstring>
#include <gtest/gtest.h>

using namespace moec;
using namespace moec::runtime;
using namespace moec::runtime::gpu;
using namespace moec::test;

namespace {
const artifact::GpuCode &codeOf(const Artifact &artifact) { return *artifact.manifest().gpu_code()->Get(0); }

/// Addresses far apart, as a device would give them.
void place(MemoryPlan &plan) {
  for (size_t i = 0; i < plan.regions.size(); ++i)
    plan.regions[i].address = (i + 1) << 32;
}

uint64_t bytesOf(const MemoryPlan &plan, Purpose purpose) {
  uint64_t bytes = 0;
  for (const Region &region : plan.regions)
    bytes += region.purpose == purpose ? region.bytes : 0;
  return bytes;
}

TEST(GpuMemoryPlan, countsEveryRegion) {
  auto artifact = openSound();
  MemoryPlan plan = *MemoryPlan::create(*artifact, codeOf(*artifact), 9);
  EXPECT_EQ(bytesOf(plan, Purpose::weights), 256u); // 32 bytes, rounded up to where the next would begin
  EXPECT_EQ(bytesOf(plan, Purpose::tables), 16u);   // one address, up to where the next table would begin
  EXPECT_EQ(bytesOf(plan, Purpose::constants), 32u);
  EXPECT_EQ(bytesOf(plan, Purpose::cache), 9u * 4 * 4);
  EXPECT_EQ(bytesOf(plan, Purpose::arena), 64u + 4 * 4 * 8);
  EXPECT_EQ(bytesOf(plan, Purpose::workspace), 64u + 4 * 4); // the largest step has 4 outputs
  EXPECT_EQ(plan.total() % memoryAlignment, 0u);
  EXPECT_GE(plan.total(), 7 * memoryAlignment);
  EXPECT_NE(plan.describe().find("weights 256 bytes"), std::string::npos) << plan.describe();
}

TEST(GpuMemoryPlan, refusesCachesBeyondAnyMemory) {
  auto artifact = openSound();
  Result<MemoryPlan> plan = MemoryPlan::create(*artifact, codeOf(*artifact), uint64_t(1) << 60);
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(plan.status().message().find("smaller --max-sequence"), std::string::npos) << plan.status().message();
}

TEST(GpuMemoryPlan, placesAPartOfSeveralWeightsOnce) {
  auto artifact = openSound([](artifact::ManifestT &m) {
    m.weights.push_back(std::make_unique<artifact::WeightT>(*m.weights[0])); // the same bytes
    m.weights.push_back(std::make_unique<artifact::WeightT>(*m.weights[0])); // their halves
    artifact::WeightT &halves = *m.weights.back();
    halves.runs[0]->bytes = 16;
    halves.runs[0]->times = 2;
    halves.runs[0]->every = 16;
  });
  MemoryPlan plan = *MemoryPlan::create(*artifact, codeOf(*artifact), 9);
  place(plan);
  ASSERT_EQ(plan.parts.size(), 3u);
  EXPECT_EQ(plan.weightParts[0], plan.weightParts[1]);
  std::vector<uint64_t> tables = plan.tables();
  ASSERT_EQ(tables.size(), 6u);
  auto entry = [&](size_t weight, size_t part) {
    return tables[(plan.addressOfTable(weight) - plan.addressOfTable(0)) / sizeof(uint64_t) + part];
  };
  EXPECT_EQ(entry(0, 0), entry(1, 0));
  for (uint64_t address : {entry(1, 0), entry(2, 0), entry(2, 1)})
    EXPECT_EQ(address % memoryAlignment, 0u);
  for (size_t weight = 0; weight < 3; ++weight) // kernels load several of their arguments' elements at once
    EXPECT_EQ(plan.addressOfTable(weight) % 16, 0u);
  EXPECT_EQ(std::memcmp(plan.parts[2].source, plan.parts[0].source + 16, 16), 0);
}

/// Counters must still be zero when their kernel runs again, so no other kernel may write there.
TEST(GpuMemoryPlan, givesKernelsWithCountersTheirOwnWorkspace) {
  auto workspace = [](uint64_t bytes) {
    auto dimension = std::make_unique<artifact::LaunchDimensionT>();
    dimension->factor = 0;
    dimension->addend = bytes;
    return dimension;
  };
  auto artifact = openSound([&](artifact::ManifestT &m) {
    for (const char *symbol : {"third", "fourth"})
      (m.kernels.emplace_back(new artifact::KernelT))->symbol = symbol;
    auto &kernels = m.gpu_code[0]->kernels;
    for (uint32_t kernel : {2u, 3u}) {
      kernels.push_back(std::make_unique<artifact::GpuKernelT>(*kernels[1]));
      kernels.back()->kernel = kernel;
      m.programs[0]->launches.push_back(std::make_unique<artifact::LaunchT>(*m.programs[0]->launches[1]));
      m.programs[0]->launches.back()->kernel = kernel;
    }
    kernels[0]->workspace = workspace(100);
    kernels[2]->workspace = workspace(300);
    kernels[2]->counter_bytes = 0;
  });
  MemoryPlan plan = *MemoryPlan::create(*artifact, codeOf(*artifact), 9);
  place(plan);
  EXPECT_EQ(plan.addressOfWorkspace(0), plan.addressOfWorkspace(2));
  EXPECT_NE(plan.addressOfWorkspace(1), plan.addressOfWorkspace(3));
  EXPECT_NE(plan.addressOfWorkspace(1), plan.addressOfWorkspace(0));
  EXPECT_EQ(bytesOf(plan, Purpose::workspace), 300u + 80 + 80);
}

TEST(GpuLaunches, haveEveryArgumentInOrder) {
  auto artifact = openSound();
  MemoryPlan plan = *MemoryPlan::create(*artifact, codeOf(*artifact), 9);
  place(plan);
  auto programs = resolveLaunches(artifact->manifest(), codeOf(*artifact), plan, true);
  ASSERT_EQ(programs.size(), 2u);
  ASSERT_EQ(programs[0].size(), 2u);
  const StepLayout &step = plan.steps[0];
  uint64_t inputs = plan.only(Purpose::step).address, arena = plan.only(Purpose::arena).address;
  auto input = [&](artifact::BufferKind kind) { return inputs + step.offsetOf(kind); };
  using Kind = artifact::BufferKind;
  EXPECT_EQ(programs[0][0].arguments,
            (std::vector<uint64_t>{input(Kind::token_ids), input(Kind::positions), input(Kind::token_sequence), input(Kind::pages),
                                   plan.addressOfCache(0), arena, 0, inputs}));
  EXPECT_EQ(programs[0][1].arguments,
            (std::vector<uint64_t>{input(Kind::positions), input(Kind::token_sequence), input(Kind::pages),
                                   input(Kind::output_tokens), plan.addressOfCache(0), plan.only(Purpose::constants).address,
                                   plan.addressOfTable(0), arena + 64, plan.addressOfWorkspace(1), inputs}));
}

TEST(GpuLaunches, growWithTheStep) {
  auto artifact = openSound([](artifact::ManifestT &m) {
    auto &grid = m.gpu_code[0]->kernels[0]->grid;
    grid[0]->divisor = 2;
    grid[0]->factor = 3;
    grid.push_back(std::make_unique<artifact::LaunchDimensionT>());
    grid[1]->extent = artifact::Extent::constant;
    grid[1]->addend = 6;
  });
  const artifact::GpuCode &code = codeOf(*artifact);
  Entry entry = entriesOf(artifact->manifest(), code)[0];
  EXPECT_EQ(*entry.gridOf(code, {5, 2, 1, 3}, 4), (Grid{9, 7, 1}));
  EXPECT_EQ(*entry.gridOf(code, {1, 1, 1, 3}, 4), (Grid{3, 7, 1}));
  EXPECT_FALSE(entry.gridOf(code, {0, 0, 1, 3}, 4)); // nothing to do
}

TEST(GpuLaunches, ofAChainHaveTheArgumentsOfAll) {
  auto artifact = openSound(chainLaunches);
  const artifact::GpuCode &code = codeOf(*artifact);
  MemoryPlan plan = *MemoryPlan::create(*artifact, code, 9);
  place(plan);
  auto alone = resolveLaunches(artifact->manifest(), code, plan, false),
       chained = resolveLaunches(artifact->manifest(), code, plan, true);
  ASSERT_EQ(alone[0].size(), 2u);
  ASSERT_EQ(chained[0].size(), 1u);
  EXPECT_EQ(chained[0][0].entry, code.kernels()->size());
  std::vector<uint64_t> expected = alone[0][0].arguments;
  expected.pop_back();
  expected.insert(expected.end(), alone[0][1].arguments.begin(), alone[0][1].arguments.end() - 1);
  expected.push_back(plan.only(Purpose::arrivals).address);
  expected.push_back(alone[0][0].arguments.back());
  EXPECT_EQ(chained[0][0].arguments, expected);
  EXPECT_EQ(bytesOf(plan, Purpose::arrivals), 4u);
}

TEST(GpuLaunches, ofAChainHaveTheBlocksOfItsLargestKernelThatAreThereAtOnce) {
  auto artifact = openSound([](artifact::ManifestT &m) {
    chainLaunches(m);
    m.gpu_code[0]->kernels[0]->grid[0]->divisor = 1;
    m.gpu_code[0]->kernels[0]->grid[0]->factor = 3;
  });
  const artifact::GpuCode &code = codeOf(*artifact);
  Entry chain = entriesOf(artifact->manifest(), code)[code.kernels()->size()];
  EXPECT_EQ(*chain.gridOf(code, {5, 2, 1, 3}, 100), (Grid{15, 1, 1}));
  EXPECT_EQ(*chain.gridOf(code, {5, 2, 1, 3}, 7), (Grid{7, 1, 1}));
}

TEST(GpuStepLayout, holdsTheLargestStepAndNoMore) {
  auto artifact = openSound();
  StepLayout layout(*artifact->manifest().programs()->Get(0), 3); // 6 tokens, 3 sequences, 4 outputs
  std::vector<std::byte> memory(layout.bytes());
  std::vector<int32_t> six{1, 2, 3, 4, 5, 6}, seven(7), starts{0, 2, 4, 6}, pages{0, 1, 2, 3, 4, 5, 6, 7, 8}, outputs{1, 3, 5};
  StepInput input{six, six, six, starts, pages, outputs, 3};
  ASSERT_TRUE(layout.write(input, memory.data()).ok());
  StepNumbers numbers;
  std::memcpy(&numbers, memory.data() + layout.offsetOfNumbers(), sizeof numbers);
  EXPECT_EQ(numbers.tokens, 6);
  EXPECT_EQ(numbers.outputs, 3);
  EXPECT_EQ(numbers.sequences, 3);
  EXPECT_EQ(numbers.maxPages, 3);
  using Kind = artifact::BufferKind;
  for (artifact::BufferKind kind :
       {Kind::token_ids, Kind::positions, Kind::token_sequence, Kind::starts, Kind::pages, Kind::output_tokens})
    EXPECT_EQ(std::memcmp(memory.data() + layout.offsetOf(kind), input.of(kind).data(), input.of(kind).size_bytes()), 0);
  EXPECT_EQ(layout.bytesOf(numbers), layout.bytes());
  EXPECT_LT(layout.bytesOf({1, 1, 1, 3}), layout.bytes());
  input.tokenIds = seven;
  EXPECT_NE(layout.write(input, memory.data()).message().find("at most 6 token_ids in a step, got 7"), std::string::npos);
}

TEST(GpuCode, isChosenByCapabilityOrName) {
  auto artifact = openSound([](artifact::ManifestT &m) {
    m.gpu_code.push_back(std::make_unique<artifact::GpuCodeT>(*m.gpu_code[0]));
    m.gpu_code[1]->target = "sm_90";
    m.gpu_code[1]->min_compute_capability = 90;
  });
  auto chosen = [&](std::string_view wanted, uint32_t capability) {
    auto code = chooseGpuCode(*artifact, wanted, capability, "a device");
    return code.ok() ? (*code)->target()->str() : code.status().message();
  };
  EXPECT_EQ(chosen("", 86), "sm_80");
  EXPECT_EQ(chosen("", 90), "sm_90");
  EXPECT_EQ(chosen("sm_80", 120), "sm_80");
  EXPECT_NE(chosen("", 75).find("no GPU code for a device (the artifact has: sm_80, sm_90)"), std::string::npos);
  EXPECT_NE(chosen("simt", 90).find("no GPU code for --isa 'simt'"), std::string::npos);
  EXPECT_NE(chosen("sm_90", 86).find("needs compute capability 9.0, a device has 8.6"), std::string::npos);
}
} // namespace
