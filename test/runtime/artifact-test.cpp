// Artifacts that are damaged, malformed or of another version are refused with a sentence, and nothing crashes.
#include "test/runtime/TestArtifact.h"

#include <cmath>
#include <fstream>
#include <gtest/gtest.h>

using namespace moec;
using namespace moec::runtime;
using namespace moec::test;

namespace {
std::string errorOf(const std::string &path) {
  Result<std::unique_ptr<Artifact>> artifact = Artifact::open(path, {true, ""});
  return artifact.ok() ? "" : artifact.status().message();
}

TEST(Artifact, opensWhatIsSound) {
  std::string path = writeFile("sound.moec", artifactBytes(soundManifest()));
  Result<std::unique_ptr<Artifact>> artifact = Artifact::open(path);
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  EXPECT_EQ((*artifact)->manifest().producer()->str(), "a test");
  EXPECT_EQ((*artifact)->section("constants")->size(), 32u);
  EXPECT_FALSE((*artifact)->section("tokenizer"));
  EXPECT_EQ(static_cast<const float *>((*artifact)->partsOf(0)[0])[2], 2.0f);
}

/// Every byte of the file, flipped: noticed, or it was padding and everything is as before.
void flipEveryByte(const std::string &bytes) {
  std::string path = writeFile("flipped.moec", bytes);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  size_t harmless = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (char flip : {char(1), char(0x80)}) {
      file.seekp(std::streamoff(at)).put(char(bytes[at] ^ flip)).flush();
      Result<std::unique_ptr<Artifact>> artifact = Artifact::open(path);
      if (!artifact.ok()) {
        ASSERT_NE(artifact.status().message().find(path), std::string::npos) << artifact.status().message();
        continue;
      }
      ++harmless;
      ASSERT_EQ(bytes[at], '\0') << "byte " << at << " was changed unnoticed";
    }
    file.seekp(std::streamoff(at)).put(bytes[at]).flush();
  }
  EXPECT_GT(harmless, 0u); // there is padding between sections
  EXPECT_TRUE(Artifact::open(path).ok());
}

TEST(Artifact, noticesEveryFlippedByte) {
  flipEveryByte(artifactBytes(soundManifest()));
  flipEveryByte(artifactBytes(functionManifest()));
}

TEST(Artifact, noticesEveryTruncation) {
  std::string bytes = artifactBytes(soundManifest());
  for (size_t length = 0; length < bytes.size(); length += length < 200 || length + 200 > bytes.size() ? 1 : 97)
    ASSERT_NE(errorOf(writeFile("short.moec", bytes.substr(0, length))), "") << length;
  EXPECT_NE(errorOf(writeFile("long.moec", bytes + "x")), "");
}

TEST(Artifact, refusesOtherFiles) {
  EXPECT_NE(errorOf("/nonexistent/model.moec").find("cannot open"), std::string::npos);
  EXPECT_NE(errorOf(testing::TempDir()).find("expected a regular file"), std::string::npos);
  EXPECT_NE(errorOf(writeFile("text.moec", std::string(5000, 'a'))).find("not a compiled model"), std::string::npos);
  std::string other = artifactBytes(soundManifest());
  other[8] = formatVersion + 1;
  std::string expected = "format version " + std::to_string(formatVersion + 1) + ", expected " + std::to_string(formatVersion);
  EXPECT_NE(errorOf(writeFile("version.moec", other)).find(expected), std::string::npos);
}

/// A file that each version of the format wrote: this version's still opens, an older one's is refused by name.
TEST(Artifact, knowsTheVersionsOfItsFormat) {
  std::string golden = MOEC_TEST_DATA "/fixtures/artifacts/version-";
  EXPECT_EQ(errorOf(golden + std::to_string(formatVersion) + ".moec"), "");
  for (uint32_t old = 1; old < formatVersion; ++old) {
    std::string version = std::to_string(old);
    EXPECT_NE(errorOf(golden + version + ".moec")
                  .find("format version " + version + ", expected " + std::to_string(formatVersion) + "; compile the model again"),
              std::string::npos);
  }
}

/// A manifest that says something wrong, with all hashes right, and a piece of the message that it must cause.
struct Malformed {
  const char *name;
  const char *message;
  void (*edit)(artifact::ManifestT &);
};

class MalformedManifest : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedManifest, isRefused) {
  std::string error = errorOf(writeFile("malformed.moec", artifactBytes(soundManifest(), GetParam().edit)));
  EXPECT_NE(error.find(GetParam().message), std::string::npos) << error;
}

using M = artifact::ManifestT;
constexpr uint64_t huge = ~uint64_t(0);

void addCubin(M &m, uint32_t section, size_t kernels) {
  auto cubin = std::make_unique<artifact::CubinT>();
  cubin->chip = "sm_80";
  cubin->section = section;
  for (size_t i = 0; i < kernels; ++i)
    cubin->kernels.push_back(std::make_unique<artifact::AssembledKernelT>());
  m.gpu_code[0]->cubins.push_back(std::move(cubin));
}

/// The semantics of the first layer's routing, which are sound until they are changed.
artifact::RoutingSemanticsT &routeBy(M &m) {
  if (!m.routing[0]->semantics)
    m.routing[0]->semantics = std::make_unique<artifact::RoutingSemanticsT>();
  return *m.routing[0]->semantics;
}

const Malformed malformed[] = {
    {"noModel", "malformed", [](M &m) { m.model.reset(); }},
    {"noVocabulary", "model:", [](M &m) { m.model->vocabulary = 0; }},
    {"hugeVocabulary", "model:", [](M &m) { m.model->vocabulary = ~0u; }},
    {"noSequence", "model:", [](M &m) { m.model->max_sequence = 0; }},
    {"hugeSequence", "model:", [](M &m) { m.model->max_sequence = ~0u; }},
    {"noBatch", "model:", [](M &m) { m.model->max_batch = 0; }},
    {"hugeBatch", "model:", [](M &m) { m.model->max_batch = ~0u; }},
    {"noPages", "model:", [](M &m) { m.model->page_size = 0; }},
    {"weightType", "weight 'w': unknown element type", [](M &m) { m.weights[0]->element = artifact::ElementType(99); }},
    {"weightShape", "weight 'w': shape", [](M &m) { m.weights[0]->shape = {huge, huge}; }},
    {"weightEmpty", "weight 'w': shape", [](M &m) { m.weights[0]->shape = {0}; }},
    {"weightSource", "no weight file 3", [](M &m) { m.weights[0]->runs[0]->source = 3; }},
    {"weightSourceNegative", "no weight file -7", [](M &m) { m.weights[0]->runs[0]->source = -7; }},
    {"weightBytes", "expected parts of 32 bytes in all, got 28", [](M &m) { m.weights[0]->runs[0]->bytes = 28; }},
    {"weightBytesHuge", "weight 'w': parts", [](M &m) { m.weights[0]->runs[0]->bytes = huge; }},
    {"weightNoTimes", "weight 'w': parts", [](M &m) { m.weights[0]->runs[0]->times = 0; }},
    {"weightTimesHuge", "weight 'w': parts", [](M &m) { m.weights[0]->runs[0]->times = huge; }},
    {"weightManyParts", "weight 'w': more than 16777216 parts",
     [](M &m) {
       m.weights[0]->runs[0]->bytes = 1;
       m.weights[0]->runs[0]->times = m.weights[0]->shape.back() = uint64_t(1) << 25;
     }},
    {"weightEveryFar", "lies outside its section",
     [](M &m) {
       m.weights[0]->runs[0]->bytes /= 2;
       m.weights[0]->runs[0]->times = 2;
       m.weights[0]->runs[0]->every = 17;
     }},
    {"weightEveryHuge", "lies outside its section",
     [](M &m) {
       m.weights[0]->runs[0]->bytes /= 2;
       m.weights[0]->runs[0]->times = 2;
       m.weights[0]->runs[0]->every = huge;
     }},
    {"weightShared", "weight 'w' is, with those before, more than 64 times as large as the files",
     [](M &m) {
       for (int i = 0; i < 64; ++i)
         m.weights.push_back(std::make_unique<artifact::WeightT>(*m.weights[0]));
     }},
    {"weightPlace", "lies outside its section", [](M &m) { m.weights[0]->runs[0]->offset = 4; }},
    {"weightPlaceHuge", "lies outside its section", [](M &m) { m.weights[0]->runs[0]->offset = huge - 3; }},
    {"cacheType", "cache 'c'", [](M &m) { m.caches[0]->element = artifact::ElementType(77); }},
    {"cacheWidth", "cache 'c'", [](M &m) { m.caches[0]->width = 0; }},
    {"cacheWidthHuge", "cache 'c'", [](M &m) { m.caches[0]->width = huge; }},
    {"bufferKind", "unknown kind", [](M &m) { m.buffers[0]->kind = artifact::BufferKind(200); }},
    {"bufferExtent", "unknown kind", [](M &m) { m.buffers[0]->extent = artifact::Extent(200); }},
    {"bufferWeight", "no weight 5", [](M &m) { m.buffers[7]->index = 5; }},
    {"bufferCache", "no cache 5", [](M &m) { m.buffers[5]->index = 5; }},
    {"bufferConstant", "outside section 'constants'", [](M &m) { m.buffers[6]->width = 9; }},
    {"bufferConstantPlace", "outside section 'constants'", [](M &m) { m.buffers[6]->offset = 64; }},
    {"bufferConstantHuge", "outside section 'constants'", [](M &m) { m.buffers[6]->width = huge; }},
    {"scratch", "bytes of scratch", [](M &m) { m.kernels[0]->scratch_bytes = huge; }},
    {"codeSection", "no section 9", [](M &m) { m.code[0]->section = 9; }},
    {"programTokens", "limits out of range", [](M &m) { m.programs[0]->max_tokens = 0; }},
    {"programOutputs", "limits out of range", [](M &m) { m.programs[0]->max_outputs = 7; }},
    {"programSequences", "limits out of range", [](M &m) { m.programs[0]->max_sequences = 4; }},
    {"programArena", "limits out of range", [](M &m) { m.programs[0]->arena_bytes = huge; }},
    {"arenaSmall", "outside the arena", [](M &m) { m.programs[1]->arena_bytes = 64; }},
    {"arenaPlace", "outside the arena", [](M &m) { m.buffers[9]->offset = huge - 63; }},
    {"arenaWidth", "outside the arena", [](M &m) { m.buffers[8]->width = huge; }},
    {"arenaRows", "outside the arena", [](M &m) { m.buffers[8]->rows_per_unit = huge; }},
    {"launchKernel", "no kernel 2", [](M &m) { m.programs[0]->launches[0]->kernel = 2; }},
    {"launchBuffer", "no buffer 10", [](M &m) { m.programs[0]->launches[0]->buffers[0] = 10; }},
    {"launchItems", "too many items", [](M &m) { m.programs[0]->launches[0]->items_per_unit = huge; }},
    {"launchExtent", "too many items", [](M &m) { m.programs[0]->launches[0]->extent = artifact::Extent(9); }},
    {"outputBuffer", "no buffer 99", [](M &m) { m.programs[0]->outputs[0]->buffer = 99; }},
    {"outputKind", "is no such buffer", [](M &m) { m.programs[0]->outputs[0]->buffer = 5; }},
    {"outputWidth", "is no such buffer", [](M &m) { m.programs[0]->outputs[0]->buffer = 8; }},
    {"sectionPlace", "outside the file or off its alignment", [](M &m) { m.sections[1]->offset += 64; }},
    {"sectionFar", "outside the file", [](M &m) { m.sections[1]->offset = uint64_t(1) << 62; }},
    {"sectionLong", "outside the file", [](M &m) { m.sections[1]->length = huge; }},
    {"sectionHash", "section 'constants' is damaged", [](M &m) { *m.sections[1]->hash = artifact::Hash128(1, 2); }},
    {"weightFileFolder", "without a folder", [](M &m) { m.weight_files.emplace_back(new artifact::WeightFileT)->name = "../w"; }},
    {"weightFileParent", "without a folder", [](M &m) { m.weight_files.emplace_back(new artifact::WeightFileT)->name = ".."; }},
    {"sectionTwice", "section 'constants' occurs twice",
     [](M &m) { m.sections.push_back(std::make_unique<artifact::SectionT>(*m.sections[1])); }},
    {"constantOfNoSection", "outside section 'constants'", [](M &m) { m.sections[1]->name = "others"; }},
    {"constantEmptyOfNoSection", "outside section 'constants'",
     [](M &m) {
       m.sections[1]->name = "others";
       m.buffers[6]->width = 0;
     }},
    {"gpuTwice", "GPU code 'sm_80' occurs twice",
     [](M &m) { m.gpu_code.push_back(std::make_unique<artifact::GpuCodeT>(*m.gpu_code[0])); }},
    {"gpuSection", "no section 9", [](M &m) { m.gpu_code[0]->section = 9; }},
    {"gpuBinary", "section 'code/x86-64-v1': expected GPU code as ASCII text", [](M &m) { m.gpu_code[0]->section = 0; }},
    {"gpuKernel", "no kernel 2", [](M &m) { m.gpu_code[0]->kernels[0]->kernel = 2; }},
    {"gpuKernelTwice", "kernel 'append' occurs twice", [](M &m) { m.gpu_code[0]->kernels[1]->kernel = 0; }},
    {"gpuKernelMissing", "launches kernel 'attend', which it does not have", [](M &m) { m.gpu_code[0]->kernels.pop_back(); }},
    {"gpuNoThreads", "got 0", [](M &m) { m.gpu_code[0]->kernels[0]->threads = 0; }},
    {"gpuPartOfAWarp", "32, 64, ... 1024 threads, got 65", [](M &m) { m.gpu_code[0]->kernels[0]->threads = 65; }},
    {"gpuThreads", "got 1056", [](M &m) { m.gpu_code[0]->kernels[0]->threads = 1056; }},
    {"gpuShared", "bytes of shared memory", [](M &m) { m.gpu_code[0]->kernels[0]->shared_bytes = ~0u; }},
    {"gpuNoGrid", "1 to 3 dimensions, got 0", [](M &m) { m.gpu_code[0]->kernels[0]->grid.clear(); }},
    {"gpuFourDimensions", "1 to 3 dimensions, got 4",
     [](M &m) {
       auto &grid = m.gpu_code[0]->kernels[0]->grid;
       while (grid.size() < 4)
         grid.push_back(std::make_unique<artifact::LaunchDimensionT>(*grid[0]));
     }},
    {"gpuDivision", "a division by zero", [](M &m) { m.gpu_code[0]->kernels[0]->grid[0]->divisor = 0; }},
    {"gpuExtent", "unknown extent", [](M &m) { m.gpu_code[0]->kernels[0]->grid[0]->extent = artifact::Extent(9); }},
    {"gpuWorkspaceDivision", "a division by zero", [](M &m) { m.gpu_code[0]->kernels[1]->workspace->divisor = 0; }},
    {"gpuGridX", "dimension 0 of the grid exceeds 2147483647", [](M &m) { m.gpu_code[0]->kernels[0]->grid[0]->factor = 1u << 31; }},
    {"gpuGridOverflow", "dimension 0 of the grid exceeds", [](M &m) { m.gpu_code[0]->kernels[1]->grid[0]->factor = huge / 2; }},
    {"gpuGridAddend", "dimension 0 of the grid exceeds", [](M &m) { m.gpu_code[0]->kernels[1]->grid[0]->addend = huge; }},
    {"gpuGridY", "dimension 1 of the grid exceeds 65535 in program 'prefill'",
     [](M &m) {
       auto &grid = m.gpu_code[0]->kernels[0]->grid;
       grid.push_back(std::make_unique<artifact::LaunchDimensionT>(*grid[0]));
       grid[1]->addend = 65535;
     }},
    {"gpuWorkspace", "workspace out of range", [](M &m) { m.gpu_code[0]->kernels[1]->workspace->factor = huge; }},
    {"gpuWorkspaceAddend", "workspace out of range", [](M &m) { m.gpu_code[0]->kernels[1]->workspace->addend = huge - 8; }},
    {"gpuCounters", "at most the workspace's addend, got 65", [](M &m) { m.gpu_code[0]->kernels[1]->counter_bytes = 65; }},
    {"gpuCountersOfNoWorkspace", "at most the workspace's addend, got 1",
     [](M &m) { m.gpu_code[0]->kernels[0]->counter_bytes = 1; }},
    {"gpuChip", "chip 'sm_80': no section 77", [](M &m) { addCubin(m, 77, 2); }},
    {"gpuChipTwice", "chip 'sm_80' occurs twice",
     [](M &m) {
       addCubin(m, 1, 2);
       addCubin(m, 1, 2);
     }},
    {"gpuChainOfOne", "chain 'chain': expected 2 to 512 kernels, got 1",
     [](M &m) {
       chainLaunches(m);
       m.gpu_code[0]->chains[0]->kernels.pop_back();
     }},
    {"gpuChainKernel", "chain 'chain': no kernel 2",
     [](M &m) {
       chainLaunches(m);
       m.gpu_code[0]->chains[1]->kernels[1] = 2;
     }},
    {"gpuChainThreads", "chain 'chain': its kernels differ in threads",
     [](M &m) {
       chainLaunches(m);
       m.gpu_code[0]->kernels[1]->threads += 32;
     }},
    {"gpuChainName", "a chain's name of 65 bytes",
     [](M &m) {
       chainLaunches(m);
       m.gpu_code[0]->chains[0]->symbol.assign(65, 'c');
     }},
    {"gpuChainPrograms", "expected chains of 2 programs, got 1",
     [](M &m) {
       chainLaunches(m);
       m.gpu_code[0]->programs.pop_back();
     }},
    {"gpuChained", "program 'decode': no chain 2",
     [](M &m) {
       chainLaunches(m);
       m.gpu_code[0]->programs[1]->chained[0] = {0, 2};
     }},
    {"gpuChainedLate", "program 'prefill': chained launches out of order or out of range",
     [](M &m) {
       chainLaunches(m);
       m.gpu_code[0]->programs[0]->chained[0] = {1, 0};
     }},
    {"gpuChainedHuge", "program 'prefill': chained launches out of order or out of range",
     [](M &m) {
       chainLaunches(m);
       m.gpu_code[0]->programs[0]->chained[0] = {~0u, 0};
     }},
    {"gpuChainedTwice", "program 'prefill': chained launches out of order or out of range",
     [](M &m) {
       chainLaunches(m);
       m.gpu_code[0]->programs[0]->chained.emplace_back(0, 0);
     }},
    {"gpuChainedOther", "program 'prefill': launch 0 is not of the chain's kernel",
     [](M &m) {
       chainLaunches(m);
       std::swap(m.gpu_code[0]->chains[0]->kernels[0], m.gpu_code[0]->chains[0]->kernels[1]);
     }},
    {"gpuChainArguments", "a chain of 518 arguments, expected at most 512",
     [](M &m) {
       chainLaunches(m);
       m.programs[0]->launches[0]->buffers.resize(506);
     }},
    {"gpuChipKernels", "expected records of 2 kernels, got 1", [](M &m) { addCubin(m, 1, 1); }},
    {"routingTwice", "routing of layer 0 is recorded twice",
     [](M &m) { m.routing.push_back(std::make_unique<artifact::RoutingRecordT>(*m.routing[0])); }},
    {"routingNone", "routing of layer 0 chooses 0 of 3 experts", [](M &m) { m.routing[0]->k = 0; }},
    {"routingAll", "routing of layer 0 chooses 4 of 3 experts", [](M &m) { m.routing[0]->k = 4; }},
    {"routingWidth", "output 'routing.0' holds 1 experts, but its layer's record says 2", [](M &m) { m.routing[0]->k = 2; }},
    {"routingUnrecorded", "output 'routing.0' holds 1 experts, but no record says how its layer routes",
     [](M &m) { m.routing.clear(); }},
    {"routingUnused", "expected outputs of 2 layers that route, got 1",
     [](M &m) {
       m.routing.push_back(std::make_unique<artifact::RoutingRecordT>(*m.routing[0]));
       m.routing[1]->layer = 5;
     }},
    {"routingScore", "has scores of an unknown kind", [](M &m) { routeBy(m).score = artifact::Score(9); }},
    {"routingGroups", "chooses 1 of 3 experts in 1 of 2 groups", [](M &m) { routeBy(m).groups = 2; }},
    {"routingNoGroups", "in 1 of 0 groups", [](M &m) { routeBy(m).groups = 0; }},
    {"routingKeptGroups", "in 4 of 3 groups",
     [](M &m) {
       routeBy(m).groups = 3;
       routeBy(m).kept_groups = 4;
     }},
    {"routingScale", "has a scale or an epsilon that is none", [](M &m) { routeBy(m).scale = -1; }},
    {"routingEpsilon", "has a scale or an epsilon that is none", [](M &m) { routeBy(m).epsilon = NAN; }},
    {"pages", "pages of cache",
     [](M &m) {
       m.model->max_sequence = 1 << 30;
       m.model->page_size = 1;
     }},
};
INSTANTIATE_TEST_SUITE_P(Artifact, MalformedManifest, testing::ValuesIn(malformed),
                         [](const auto &info) { return std::string(info.param.name); });

TEST(Artifact, findsExternalWeightsByFolderAndSize) {
  auto external = [](M &m) {
    auto file = std::make_unique<artifact::WeightFileT>();
    file->name = "external.bin";
    file->size = 32;
    m.weight_files.push_back(std::move(file));
    m.weights[0]->runs[0]->source = 0;
  };
  std::string folder = test::folder() + "/weights";
  std::string path = writeFile("external.moec", artifactBytes(soundManifest(), external));
  EXPECT_NE(errorOf(path).find("--weights"), std::string::npos);
  auto described = Artifact::open(path, {.openWeights = false});
  ASSERT_TRUE(described.ok()) << described.status().message();
  EXPECT_FALSE((*described)->hasWeights());
  EXPECT_NE(Session::create(**described, {1, ""}).status().message().find("without its weights"), std::string::npos);
  ASSERT_EQ(system(("mkdir -p " + folder).c_str()), 0);
  std::ofstream(folder + "/external.bin") << std::string(31, 'w');
  Result<std::unique_ptr<Artifact>> wrongSize = Artifact::open(path, {false, folder});
  ASSERT_FALSE(wrongSize.ok());
  EXPECT_NE(wrongSize.status().message().find("expected 32 bytes of weights, got 31"), std::string::npos);
  std::ofstream(folder + "/external.bin") << std::string(32, 'w');
  EXPECT_TRUE(Artifact::open(path, {false, folder}).ok());
}
} // namespace
