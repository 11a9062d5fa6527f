// A file under its final name is whole, and writers leave nothing else behind.
#include "lowering/artifact/PartialFile.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

using namespace moec::lowering;
namespace fs = std::filesystem;

namespace {
struct PartialFileTest : testing::Test {
  PartialFileTest() { EXPECT_NE(mkdtemp(folder.data()), nullptr); }
  ~PartialFileTest() override { fs::remove_all(folder); }

  std::unique_ptr<PartialFile> begun(const std::string &bytes) {
    llvm::Expected<std::unique_ptr<PartialFile>> file = PartialFile::create(path());
    EXPECT_TRUE(bool(file));
    EXPECT_FALSE(bool((*file)->write({bytes.data(), bytes.size()}, 0)));
    return std::move(*file);
  }
  std::string path() const { return folder + "/out.moec"; }
  std::string contents() const {
    std::stringstream bytes;
    bytes << std::ifstream(path()).rdbuf();
    return bytes.str();
  }
  std::set<std::string> names() const {
    std::set<std::string> result;
    for (const fs::directory_entry &entry : fs::directory_iterator(folder))
      result.insert(entry.path().filename());
    return result;
  }

  std::string folder = testing::TempDir() + "/moec-partial-XXXXXX";
};

TEST_F(PartialFileTest, appearsWhenItIsKept) {
  std::unique_ptr<PartialFile> file = begun("new");
  EXPECT_FALSE(fs::exists(path()));
  EXPECT_FALSE(bool(file->keep()));
  EXPECT_EQ(contents(), "new");
  EXPECT_EQ(names(), std::set<std::string>{"out.moec"});
}

TEST_F(PartialFileTest, leavesTheOldFileWhenItIsGivenUp) {
  std::ofstream(path()) << "old";
  begun("new").reset();
  EXPECT_EQ(contents(), "old");
  EXPECT_EQ(names(), std::set<std::string>{"out.moec"});
}

TEST_F(PartialFileTest, removesWhatDeadWritersLeftButNotWhatLivingOnesWrite) {
  std::ofstream(path() + ".partial-dead") << "half";
  std::ofstream(folder + "/other.moec.partial-dead") << "of another file";
  std::unique_ptr<PartialFile> first = begun("first"), second = begun("second");
  EXPECT_FALSE(fs::exists(path() + ".partial-dead"));
  EXPECT_FALSE(bool(first->keep()));
  EXPECT_FALSE(bool(second->keep()));
  EXPECT_EQ(contents(), "second");
  EXPECT_EQ(names(), (std::set<std::string>{"other.moec.partial-dead", "out.moec"}));
}

TEST_F(PartialFileTest, replacesNothingButFiles) {
  fs::create_directory(path());
  llvm::Expected<std::unique_ptr<PartialFile>> file = PartialFile::create(path());
  ASSERT_FALSE(bool(file));
  EXPECT_EQ(llvm::toString(file.takeError()), path() + ": cannot write: expected a regular file, or a name that is free");
}
} // namespace
