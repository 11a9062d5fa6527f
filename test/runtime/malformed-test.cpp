// Every file under fixtures/malformed/artifact is refused with the message that the table beside it expects.
#include "test/runtime/Seal.h"
#include "test/runtime/TestArtifact.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <sstream>

using namespace moec;
namespace fs = std::filesystem;

namespace {
TEST(Malformed, Artifacts) {
  fs::path folder = fs::path(MOEC_TEST_DATA) / "fixtures" / "malformed" / "artifact";
  std::map<std::string, std::string> messages; // by name of the file
  std::istringstream table(test::contentsOf(folder / "expected.tsv"));
  for (std::string line; std::getline(table, line);)
    messages[line.substr(0, line.find('\t')) + ".moec"] = line.substr(line.find('\t') + 1);
  size_t files = 0;
  for (const fs::directory_entry &entry : fs::directory_iterator(folder)) {
    std::string name = entry.path().filename();
    if (name == "expected.tsv")
      continue;
    ++files;
    ASSERT_TRUE(messages.count(name)) << name << " is not in the table";
    auto opened = test::openSealed(test::contentsOf(entry.path()));
    ASSERT_FALSE(opened.ok()) << name;
    EXPECT_NE(opened.status().message().find(messages[name]), std::string::npos) << opened.status().message();
  }
  EXPECT_EQ(files, messages.size());
}
} // namespace
