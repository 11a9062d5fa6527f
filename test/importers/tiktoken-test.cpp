// tiktoken.model and the files around it: what is refused, and what is read of each.
#include "importers/tokenizer/TokenizerImporter.h"
#include "runtime/tokenizer/Tokenizer.h"
#include "test/importers/TemporaryFolder.h"

#include "llvm/Support/Base64.h"

#include <chrono>
#include <fstream>
#include <gtest/gtest.h>

using namespace moec;
using namespace moec::importers;
using moec::test::TemporaryFolder;

namespace {

std::string line(const std::string &token, int64_t rank) { return llvm::encodeBase64(token) + " " + std::to_string(rank) + "\n"; }

/// Every byte, and `more` behind.
std::string ranksWith(const std::string &more = "") {
  std::string ranks;
  for (int byte = 0; byte < 256; ++byte)
    ranks += line(std::string(1, char(byte)), byte);
  return ranks + more;
}

const char plainConfig[] = R"({"added_tokens_decoder": {"257": {"content": "<b>", "special": true}}})";

/// A folder of three files; an empty one is not there.
struct Files {
  std::string ranks = ranksWith(), config = plainConfig, source = {};
};

/// What importing them says; empty when it takes them, and then `tokenizer` is made.
std::string import(const Files &files, std::unique_ptr<runtime::Tokenizer> *tokenizer = nullptr) {
  const TemporaryFolder temporary;
  for (auto [name, contents] : {std::pair("tiktoken.model", &files.ranks),
                                {"tokenizer_config.json", &files.config},
                                {"tokenization_kimi.py", &files.source}})
    if (!contents->empty())
      std::ofstream(temporary.path() / name, std::ios::binary) << *contents;
  llvm::Expected<ModelFolder> folder = ModelFolder::at(temporary.path().string());
  EXPECT_TRUE(bool(folder));
  llvm::Expected<std::optional<std::string>> section = importTokenizer(*folder);
  if (!section)
    return llvm::toString(section.takeError());
  static std::vector<std::string> sections; // tokenizers refer to them
  sections.reserve(1000);
  sections.push_back(**section);
  auto made = runtime::Tokenizer::create(std::as_bytes(std::span(sections.back())));
  EXPECT_TRUE(made.ok()) << made.status().message();
  if (made.ok() && tokenizer)
    *tokenizer = std::move(*made);
  return "";
}

void expectRefusal(const Files &files, const std::string &part) {
  std::string message = import(files);
  EXPECT_NE(message.find(part), std::string::npos) << "expected " << part << "\ngot " << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST(Tiktoken, RefusesRanks) {
  expectRefusal({ranksWith("YWI=\n")}, "tiktoken.model: line 257: expected base64, a space and a rank below 258");
  expectRefusal({ranksWith("YWI= x\n")}, "line 257: expected base64, a space and a rank");
  expectRefusal({ranksWith("YWI= -1\n")}, "line 257: expected base64, a space and a rank");
  expectRefusal({ranksWith("YWI= 256 7\n")}, "line 257: expected base64, a space and a rank");
  expectRefusal({ranksWith("YWI= 4000000000000000000000\n")}, "line 257: expected base64, a space and a rank");
  expectRefusal({ranksWith("YWI= 4000000\n")}, "the number of lines");
  expectRefusal({ranksWith("Y!I= 256\n")}, "line 257: expected base64: ");
  expectRefusal({ranksWith("= 256\n")}, "line 257: expected ");
  expectRefusal({ranksWith(line("a", 256))}, "line 257: these bytes are there twice");
  expectRefusal({ranksWith(line("ab", 255))}, "line 257: rank 255 is there twice");
  expectRefusal({ranksWith(line("ab", 257))}, "expected ranks 0 to 257, got no 256");
  expectRefusal({ranksWith(line(std::string(513, 'a'), 256))}, "line 257: expected 1 to 512 bytes, got 513");
  expectRefusal({line("a", 0)}, "expected a token for each of the 256 bytes, got 1");
  expectRefusal({"\n"}, "expected a token for each of the 256 bytes, got 0");
  expectRefusal({std::string(17 << 20, 'a')}, "tiktoken.model: ");
}

TEST(Tiktoken, RefusesConfigs) {
  auto refuse = [](const std::string &config, const std::string &part) { expectRefusal({ranksWith(), config}, part); };
  refuse("", "expected a tokenizer_config.json, which names special tokens of tiktoken.model");
  refuse("{}", "added_tokens_decoder: expected an object that names special tokens, got nothing");
  refuse(R"({"added_tokens_decoder": []})", "added_tokens_decoder: expected an object that names special tokens, got an array");
  refuse(R"({"added_tokens_decoder": {"255": {"content": "x"}}})", "added_tokens_decoder.255: expected ids 256 to 513");
  refuse(R"({"added_tokens_decoder": {"514": {"content": "x"}}})", "added_tokens_decoder.514: expected ids 256 to 513");
  refuse(R"({"added_tokens_decoder": {"a": {"content": "x"}}})", "added_tokens_decoder.a: expected ids");
  refuse(R"({"added_tokens_decoder": {"256": {"content": ""}}})", "added_tokens_decoder.256: expected a token of 1 to 512 bytes");
  refuse(R"({"added_tokens_decoder": {"256": {}}})", "added_tokens_decoder.256.content: expected a string, got nothing");
  refuse(R"({"added_tokens_decoder": {"256": "x"}})", "added_tokens_decoder.256");
  refuse(R"({"added_tokens_decoder": {"256": {"content": "x", "lstrip": true}}})", "256.lstrip: expected false, got true");
  refuse(R"({"added_tokens_decoder": {"256": {"content": "x", "left": true}}})", "'left' is not known");
  refuse(R"({"added_tokens_decoder": {"256": {"content": "x"}, "257": {"content": "x"}}})", "'x' is there twice");
  refuse(R"({"added_tokens_decoder": {"256": {"content": "<|reserved_token_300|>"}}})", "'<|reserved_token_300|>' is there twice");
  refuse(R"({"added_tokens_decoder": {}, "bos_token": "[BOS]"})", "'[BOS]' is said to be a special token, but has no id here");
  refuse(R"({"added_tokens_decoder": {}, "additional_special_tokens": [7]})", "additional_special_tokens[0]: expected a string");
  refuse(R"({"added_tokens_decoder": {}, "tokenizer_class": "GPT2Tokenizer"})", "tokenizer_class: expected 'TikTokenTokenizer'");
  refuse(R"({"added_tokens_decoder": {}, "split_special_tokens": true})", "split_special_tokens: expected false, got true");
  refuse("[]", "tokenizer_config.json");
}

const char configWithSource[] =
    R"({"added_tokens_decoder": {}, "auto_map": {"AutoTokenizer": ["tokenization_kimi.TikTokenTokenizer", null]}})";

TEST(Tiktoken, RefusesSources) {
  auto refuse = [](const std::string &source, const std::string &part) {
    expectRefusal({ranksWith(), configWithSource, source}, part);
  };
  const char form[] = "tokenization_kimi.py: pat_str: expected \"|\".join([...]) of raw strings";
  refuse("pat_str = other\n", form);
  refuse("pat_str = \"|\".join([])\n", form);
  refuse("pat_str = \"|\".join([r'a'", form);
  refuse("pat_str = \"|\".join([r'''a''", form);
  refuse("pat_str = \"|\".join([r'a' r'b'])", form);
  refuse("pat_str = \"|\".join(['a'])", form);
  refuse("pat_str = \"|\".join([r'a$'])", "pattern of TikTokenTokenizer: '^' and '$' are not supported");
  refuse("pat_str = \"|\".join([r'(a'])", "pattern of TikTokenTokenizer: ");
  refuse("num_reserved_special_tokens = many\n", "num_reserved_special_tokens: expected 0 to 4096");
  refuse("num_reserved_special_tokens = 5000\n", "num_reserved_special_tokens: expected 0 to 4096");
  refuse(std::string(2 << 20, ' '), "tokenization_kimi.py: ");
}

/// Tokens stand in any order, lines may end as Windows ends them, and so may the file.
TEST(Tiktoken, ReadsLinesInAnyOrder) {
  std::unique_ptr<runtime::Tokenizer> tokenizer;
  ASSERT_EQ(import({line("ab", 257) + "\r\n" + line("bc", 256) + ranksWith(), R"({"added_tokens_decoder": {}})"}, &tokenizer), "");
  EXPECT_EQ(tokenizer->size(), 258u + 256u);
  EXPECT_EQ(*tokenizer->encode("abc", true), (std::vector<int32_t>{97, 256})); // the lower rank first
}

/// How many there are, the source says; without it as many as are named, of which some releases have two more.
TEST(Tiktoken, CountsSpecialTokens) {
  std::unique_ptr<runtime::Tokenizer> tokenizer;
  ASSERT_EQ(import({}, &tokenizer), "");
  EXPECT_EQ(tokenizer->size(), 512u);
  EXPECT_EQ(*tokenizer->encode("<b><|reserved_token_511|>", true), (std::vector<int32_t>{257, 511}));
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{257, 511, 65}, true), "<|reserved_token_511|>A");
  ASSERT_EQ(import({ranksWith(), R"({"added_tokens_decoder": {"513": {"content": "x"}}, "tokenizer_class": "TikTokenTokenizer"})"},
                   &tokenizer),
            "");
  EXPECT_EQ(tokenizer->size(), 514u);
  ASSERT_EQ(
      import({ranksWith(), configWithSource, "  num_reserved_special_tokens = 7\n\n  a = self.num_reserved_special_tokens + 2\n"},
             &tokenizer),
      "");
  EXPECT_EQ(tokenizer->size(), 265u);
  ASSERT_EQ(import({ranksWith(), configWithSource, "class Another:\n  pass\n"}, &tokenizer), "");
  EXPECT_EQ(tokenizer->size(), 512u);
}

/// Classes without a script in them take no time that grows faster than a run of theirs.
TEST(Tiktoken, CutsLongRuns) {
  std::unique_ptr<runtime::Tokenizer> tokenizer;
  ASSERT_EQ(import({}, &tokenizer), "");
  for (const char *part : {"a", "A", "aA", "\u0e01", "\u6f22", "1", "'", "a\u0301"}) {
    std::string text;
    while (text.size() < 300'000)
      text += part;
    auto start = std::chrono::steady_clock::now();
    auto ids = tokenizer->encode(text, true);
    ASSERT_TRUE(ids.ok()) << part << ids.status().message();
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10)) << part;
    EXPECT_EQ(tokenizer->decode(*ids, false), text);
  }
}

} // namespace
