// The JSON reader: goes through a text without holding it, and ends at the first problem.
#include "importers/json/Reader.h"

#include "gtest/gtest.h"

using namespace moec::importers;
using llvm::StringRef;

namespace {

TEST(JsonReader, GoesThroughValuesInOrder) {
  json::Reader reader(R"({"a": [1, 2.5, true, null], "b": {"c": "x"}, "d": {}})", "f.json");
  StringRef key;
  EXPECT_EQ(reader.kind(), "an object");
  EXPECT_FALSE(reader.beginArray()); // another kind is left where it is
  ASSERT_TRUE(reader.beginObject() && reader.nextMember(key));
  EXPECT_EQ(key, "a");
  ASSERT_TRUE(reader.beginArray() && reader.nextElement());
  EXPECT_EQ(reader.string(), std::nullopt);
  EXPECT_EQ(reader.integer(), 1);
  ASSERT_TRUE(reader.nextElement());
  EXPECT_EQ(reader.kind(), "a fraction");
  EXPECT_EQ(reader.fraction(), 2.5);
  ASSERT_TRUE(reader.nextElement());
  EXPECT_EQ(reader.boolean(), true);
  ASSERT_TRUE(reader.nextElement());
  EXPECT_TRUE(reader.null());
  EXPECT_FALSE(reader.nextElement());
  ASSERT_TRUE(reader.nextMember(key));
  EXPECT_EQ(key, "b");
  reader.skip();
  ASSERT_TRUE(reader.nextMember(key));
  EXPECT_EQ(key, "d");
  reader.skip();
  EXPECT_FALSE(reader.nextMember(key));
  EXPECT_EQ(llvm::toString(reader.finish()), "");
}

// Only strings with escapes are copied; both kinds outlive what is read after them.
TEST(JsonReader, StringsStay) {
  std::string text = R"(["plain", "a\tb", "c\td"])";
  json::Reader reader(text, "f.json");
  ASSERT_TRUE(reader.beginArray());
  std::vector<StringRef> strings;
  while (reader.nextElement())
    strings.push_back(*reader.string());
  EXPECT_EQ(strings, (std::vector<StringRef>{"plain", "a\tb", "c\td"}));
  EXPECT_EQ(strings[0].data(), text.data() + 2);
}

TEST(JsonReader, NothingFollowsTheFirstProblem) {
  json::Reader reader(R"({"a": [1, x, 2], "b": 3})", "f.json");
  StringRef key;
  ASSERT_TRUE(reader.beginObject() && reader.nextMember(key) && reader.beginArray() && reader.nextElement());
  EXPECT_EQ(reader.integer(), 1);
  EXPECT_FALSE(reader.nextElement());
  EXPECT_TRUE(reader.failed());
  EXPECT_FALSE(reader.nextElement() || reader.nextMember(key) || reader.beginObject() || reader.beginArray() || reader.null());
  EXPECT_EQ(reader.integer(), std::nullopt);
  reader.skip();
  EXPECT_EQ(llvm::toString(reader.finish()), "f.json: byte 11: syntax error while parsing value - invalid literal");
}

// Whoever refuses a value learns whether the rest was JSON.
TEST(JsonReader, SkipsTheRestFromAnywhere) {
  for (auto [text, problem] : {std::pair(R"({"a": [1, 2], "b": {}})", ""),
                               {"[[[]]]", ""},
                               {"1", ""},
                               {R"({"a": [1, 2], "b": })", "f.json: byte 20: syntax error while parsing value"},
                               {R"({"a": {"b": [1], "c": 2, "b": 3}, "d": 4})", "f.json: a: key 'b' is given twice"}}) {
    json::Reader reader(text, "f.json");
    StringRef key;
    if (reader.beginObject() && reader.nextMember(key) && reader.beginArray())
      reader.nextElement();
    reader.skipRest();
    EXPECT_TRUE(StringRef(llvm::toString(reader.finish())).starts_with(problem)) << text;
    EXPECT_EQ(reader.failed(), StringRef(problem) != "") << text;
  }
}

// Keys are compared in small objects and hashed in large ones.
TEST(JsonReader, KeysDifferInObjectsOfAnySize) {
  std::string members = R"("k0": 0)";
  for (int count = 1; count < 40; ++count) {
    for (auto [last, problem] : {std::pair("l", std::string()), {"k0", "f.json: key 'k0' is given twice"}}) {
      std::string text = "{" + members + ", \"" + last + "\": 0}";
      json::Reader reader(text, "f.json");
      reader.skip();
      EXPECT_EQ(llvm::toString(reader.finish()), problem) << text;
    }
    members += ", \"k" + std::to_string(count) + "\": 0";
  }
}

// Keys that are left to the caller may be there twice, those of objects within may not; messages still say where they are.
TEST(JsonReader, LeavesKeysToTheCaller) {
  for (auto [inner, problem] : {std::pair("{}", ""), {R"({"x": 1, "x": 2})", "f.json: b: key 'x' is given twice"}}) {
    std::string text = std::string(R"({"a": 1, "a": 2, "b": )") + inner + "}", seen;
    json::Reader reader(text, "f.json");
    ASSERT_TRUE(reader.beginObject(json::Keys::LeftToCaller));
    for (StringRef key; reader.nextMember(key); reader.skip())
      seen += key;
    EXPECT_EQ(seen, "aab");
    EXPECT_EQ(llvm::toString(reader.finish()), problem);
  }
}

// What is skipped is held to the rules as well.
TEST(JsonReader, SkipsNothingWrong) {
  for (const char *text : {R"([{"a": 1, "a": 2}])", R"([["\ud800"]])", "[1e999]", "[[1}]"}) {
    json::Reader reader(text, "f.json");
    reader.skip();
    EXPECT_NE(llvm::toString(reader.finish()), "") << text;
  }
}

} // namespace
