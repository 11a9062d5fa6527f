// The tokenizer from file to ids: every line of the fixture, as the reference tokenizer has it.
#include "importers/tokenizer/TokenizerImporter.h"
#include "runtime/tokenizer/Tokenizer.h"

#include <fstream>
#include <gtest/gtest.h>

using namespace moec;
using namespace moec::importers;

namespace {
struct ShippedTokenizer : testing::Test {
  static void SetUpTestSuite() {
    llvm::Expected<ModelFolder> folder = ModelFolder::at(MOEC_TEST_DATA "/fixtures/model");
    ASSERT_TRUE(bool(folder)) << llvm::toString(folder.takeError());
    llvm::Expected<std::optional<std::string>> imported = importTokenizer(*folder);
    ASSERT_TRUE(bool(imported)) << llvm::toString(imported.takeError());
    ASSERT_TRUE(imported->has_value());
    bytes = new std::string(std::move(**imported));
    runtime::Result<std::unique_ptr<runtime::Tokenizer>> made = runtime::Tokenizer::create(std::as_bytes(std::span(*bytes)));
    ASSERT_TRUE(made.ok()) << made.status().message();
    tokenizer = made->release();
  }
  static const std::string *bytes;
  static const runtime::Tokenizer *tokenizer;
};
const std::string *ShippedTokenizer::bytes = nullptr;
const runtime::Tokenizer *ShippedTokenizer::tokenizer = nullptr;

std::vector<int32_t> idsOf(const json::Value *value) {
  std::vector<int32_t> ids;
  for (const json::Value &id : *value->array())
    ids.push_back(int32_t(*id.integer()));
  return ids;
}

TEST_F(ShippedTokenizer, agreesWithTheReferenceOnEveryLine) {
  std::ifstream lines(MOEC_TEST_DATA "/fixtures/tokenizer/lines.jsonl");
  std::string line;
  size_t count = 0;
  for (; std::getline(lines, line); ++count) {
    llvm::Expected<json::Value> row = json::parse(line, "line");
    ASSERT_TRUE(bool(row)) << llvm::toString(row.takeError());
    std::vector<int32_t> ids = idsOf(row->find("ids"));
    EXPECT_EQ(tokenizer->decode(ids, false), *row->find("decoded")->string()) << line;
    runtime::StreamDecoder stream(*tokenizer);
    std::string streamed;
    bool special = false;
    for (int32_t id : ids) {
      streamed += stream.next(id);
      special |= tokenizer->isSpecial(id);
    }
    if (!special) {
      EXPECT_EQ(streamed + stream.finish(), *row->find("decoded")->string()) << line;
    }
    if (const std::string *text = row->find("text")->string()) {
      runtime::Result<std::vector<int32_t>> plain = tokenizer->encode(*text, false), withSpecial = tokenizer->encode(*text, true);
      ASSERT_TRUE(plain.ok() && withSpecial.ok());
      EXPECT_EQ(*plain, ids) << line;
      EXPECT_EQ(*withSpecial, idsOf(row->find("ids_special"))) << line;
    }
  }
  EXPECT_EQ(count, 1800u);
}

TEST_F(ShippedTokenizer, mergesAMegabyteOfOneLetterInTime) {
  runtime::Result<std::vector<int32_t>> ids = tokenizer->encode(std::string(1 << 20, 'a'), false);
  ASSERT_TRUE(ids.ok()) << ids.status().message();
  EXPECT_EQ(tokenizer->decode(*ids, false), std::string(1 << 20, 'a'));
}

TEST_F(ShippedTokenizer, holdsBackACharacterUntilItIsWhole) {
  runtime::Result<std::vector<int32_t>> ids = tokenizer->encode("\U0001F642", false);
  ASSERT_TRUE(ids.ok());
  ASSERT_GT(ids->size(), 1u);
  runtime::StreamDecoder stream(*tokenizer);
  for (size_t i = 0; i + 1 < ids->size(); ++i)
    EXPECT_EQ(stream.next((*ids)[i]), "");
  EXPECT_EQ(stream.next(ids->back()), "\U0001F642");
  EXPECT_EQ(stream.finish(), "");
}

TEST_F(ShippedTokenizer, refusesADamagedSection) {
  for (size_t length : {size_t(0), size_t(7), bytes->size() / 2, bytes->size() - 64}) {
    std::string damaged = bytes->substr(0, length);
    EXPECT_FALSE(runtime::Tokenizer::create(std::as_bytes(std::span(damaged))).ok()) << length;
  }
}
} // namespace
