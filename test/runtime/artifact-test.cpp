// Artifacts that are damaged, malformed or of another version are refused with a sentence, and nothing crashes.
#include "test/runtime/TestArtifact.h"

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
TEST(Artifact, noticesEveryFlippedByte) {
  std::string bytes = artifactBytes(soundManifest());
  std::string path = writeFile("flipped.moec", bytes);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::vector<int32_t> ids{3, 5};
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
  other[8] = 2;
  EXPECT_NE(errorOf(writeFile("version.moec", other)).find("format version 2, expected 1"), std::string::npos);
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
    {"weightSource", "no weight file 3", [](M &m) { m.weights[0]->parts[0]->source = 3; }},
    {"weightSourceNegative", "no weight file -7", [](M &m) { m.weights[0]->parts[0]->source = -7; }},
    {"weightBytes", "expected parts of 32 bytes in all, got 28", [](M &m) { m.weights[0]->parts[0]->bytes = 28; }},
    {"weightBytesHuge", "weight 'w': parts", [](M &m) { m.weights[0]->parts[0]->bytes = huge; }},
    {"weightPlace", "lies outside its section", [](M &m) { m.weights[0]->parts[0]->offset = 4; }},
    {"weightPlaceHuge", "lies outside its section", [](M &m) { m.weights[0]->parts[0]->offset = huge - 3; }},
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
    m.weights[0]->parts[0]->source = 0;
  };
  std::string folder = test::folder() + "/weights";
  std::string path = writeFile("external.moec", artifactBytes(soundManifest(), external));
  EXPECT_NE(errorOf(path).find("--weights"), std::string::npos);
  ASSERT_EQ(system(("mkdir -p " + folder).c_str()), 0);
  std::ofstream(folder + "/external.bin") << std::string(31, 'w');
  Result<std::unique_ptr<Artifact>> wrongSize = Artifact::open(path, {false, folder});
  ASSERT_FALSE(wrongSize.ok());
  EXPECT_NE(wrongSize.status().message().find("expected 32 bytes of weights, got 31"), std::string::npos);
  std::ofstream(folder + "/external.bin") << std::string(32, 'w');
  EXPECT_TRUE(Artifact::open(path, {false, folder}).ok());
}
} // namespace
