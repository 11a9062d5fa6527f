// StrictJson: what it builds, and what it refuses with which words.
#include "importers/json/StrictJson.h"

#include "gtest/gtest.h"

using namespace moec::importers;

namespace {

std::string refusal(llvm::StringRef text, const json::Limits &limits = {}) {
  llvm::Expected<json::Value> value = json::parse(text, "f.json", limits);
  return value ? "accepted" : llvm::toString(value.takeError());
}

TEST(StrictJson, BuildsEveryKindInOrder) {
  llvm::Expected<json::Value> value =
      json::parse(R"({"b": [1, -2.5, "\u00e9x", true, null], "a": {"n": 9007199254740993}})", "f.json");
  ASSERT_TRUE(bool(value)) << llvm::toString(value.takeError());
  ASSERT_EQ(value->object()->size(), 2u);
  EXPECT_EQ(value->object()->front().key, "b");
  const json::Array &list = *value->find("b")->array();
  EXPECT_EQ(list[0].integer(), 1);
  EXPECT_EQ(list[0].number(), 1.0);
  EXPECT_EQ(list[1].number(), -2.5);
  EXPECT_EQ(list[1].integer(), std::nullopt);
  EXPECT_EQ(*list[2].string(), "\xc3\xa9x");
  EXPECT_EQ(list[3].boolean(), true);
  EXPECT_TRUE(list[4].isNull());
  EXPECT_EQ(value->find("a")->find("n")->integer(), 9007199254740993);
  EXPECT_EQ(value->find("c"), nullptr);
  EXPECT_EQ(value->find("b")->kind(), "an array");
}

TEST(StrictJson, DecodesEscapesAndKeepsOtherBytes) {
  llvm::Expected<json::Value> value =
      json::parse(R"(["\"\\\/\b\f\n\r\t", "\u0041\u00DF\u20ac\ud83d\uDE00|", "\u0000", "ß€😀", ""])", "f.json");
  ASSERT_TRUE(bool(value)) << llvm::toString(value.takeError());
  const json::Array &list = *value->array();
  EXPECT_EQ(*list[0].string(), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(*list[1].string(), "Aß€😀|");
  EXPECT_EQ(*list[2].string(), std::string(1, '\0'));
  EXPECT_EQ(*list[3].string(), "ß€😀");
  EXPECT_EQ(*list[4].string(), "");
}

TEST(StrictJson, NumbersAreExact) {
  llvm::Expected<json::Value> value =
      json::parse("[-0, 9223372036854775807, -9223372036854775808, 0.1, 1E-2, 5e-324, 1e-400]", "f.json");
  ASSERT_TRUE(bool(value)) << llvm::toString(value.takeError());
  const json::Array &list = *value->array();
  EXPECT_EQ(list[0].integer(), 0);
  EXPECT_EQ(list[1].integer(), INT64_MAX);
  EXPECT_EQ(list[2].integer(), INT64_MIN);
  EXPECT_EQ(list[3].number(), 0.1);
  EXPECT_EQ(list[4].number(), 0.01);
  EXPECT_EQ(list[5].number(), 5e-324);
  EXPECT_EQ(list[6].number(), 0.0);
}

// transformers writes 1e30 as an integer for "no limit": a number, but not one to count with.
TEST(StrictJson, IntegerBeyond64BitsIsNoInteger) {
  llvm::Expected<json::Value> value = json::parse("[1000000000000000019884624838656, 9223372036854775808]", "f.json");
  ASSERT_TRUE(bool(value)) << llvm::toString(value.takeError());
  for (const json::Value &number : *value->array()) {
    EXPECT_EQ(number.integer(), std::nullopt);
    EXPECT_GT(number.number(), 9e18);
  }
}

TEST(StrictJson, RefusesByName) {
  EXPECT_EQ(refusal(R"({"a": {"k": 1, "j": 2, "k": 3}})"), "f.json: a: key 'k' is given twice");
  EXPECT_EQ(refusal(R"({"x": [0, {"y": {"k": 1, "k": 1}}]})"), "f.json: x[1].y: key 'k' is given twice");
  EXPECT_EQ(refusal("[1e999]"), "f.json: byte 6: number overflow parsing '1e999'");
  EXPECT_NE(refusal("[NaN]").find("byte 2"), std::string::npos);
  EXPECT_NE(refusal("[1,]").find("byte 4"), std::string::npos);
  EXPECT_NE(refusal("[1] 2").find("expected end of input"), std::string::npos);
  EXPECT_NE(refusal("\"\xff\"").find("ill-formed UTF-8"), std::string::npos);
  EXPECT_NE(refusal("\"\\ud800\"").find("surrogate"), std::string::npos);
  EXPECT_NE(refusal("/* no */ 1").find("byte 1"), std::string::npos);
  EXPECT_NE(refusal("").find("unexpected end of input"), std::string::npos);
  for (const char *number : {"01", "-", "1.", ".5", "+1", "1e", "1e+", "0x1", "- 1"})
    EXPECT_NE(refusal(number).find("syntax error"), std::string::npos) << number;
  for (const char *text : {"\"\\x\"", "\"\\u12g4\"", "\"\\u123", "\"\\", "\"\t\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
                           "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\""})
    EXPECT_NE(refusal(text).find("syntax error while parsing value - invalid string: "), std::string::npos) << text;
  EXPECT_EQ(refusal("{\"a\" 1}"),
            "f.json: byte 6: syntax error while parsing object separator - unexpected number literal; expected ':'");
  EXPECT_EQ(refusal("{1: 2}"),
            "f.json: byte 2: syntax error while parsing object key - unexpected number literal; expected a string");
  EXPECT_EQ(refusal("{\"a\": 1]"), "f.json: byte 8: syntax error while parsing object - unexpected ']'; expected ',' or '}'");
  EXPECT_EQ(refusal("[1 2]"), "f.json: byte 4: syntax error while parsing array - unexpected number literal; expected ',' or ']'");
  EXPECT_EQ(refusal("\xef\xbb\xbf{}"), "f.json: expected JSON, got a byte order mark");
  EXPECT_EQ(refusal(llvm::StringRef("{}\0{}", 5)), "f.json: byte 3: unexpected NUL");
}

TEST(StrictJson, RefusesTooMuch) {
  EXPECT_EQ(refusal(std::string(64, '[') + std::string(64, ']')), "accepted");
  EXPECT_NE(refusal(std::string(65, '[') + std::string(65, ']')).find("nested deeper than 64 levels"), std::string::npos);
  EXPECT_NE(refusal(std::string(1000000, '[')).find("nested deeper than 64 levels"), std::string::npos);
  EXPECT_EQ(refusal("[1, 2, 3]", {.values = 3}), "f.json: more than 3 values");
  EXPECT_EQ(refusal("[1, 2, 3]", {.bytes = 8}), "f.json: expected at most 8 bytes of JSON, got 9");
}

} // namespace
