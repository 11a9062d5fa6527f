// The parts of the tokenizer by themselves: patterns within bounds, normal forms, the queue of merges, cuts by scores.
#include "runtime/tokenizer/MergeQueue.h"
#include "runtime/tokenizer/Pattern.h"
#include "runtime/tokenizer/UnicodeForms.h"
#include "runtime/tokenizer/Unigram.h"

#include <gtest/gtest.h>

using namespace moec::runtime;

namespace {
Deadline soon() { return Deadline(std::chrono::minutes(1)); }

/// Where `pattern` matches, as "begin-end " each.
std::string matchesOf(const char *pattern, const std::string &text) {
  Result<Pattern> compiled = Pattern::compile(pattern);
  std::vector<Range> matches;
  Status status = compiled.ok() ? compiled->findAll(text, soon(), matches) : compiled.status();
  std::string result = status.message();
  for (const Range &match : matches)
    result += std::to_string(match.begin) + "-" + std::to_string(match.end) + " ";
  return result;
}

TEST(Pattern, countsEmptyMatchesUnlessTheyFollowAnother) {
  EXPECT_EQ(matchesOf("a*", "baac"), "0-0 1-3 4-4 ");
  EXPECT_EQ(matchesOf("$", "a\nb"), "1-1 3-3 ");
  EXPECT_EQ(matchesOf("x*", "\u00e9\u4e00"), "0-0 2-2 5-5 "); // at characters, not at bytes
}

TEST(Pattern, findsMatchesThatLieFarApart) {
  std::string gap(1000, '-');
  EXPECT_EQ(matchesOf("a", gap + "a" + gap + "a"), "1000-1001 2001-2002 ");
  EXPECT_EQ(matchesOf("(?<=b)a", gap + "ba"), "1001-1002 ");
}

TEST(Pattern, isStoppedWhereItRunsAway) {
  EXPECT_NE(matchesOf("(a|aa)+!?$", std::string(60, 'a') + "b").find("match limit exceeded"), std::string::npos);
  // Each start is quick, but there are a million.
  Result<Pattern> quadratic = Pattern::compile(" +$");
  ASSERT_TRUE(quadratic.ok());
  std::vector<Range> matches;
  auto start = std::chrono::steady_clock::now();
  Status status = quadratic->findAll(std::string(1 << 20, ' ') + "x", Deadline(std::chrono::milliseconds(50)), matches);
  EXPECT_NE(status.message().find("takes too long on a text of 1048577 bytes"), std::string::npos) << status.message();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(Pattern, replacesEveryMatch) {
  Result<Pattern> pattern = Pattern::compile("[0-9]+");
  ASSERT_TRUE(pattern.ok());
  std::string text = "a1b22";
  ASSERT_TRUE(pattern->replaceAll(text, "<>", soon()).ok());
  EXPECT_EQ(text, "a<>b<>");
}

TEST(UnicodeForms, composesAndDecomposes) {
  EXPECT_EQ(normalForm("\u00e9\ufb01", {.compose = false, .compatible = false}), "e\u0301\ufb01");
  EXPECT_EQ(normalForm("e\u0301\ufb01", {.compose = true, .compatible = false}), "\u00e9\ufb01");
  EXPECT_EQ(normalForm("\u00e9\ufb01", {.compose = false, .compatible = true}), "e\u0301fi");
  EXPECT_EQ(normalForm("a\u0301\u0316", {.compose = false, .compatible = false}), "a\u0316\u0301"); // marks by their classes
  EXPECT_EQ(normalForm("\u32ff", {.compose = true, .compatible = true}), "\u32ff"); // newer than the reference's tables
  EXPECT_EQ(lowerCase("\u0130A\u00c9"), "i\u0307a\u00e9");
}

TEST(UnicodeForms, ordersLongRunsOfMarksInTime) {
  std::string text, ordered = "a";
  for (int i = 0; i < 200000; ++i)
    text += "\u0301\u0316";
  for (const char *mark : {"\u0316", "\u0301"})
    for (int i = 0; i < 200000; ++i)
      ordered += mark;
  auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(normalForm("a" + text, {.compose = false, .compatible = false}) == ordered);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10)); // swapping neighbours takes minutes
}

TEST(MergeQueue, givesTheLowestRankAndThenTheLeftmost) {
  MergeQueue queue(4);
  for (auto [rank, place] : {std::pair(2u, 5), {1u, 9}, {2u, 3}, {1u, 4}, {3u, 0}})
    queue.push(rank, place);
  std::vector<std::pair<uint32_t, int32_t>> order;
  while (!queue.empty()) {
    auto [rank, place] = queue.pop();
    order.emplace_back(rank, place);
    if (rank == 1 && place == 9)
      queue.push(0, 7); // goes before what waits
  }
  EXPECT_EQ(order, (std::vector<std::pair<uint32_t, int32_t>>{{1, 4}, {1, 9}, {0, 7}, {2, 3}, {2, 5}, {3, 0}}));
}
/// "a", and "xy" that is less likely than two unknown characters.
struct ScoredTokens : testing::Test {
  ScoredTokens() {
    model.tokens = {"", "a", "xy"};
    model.scored_tokens = {{1, -1}, {2, -100}};
    model.unknown_token = 0;
    model.unknown_score = -11;
    model.fuse_unknown = true;
  }
  Status encode(std::string_view text, const Deadline &deadline) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(moec::artifact::CreateTokenizer(builder, &model));
    Unigram unigram(*flatbuffers::GetRoot<moec::artifact::Tokenizer>(builder.GetBufferPointer()));
    return unigram.encode(text, deadline, ids);
  }
  moec::artifact::TokenizerT model;
  std::vector<int32_t> ids;
};

TEST_F(ScoredTokens, areMatchedByARunOfUnknownCharactersWhereTheModelSaysSo) {
  ASSERT_TRUE(encode("axya", soon()).ok());
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 0, 1}));
  model.match_unknown = true;
  ids.clear();
  ASSERT_TRUE(encode("axya", soon()).ok());
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 2, 1}));
}

TEST_F(ScoredTokens, stopAtTheDeadline) {
  Status status = encode(std::string(1 << 20, 'a'), Deadline(std::chrono::microseconds(0)));
  EXPECT_NE(status.message().find("takes too long on a text of 1048576 bytes"), std::string::npos) << status.message();
  EXPECT_TRUE(ids.empty());
}

} // namespace
