// The text of kernels, read into operations.
#include "tools/moe-dump/Operations.h"

#include <gtest/gtest.h>

using namespace moec::dump;

namespace {
using Attributes = std::vector<std::pair<std::string, std::string>>;

TEST(Operations, HaveNamesAttributesAndTypes) {
  auto read = operationsOf("%0 = moe.rms_norm %arg2, %arg3 {epsilon = 1.000000e-05 : f64} : tensor<?x40xf32>, tensor<40xbf16>\n");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].name, "moe.rms_norm");
  EXPECT_EQ(read[0].attributes, (Attributes{{"epsilon", "1.000000e-05"}}));
  EXPECT_EQ(read[0].types, "tensor<?x40xf32>, tensor<40xbf16>");
}

TEST(Operations, GiveAttributesOfPartsByTheirParts) {
  auto read = operationsOf("%4 = moe.rope %1 at %arg3 {head_dim = 10 : i64, rotary = #moe.rotary<dims = 8, layout = half, "
                           "yarn = <factor = 4.0, beta_fast = 2.0>>} : tensor<?x40xf32>\n"
                           "%5 = moe.embed %a, %b {compute = #moe<compute bf16>, plain} : tensor<4xf32> -> tensor<?xf32>");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].attributes, (Attributes{{"head_dim", "10"},
                                            {"rotary.dims", "8"},
                                            {"rotary.layout", "half"},
                                            {"rotary.yarn.factor", "4.0"},
                                            {"rotary.yarn.beta_fast", "2.0"}}));
  EXPECT_EQ(read[1].attributes, (Attributes{{"compute", "#moe<compute bf16>"}, {"plain", "true"}}));
  EXPECT_EQ(read[1].types, "tensor<4xf32> -> tensor<?xf32>");
}

/// Those within a group stand for it; what is no operation is left out.
TEST(Operations, AreThoseOfGroups) {
  auto read = operationsOf("moe.cache @cache0 : tensor<?x20xf32>\n"
                           "%0 = moe.rowwise(%arg0) : (tensor<?x80xf32>) -> tensor<?x40xf32> {\n"
                           "^bb0(%arg2: tensor<?x80xf32>):\n"
                           "  moe.append %5 to @cache0 at %arg3 : tensor<?x20xf32>\n"
                           "  moe.yield %4 : tensor<?x40xf32>\n"
                           "}\n");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].name, "moe.append");
}

/// An artifact's text may be anything.
TEST(Operations, AreReadFromWhateverIsThere) {
  for (const char *text : {"", "\n\n", "{", "}{", "% = ", "x {", "x {a", "x {a = \"", "x {a = #<<<<<=", "x } : ",
                           "x {a = #b<=>} : {", "x {a = #b<c = #d<e = #f<>>>>}}} : y", "->->->", "x {->>}"})
    EXPECT_LE(operationsOf(text).size(), 1u) << text;
}
} // namespace
