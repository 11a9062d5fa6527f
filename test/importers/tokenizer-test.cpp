// The tokenizer from file to ids: every line of the fixture, as the reference tokenizer has it.
#include "importers/tokenizer/TokenizerImporter.h"
#include "runtime/tokenizer/Tokenizer.h"
#include "test/importers/TemporaryFolder.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace moec;
using namespace moec::importers;
using moec::test::TemporaryFolder;

namespace {
/// The tokenizer of a folder, and the section that it lives in.
struct Imported {
  std::string section;
  std::unique_ptr<runtime::Tokenizer> tokenizer;
};

std::unique_ptr<Imported> import(const std::string &path) {
  llvm::Expected<ModelFolder> folder = ModelFolder::at(path);
  EXPECT_TRUE(bool(folder)) << llvm::toString(folder.takeError());
  llvm::Expected<std::optional<std::string>> section = importTokenizer(*folder);
  EXPECT_TRUE(bool(section)) << llvm::toString(section.takeError());
  auto imported = std::make_unique<Imported>(Imported{**section, nullptr});
  runtime::Result<std::unique_ptr<runtime::Tokenizer>> made =
      runtime::Tokenizer::create(std::as_bytes(std::span(imported->section)));
  EXPECT_TRUE(made.ok()) << made.status().message();
  imported->tokenizer = std::move(*made);
  return imported;
}

struct ShippedTokenizer : testing::Test {
  static void SetUpTestSuite() { imported = import(MOEC_TEST_DATA "/fixtures/model"); }
  static void TearDownTestSuite() { imported.reset(); }
  static inline std::unique_ptr<Imported> imported;
  const runtime::Tokenizer *tokenizer = imported->tokenizer.get();
};

std::vector<int32_t> idsOf(const json::Value *value) {
  std::vector<int32_t> ids;
  for (const json::Value &id : *value->array())
    ids.push_back(int32_t(*id.integer()));
  return ids;
}

std::string streamed(const runtime::Tokenizer &tokenizer, const std::vector<int32_t> &ids) {
  runtime::StreamDecoder stream(tokenizer);
  std::string text;
  for (int32_t id : ids)
    text += stream.next(id);
  return text + stream.finish();
}

/// Holds `tokenizer` to a file of lines; returns their number.
size_t checkLines(const runtime::Tokenizer &tokenizer, const std::string &path) {
  std::ifstream lines(path);
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    llvm::Expected<json::Value> row = json::parse(line, "line");
    EXPECT_TRUE(bool(row)) << llvm::toString(row.takeError());
    std::vector<int32_t> ids = idsOf(row->find("ids"));
    EXPECT_EQ(tokenizer.decode(ids, false), *row->find("decoded")->string()) << line;
    EXPECT_EQ(streamed(tokenizer, ids), tokenizer.decode(ids, true)) << line;
    if (const json::Value *plain = row->find("decoded_plain")) // special tokens left out
      EXPECT_EQ(tokenizer.decode(ids, true), *plain->string()) << line;
    if (const std::string *text = row->find("text")->string()) {
      runtime::Result<std::vector<int32_t>> plain = tokenizer.encode(*text, false), withSpecial = tokenizer.encode(*text, true);
      EXPECT_TRUE(plain.ok() && withSpecial.ok()) << plain.status().message();
      EXPECT_EQ(*plain, ids) << line;
      EXPECT_EQ(*withSpecial, idsOf(row->find("ids_special"))) << line;
    }
  }
  return count;
}

TEST_F(ShippedTokenizer, agreesWithTheReferenceOnEveryLine) {
  EXPECT_EQ(checkLines(*tokenizer, MOEC_TEST_DATA "/fixtures/tokenizer/lines.jsonl"), 1800u);
}

/// Every layout of tokenizer.json that fixtures/tokenizer/layouts.py writes, and of other files that pieces.py does.
class TokenizerLayout : public testing::TestWithParam<const char *> {};
TEST_P(TokenizerLayout, agreesWithTheReferenceOnEveryLine) {
  std::string folder = std::string(MOEC_TEST_DATA "/fixtures/tokenizer/layouts/") + GetParam();
  EXPECT_EQ(checkLines(*import(folder)->tokenizer, folder + "/lines.jsonl"), 40u);
}
INSTANTIATE_TEST_SUITE_P(Tokenizer, TokenizerLayout,
                         testing::Values("added", "deepseek-v2", "deepseek-v3", "empty-matches", "fallback-holes", "gpt2",
                                         "gpt2-prefix", "llama3", "metaspace-first", "metaspace-unknown", "mixtral", "nfkd",
                                         "o200k", "qwen2", "sentencepiece", "sentencepiece-bare", "sentencepiece-spaces",
                                         "sentencepiece-unigram", "sentencepiece-unigram-spaces", "tekken", "tekken-v3", "tiktoken",
                                         "tiktoken-source", "unigram", "unigram-metaspace"));

/// A folder may have its tokenizer in several files: the first of tokenizer.json, tekken.json, tiktoken.model and tokenizer.model
/// counts.
TEST(Tokenizer, isTheFirstOfSeveralFiles) {
  const std::filesystem::path layouts = MOEC_TEST_DATA "/fixtures/tokenizer/layouts";
  const TemporaryFolder temporary;
  const std::filesystem::path &folder = temporary.path();
  auto sizeWith = [&](const char *layout, const char *file) {
    std::filesystem::copy_file(layouts / layout / file, folder / file, std::filesystem::copy_options::overwrite_existing);
    return import(folder)->tokenizer->size();
  };
  EXPECT_EQ(sizeWith("sentencepiece", "tokenizer.model"), 900u);
  std::filesystem::copy_file(layouts / "tiktoken/tokenizer_config.json", folder / "tokenizer_config.json");
  EXPECT_EQ(sizeWith("tiktoken", "tiktoken.model"), 1056u);
  EXPECT_EQ(sizeWith("tekken", "tekken.json"), 658u);
  EXPECT_EQ(sizeWith("gpt2", "tokenizer.json"), import(layouts / "gpt2")->tokenizer->size());
}

/// Whoever wrote an artifact: ranks that are no ranks of its merges are refused.
TEST(Tokenizer, refusesRanksThatAreNone) {
  std::unique_ptr<Imported> imported = import(MOEC_TEST_DATA "/fixtures/tokenizer/layouts/tekken");
  std::unique_ptr<artifact::TokenizerT> model(artifact::GetTokenizer(imported->section.data())->UnPack());
  auto refusal = [&] {
    flatbuffers::FlatBufferBuilder builder;
    artifact::FinishTokenizerBuffer(builder, artifact::CreateTokenizer(builder, model.get()));
    auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
    return runtime::Tokenizer::create(bytes).status().message();
  };
  EXPECT_EQ(refusal(), "");
  std::swap(model->merge_ranks.back(), model->merge_ranks.front());
  EXPECT_EQ(refusal(), "");
  model->merge_ranks.back() = uint32_t(model->merges.size());
  EXPECT_NE(refusal().find("a merge's rank is not below the number of merges"), std::string::npos);
  model->merge_ranks.pop_back();
  EXPECT_NE(refusal().find("expected a rank for each of"), std::string::npos);
}

/// A chat template is a file of its own, or a string or a list of named ones in either of two files.
TEST(ChatTemplate, isTheFirstOfSeveralFiles) {
  const TemporaryFolder temporary;
  const std::filesystem::path &folder = temporary.path();
  std::string warnings;
  auto templateWith = [&](const char *file, const char *contents) {
    std::ofstream(folder / file) << contents;
    llvm::Expected<ModelFolder> model = ModelFolder::at(folder.string());
    EXPECT_TRUE(bool(model));
    llvm::Expected<std::optional<std::string>> found =
        importChatTemplate(*model, [&](const llvm::Twine &what) { warnings += what.str(); });
    return !found ? llvm::toString(found.takeError()) : found->value_or("none");
  };
  EXPECT_EQ(templateWith("tokenizer_config.json", "{}"), "none");
  EXPECT_EQ(templateWith("chat_template.json", R"({"chat_template": "a"})"), "a");
  EXPECT_EQ(templateWith("tokenizer_config.json", R"({"chat_template": null})"), "a");
  EXPECT_EQ(templateWith("tokenizer_config.json", R"({"chat_template": "b"})"), "b");
  EXPECT_EQ(templateWith("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "t"},
                                                                        {"name": "default", "template": "d"}]})"),
            "d");
  auto expectRefusal = [&](const char *contents, const char *message) {
    std::string got = templateWith("tokenizer_config.json", contents);
    EXPECT_NE(got.find(message), std::string::npos) << got;
  };
  EXPECT_EQ(warnings, "");
  EXPECT_EQ(templateWith("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "t"}]})"), "a");
  EXPECT_NE(warnings.find("chat_template: none of 1 templates is called 'default'; none is taken"), std::string::npos) << warnings;
  EXPECT_EQ(templateWith("tokenizer_config.json", R"({"chat_template": []})"), "a");
  EXPECT_NE(warnings.find("none of 0 templates"), std::string::npos) << warnings;
  expectRefusal(R"({"chat_template": [{"name": "default"}]})", "expected objects with a name and a template");
  expectRefusal(R"({"chat_template": ["d"]})", "expected objects with a name and a template");
  expectRefusal(R"({"chat_template": 1})", "expected a string or a list of templates with names, got an integer");
  EXPECT_EQ(templateWith("chat_template.jinja", "c"), "c");
}

/// Where a model removes spaces, every piece loses its own until the text begins; elsewhere the first alone does.
TEST(Tokenizer, leavesOutSpacesBeforeATextAsItsModelSays) {
  for (auto [layout, expected] : {std::pair("sentencepiece-spaces", "a"), {"sentencepiece", "\u0020a"}}) {
    std::unique_ptr<Imported> imported = import(MOEC_TEST_DATA "/fixtures/tokenizer/layouts/" + std::string(layout));
    std::vector<int32_t> ids = *imported->tokenizer->encode("\u2581a", /*special=*/false);
    EXPECT_EQ(ids.size(), 2u) << layout;
    EXPECT_EQ(imported->tokenizer->decode(ids, /*skipSpecial=*/false), expected) << layout;
  }
}

/// Whoever wrote an artifact: tokens with scores that are not in order, have none, or come beside merges are refused.
TEST(Tokenizer, refusesScoresThatAreNone) {
  std::unique_ptr<Imported> imported = import(MOEC_TEST_DATA "/fixtures/tokenizer/layouts/unigram");
  auto refusal = [&](auto change) {
    std::unique_ptr<artifact::TokenizerT> model(artifact::GetTokenizer(imported->section.data())->UnPack());
    change(*model);
    flatbuffers::FlatBufferBuilder builder;
    artifact::FinishTokenizerBuffer(builder, artifact::CreateTokenizer(builder, model.get()));
    auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
    return runtime::Tokenizer::create(bytes).status().message();
  };
  using artifact::ScoredToken, artifact::TokenizerT;
  auto expect = [&](auto change, const char *message) { EXPECT_NE(refusal(change).find(message), std::string::npos) << message; };
  EXPECT_EQ(refusal([](TokenizerT &) {}), "");
  expect([](TokenizerT &model) { model.vocabulary = {0}; }, "expected scores of tokens or merges of them, got both");
  expect([](TokenizerT &model) { model.scored_tokens.clear(); }, "expected a vocabulary or scores of tokens, got neither");
  expect([](TokenizerT &model) { std::swap(model.scored_tokens[1], model.scored_tokens[2]); }, "in the order of their texts");
  expect([](TokenizerT &model) { model.scored_tokens[2] = model.scored_tokens[1]; }, "in the order of their texts");
  expect([](TokenizerT &model) { model.tokens[size_t(model.scored_tokens[0].id())].clear(); }, "scored tokens of 1 to 512 bytes");
  expect([](TokenizerT &model) { model.scored_tokens[0] = ScoredToken(int32_t(model.tokens.size()), 0); }, "does not exist");
  expect([](TokenizerT &model) { model.scored_tokens[0] = ScoredToken(model.scored_tokens[0].id(), NAN); }, "has no score");
  expect([](TokenizerT &model) { model.unknown_token = -1; }, "expected an unknown token with a score");
}

TEST_F(ShippedTokenizer, mergesLongWordsInTimeThatGrowsLikeTheirLength) {
  for (const char *part : {"a", "apple", " ", "=", "\u00e9"}) {
    std::string text;
    while (text.size() < (2 << 20))
      text += part;
    auto start = std::chrono::steady_clock::now();
    runtime::Result<std::vector<int32_t>> ids = tokenizer->encode(text, false);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10)) << part; // a quadratic merge takes an hour
    ASSERT_TRUE(ids.ok()) << ids.status().message();
    EXPECT_EQ(tokenizer->decode(*ids, false), text);
  }
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
  for (size_t length : {size_t(0), size_t(7), imported->section.size() / 2, imported->section.size() - 64}) {
    std::string damaged = imported->section.substr(0, length);
    EXPECT_FALSE(runtime::Tokenizer::create(std::as_bytes(std::span(damaged))).ok()) << length;
  }
}
} // namespace
