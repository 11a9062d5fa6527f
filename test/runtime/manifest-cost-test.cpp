// Manifests whose tables share their names and lists, or that are merely large, are checked in a time that grows with their size.
#include "runtime/artifact/Bounds.h"
#include "test/runtime/TestArtifact.h"

#include <chrono>
#include <gtest/gtest.h>

using namespace moec;
using namespace moec::runtime;
using namespace moec::test;
using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

namespace {
/// A manifest written table by table, so that tables can share; what a case leaves empty is as in the sound one.
struct Pieces {
  FlatBufferBuilder builder{1 << 20};
  artifact::ManifestT sound = soundManifest();
  std::vector<Offset<artifact::Weight>> weights;
  std::vector<Offset<artifact::Program>> programs;
  std::vector<Offset<artifact::CodeVariant>> code;
  std::vector<Offset<artifact::GpuCode>> gpuCode;

  template <typename T>
  auto listOf(std::vector<Offset<T>> given, const std::vector<std::unique_ptr<typename T::NativeTableType>> &otherwise) {
    if (given.empty())
      for (const auto &one : otherwise)
        given.push_back(T::Pack(builder, one.get()));
    return builder.CreateVector(given);
  }

  const artifact::Manifest &finish() {
    using namespace artifact;
    std::vector<Offset<Section>> sectionList; // the sound manifest has none yet
    for (const char *name : {"code", "constants", "weights", "ptx/sm_80"}) {
      Hash128 hash(0, 0);
      sectionList.push_back(CreateSection(builder, builder.CreateString(name), 0, 32, &hash));
    }
    auto producer = builder.CreateString("a test");
    auto model = CreateModel(builder, sound.model.get());
    auto sections = builder.CreateVector(sectionList);
    auto weightList = listOf(weights, sound.weights);
    auto caches = listOf<Cache>({}, sound.caches);
    auto buffers = listOf<Buffer>({}, sound.buffers);
    auto kernels = listOf<Kernel>({}, sound.kernels);
    auto programList = listOf(programs, sound.programs);
    auto codeList = listOf(code, sound.code);
    auto gpuList = listOf(gpuCode, sound.gpu_code);
    auto routing = listOf<RoutingRecord>({}, sound.routing);
    FinishManifestBuffer(builder, CreateManifest(builder, producer, model, sections, 0, 0, weightList, caches, buffers, kernels,
                                                 programList, codeList, routing, 0, gpuList));
    return *GetManifest(builder.GetBufferPointer());
  }
  std::string bytes() const { return {reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize()}; }
};

/// What `check` says, in no more than a few seconds: anything quadratic would take hours.
std::string inTime(const std::function<Status()> &check) {
  auto start = std::chrono::steady_clock::now();
  Status status = check();
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took.count(), 30);
  return status.message();
}
std::string inTime(const artifact::Manifest &manifest) {
  return inTime([&] { return verifyManifest(manifest, "costly.moec"); });
}

TEST(ManifestCost, isThatOfAllKernelsAndAllLaunches) {
  constexpr uint32_t count = 200000;
  artifact::ManifestT manifest = soundManifest();
  for (uint32_t i = 2; i < count; ++i) {
    (manifest.kernels.emplace_back(new artifact::KernelT))->symbol = "k";
    manifest.programs[0]->launches.emplace_back(new artifact::LaunchT(*manifest.programs[0]->launches[0]))->kernel = i;
    manifest.gpu_code[0]->kernels.emplace_back(new artifact::GpuKernelT(*manifest.gpu_code[0]->kernels[1]))->kernel = i;
  }
  std::unique_ptr<Artifact> artifact;
  std::string path = writeFile("costly.moec", artifactBytes(std::move(manifest)));
  EXPECT_EQ(inTime([&] { return take(artifact, Artifact::open(path)); }), "");
  Result<std::unique_ptr<Device>> device = Status();
  std::string error = inTime([&] { return (device = createEmulatorDevice(*artifact, {1, "", 9})).status(); });
  EXPECT_NE(error.find("has no entry 'k'"), std::string::npos) << error;
}

TEST(ManifestCost, doesNotGrowWithSharedNames) {
  Pieces pieces;
  auto name = pieces.builder.CreateString(std::string(16 << 20, 'n'));
  auto shape = pieces.builder.CreateVector(std::vector<uint64_t>{vocabulary});
  auto runs = pieces.builder.CreateVector(std::vector{artifact::CreateWeightRun(pieces.builder, -1, 0, 4 * vocabulary)});
  for (int i = 0; i < 300000; ++i)
    pieces.weights.push_back(artifact::CreateWeight(pieces.builder, name, artifact::ElementType::f32, shape, runs));
  EXPECT_EQ(inTime(pieces.finish()), "");
}

TEST(ManifestCost, doesNotGrowWithSharedShapes) {
  Pieces pieces;
  auto name = pieces.builder.CreateString("w");
  auto shape = pieces.builder.CreateVector(std::vector<uint64_t>(4 << 20, 1));
  auto runs = pieces.builder.CreateVector(std::vector{artifact::CreateWeightRun(pieces.builder, -1, 0, 4)});
  for (int i = 0; i < 300000; ++i)
    pieces.weights.push_back(artifact::CreateWeight(pieces.builder, name, artifact::ElementType::f32, shape, runs));
  std::string error = inTime(pieces.finish());
  EXPECT_NE(error.find("weight 'w': expected a shape of at most 8 dimensions, got 4194304"), std::string::npos) << error;
}

TEST(ManifestCost, doesNotGrowWithSharedArguments) {
  Pieces pieces;
  auto arguments = pieces.builder.CreateVector(std::vector<uint32_t>(4 << 20, 0));
  std::vector<Offset<artifact::Launch>> launches;
  for (int i = 0; i < 300000; ++i)
    launches.push_back(artifact::CreateLaunch(pieces.builder, 0, arguments, artifact::Extent::tokens, 1));
  auto name = pieces.builder.CreateString("prefill");
  auto list = pieces.builder.CreateVector(launches);
  auto outputs = pieces.builder.CreateVector(std::vector<Offset<artifact::Output>>());
  pieces.programs.push_back(artifact::CreateProgram(pieces.builder, name, 6, maxBatch, 4, 1024, list, outputs));
  std::string error = inTime(pieces.finish());
  EXPECT_NE(error.find("program 'prefill': its launches have more buffers than fit into a manifest"), std::string::npos) << error;
}

TEST(ManifestCost, doesNotGrowWithGpuTargets) {
  Pieces pieces;
  std::vector<Offset<artifact::GpuKernel>> kernels;
  for (const auto &kernel : pieces.sound.gpu_code[0]->kernels)
    kernels.push_back(artifact::CreateGpuKernel(pieces.builder, kernel.get()));
  auto list = pieces.builder.CreateVector(kernels);
  for (int i = 0; i < 100000; ++i)
    pieces.gpuCode.push_back(
        artifact::CreateGpuCode(pieces.builder, pieces.builder.CreateString("sm_" + std::to_string(i)), 3, 80, list));
  std::string error = inTime(pieces.finish());
  EXPECT_NE(error.find("code for 100000 GPU targets, expected at most 64"), std::string::npos) << error;
}

TEST(ManifestCost, doesNotGrowWithSharedChains) {
  Pieces pieces;
  std::vector<Offset<artifact::GpuKernel>> kernels;
  for (const auto &kernel : pieces.sound.gpu_code[0]->kernels)
    kernels.push_back(artifact::CreateGpuKernel(pieces.builder, kernel.get()));
  auto chain = artifact::CreateGpuChain(pieces.builder, pieces.builder.CreateString("chain"),
                                        pieces.builder.CreateVector(std::vector<uint32_t>(512, 0)));
  auto chains = pieces.builder.CreateVector(std::vector(300000, chain));
  pieces.gpuCode.push_back(artifact::CreateGpuCode(pieces.builder, pieces.builder.CreateString("sm_80"), 3, 80,
                                                   pieces.builder.CreateVector(kernels), 0, chains));
  std::string error = inTime(pieces.finish());
  EXPECT_NE(error.find("its chains have more kernels than programs have launches"), std::string::npos) << error;
}

/// FlatBuffers' own verifier would go through the features of each variant.
TEST(ManifestCost, doesNotGrowWithSharedFeatures) {
  Pieces pieces;
  std::vector<Offset<flatbuffers::String>> names(4 << 20, pieces.builder.CreateString("avx2"));
  auto features = pieces.builder.CreateVector(names);
  auto isa = pieces.builder.CreateString("x86-64");
  for (int i = 0; i < 300000; ++i)
    pieces.code.push_back(artifact::CreateCodeVariant(pieces.builder, isa, 0, features));
  pieces.finish();
  std::string path = writeFile("features.moec", sealedFile(std::string(headerBytes, '\0'), pieces.bytes()));
  std::string error = inTime([&] { return Artifact::open(path).status(); });
  EXPECT_NE(error.find("section 'manifest' is malformed"), std::string::npos) << error;
}

/// Each would be hashed.
TEST(ManifestCost, doesNotGrowWithOverlappingSections) {
  std::string bytes = artifactBytes(soundManifest(), [](artifact::ManifestT &m) {
    for (int i = 0; i < 8; ++i)
      m.sections.emplace_back(new artifact::SectionT(*m.sections[0]))->name = std::to_string(i);
  });
  std::string error = Artifact::open(writeFile("overlapping.moec", bytes)).status().message();
  EXPECT_NE(error.find("' overlaps others: expected sections of at most "), std::string::npos) << error;
}
} // namespace
