// Safetensors headers that are unusual but legal, and checkpoints of shards.
#include "importers/safetensors/Checkpoint.h"

#include "llvm/Support/Endian.h"

#include "gtest/gtest.h"

using namespace moec::importers;
using namespace moec::importers::safetensors;

namespace {

Header readLegal(std::string json, size_t dataBytes) {
  char length[8];
  llvm::support::endian::write64le(length, json.size());
  std::string file = std::string(length, 8) + json;
  llvm::Expected<Header> header = readHeader(file, file.size() + dataBytes, "f.safetensors");
  if (!header) {
    ADD_FAILURE() << llvm::toString(header.takeError());
    return {};
  }
  return std::move(*header);
}

TEST(Safetensors, EmptyFileOfNoTensors) {
  EXPECT_TRUE(readLegal("{}", 0).tensors.empty());
  EXPECT_TRUE(readLegal(R"({"__metadata__": {"format": "pt"}})", 0).tensors.empty());
}

TEST(Safetensors, OffsetsAreAbsoluteAndSorted) {
  std::string json =
      R"({"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  Header header = readLegal(json, 16);
  ASSERT_EQ(header.tensors.size(), 2u);
  const Tensor &a = header.tensors[0], &b = header.tensors[1];
  EXPECT_EQ(a.name.val(), "a");
  EXPECT_EQ(a.file, "f.safetensors");
  EXPECT_EQ(a.offset, static_cast<int64_t>(8 + json.size()));
  EXPECT_EQ(b.name.val(), "b");
  EXPECT_EQ(b.type, "BF16");
  EXPECT_EQ(b.shape, (llvm::SmallVector<int64_t, 3>{2, 3}));
  EXPECT_EQ(b.offset, a.offset + 4);
  EXPECT_EQ(b.bytes, 12);
}

// Scalars, empty tensors (also several at one place), sub-byte types, trailing spaces, unaligned data.
TEST(Safetensors, RareFormsAreLegal) {
  EXPECT_EQ(
      readLegal(R"({"s":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"x":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}   )",
                5)
          .tensors.size(),
      2u);
  EXPECT_EQ(
      readLegal(R"({"e":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]},"f":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)"
                R"("a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},"z":{"dtype":"I8","shape":[0],"data_offsets":[2,2]}})",
                2)
          .tensors.size(),
      4u);
  EXPECT_EQ(readLegal(R"({"q":{"dtype":"F4","shape":[3,2],"data_offsets":[0,3]}})", 3).tensors.front().bytes, 3);
  EXPECT_EQ(readLegal(R"({"q":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]}})", 3).tensors.front().bytes, 3);
}

// The order in which tensors are asked for decides how they are looked for, and nothing else.
TEST(Safetensors, TensorsAreFoundInAnyOrder) {
  llvm::Expected<ModelFolder> folder = ModelFolder::at(MOEC_TEST_DATA "/fixtures/checkpoints/deepseek_v3/a");
  ASSERT_TRUE(bool(folder)) << llvm::toString(folder.takeError());
  Header header = llvm::cantFail(readHeader(llvm::cantFail(folder->open("model.safetensors"))));
  Checkpoint checkpoint = llvm::cantFail(Checkpoint::open(*folder));
  size_t count = header.tensors.size();
  for (size_t step : {size_t(1), size_t(3), count / 2, count - 1})
    for (size_t i = 0; i < count; ++i) {
      const Tensor &expected = header.tensors[i * step % count];
      const Tensor *found = checkpoint.take(expected.name.val());
      ASSERT_TRUE(found) << expected.name.val().str();
      EXPECT_EQ(found->name.val(), expected.name.val());
      EXPECT_EQ(found->offset, expected.offset);
      EXPECT_EQ(checkpoint.take((expected.name.val() + "?").str()), nullptr);
    }
}

TEST(Safetensors, ShardsAreOneCheckpoint) {
  llvm::Expected<ModelFolder> folder = ModelFolder::at(MOEC_TEST_DATA "/fixtures/checkpoints/deepseek_v3/a-sharded");
  ASSERT_TRUE(bool(folder)) << llvm::toString(folder.takeError());
  llvm::Expected<Checkpoint> checkpoint = Checkpoint::open(*folder);
  ASSERT_TRUE(bool(checkpoint)) << llvm::toString(checkpoint.takeError());
  const Tensor *norm = checkpoint->take("model.norm.weight"), *head = checkpoint->take("lm_head.weight");
  ASSERT_TRUE(norm && head);
  EXPECT_EQ(norm->shape, (llvm::SmallVector<int64_t, 3>{36}));
  EXPECT_EQ(checkpoint->take("model.norm.bias"), nullptr);

  // The first unused one is named, unless all others are left aside.
  std::string message = llvm::toString(checkpoint->checkAllUsed([](const Tensor &) { return false; }));
  EXPECT_NE(message.find("tensor 'model.embed_tokens.weight' and "), std::string::npos) << message;
  EXPECT_FALSE(bool(checkpoint->checkAllUsed([](const Tensor &tensor) { return tensor.name.val().starts_with("model."); })));
}

} // namespace
