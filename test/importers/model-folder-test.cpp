// ModelFolder: which files it opens, and which links it follows.
#include "importers/files/ModelFolder.h"
#include "test/importers/TemporaryFolder.h"

#include "gtest/gtest.h"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

using namespace moec::importers;
using moec::test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

class ModelFolderTest : public testing::Test {
protected:
  void SetUp() override {
    write("outside.json");
    write("model/inside.json");
  }
  void write(const fs::path &name) {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / name) << "{}";
  }
  void link(const fs::path &target, const fs::path &name) {
    fs::create_directories((root / name).parent_path());
    fs::create_symlink(target, root / name);
  }
  std::string open(const fs::path &folder, llvm::StringRef name) {
    llvm::Expected<ModelFolder> model = ModelFolder::at((root / folder).string());
    if (!model)
      return llvm::toString(model.takeError());
    llvm::Expected<File> file = model->open(name);
    return file ? "opened" : llvm::toString(file.takeError());
  }
  void expectRefused(const fs::path &folder, llvm::StringRef name, const std::string &part) {
    std::string message = open(folder, name);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }

  TemporaryFolder temporary;
  const fs::path &root = temporary.path();
};

TEST_F(ModelFolderTest, OpensRegularFilesByPlainName) {
  EXPECT_EQ(open("model", "inside.json"), "opened");
  for (const char *name : {"", ".", "..", "../outside.json", "/etc/passwd", "a/b", "a\\b"})
    expectRefused("model", name, "expected the plain name of a file in this folder");
  expectRefused("model", "absent.json", "No such file or directory");
  expectRefused("absent", "inside.json", "No such file or directory");
  expectRefused("outside.json", "inside.json", "expected a folder that holds a model");
}

TEST_F(ModelFolderTest, FollowsLinksWithinTheFolderOnly) {
  link("inside.json", "model/link.json");
  link("../outside.json", "model/up.json");
  link("/etc/hostname", "model/absolute.json");
  link("up.json", "model/chain.json");
  link("loop.json", "model/loop.json");
  link("..", "model/parent");
  EXPECT_EQ(open("model", "link.json"), "opened");
  for (const char *name : {"up.json", "absolute.json", "chain.json"})
    expectRefused("model", name, "expected a file within");
  expectRefused("model", "loop.json", "Too many levels of symbolic links");
  expectRefused("model", "parent", "expected a file within");
}

// A neighbour whose name begins like the folder's is still outside.
TEST_F(ModelFolderTest, NeighbourOfSimilarNameIsOutside) {
  write("model-other/file.json");
  link("../model-other/file.json", "model/neighbour.json");
  expectRefused("model", "neighbour.json", "expected a file within");
}

// Hugging Face's cache: snapshots/REVISION/NAME -> ../../blobs/HASH.
TEST_F(ModelFolderTest, SnapshotsReachTheirRepositorysBlobsOnly) {
  write("hub/models--a--b/blobs/hash");
  write("hub/models--c--d/blobs/hash");
  link("../../blobs/hash", "hub/models--a--b/snapshots/revision/config.json");
  link("../../../models--c--d/blobs/hash", "hub/models--a--b/snapshots/revision/foreign.json");
  EXPECT_EQ(open("hub/models--a--b/snapshots/revision", "config.json"), "opened");
  expectRefused("hub/models--a--b/snapshots/revision", "foreign.json", "expected a file within");
}

// A pipe without a writer would block whoever opens it carelessly.
TEST_F(ModelFolderTest, RefusesWhatIsNoRegularFile) {
  ASSERT_EQ(::mkfifo((root / "model/pipe.json").c_str(), 0600), 0);
  fs::create_directory(root / "model/folder.json");
  link("/dev/zero", "model/device.json");
  expectRefused("model", "pipe.json", "expected a regular file");
  expectRefused("model", "folder.json", "expected a regular file");
  expectRefused("model", "device.json", "expected a file within");
}

TEST_F(ModelFolderTest, ReadingBeyondTheEndIsAnError) {
  llvm::Expected<ModelFolder> model = ModelFolder::at((root / "model").string());
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  llvm::Expected<File> file = model->open("inside.json");
  ASSERT_TRUE(bool(file)) << llvm::toString(file.takeError());
  EXPECT_EQ(file->size(), 2u);
  char bytes[4];
  llvm::Error error = file->read(0, bytes);
  ASSERT_TRUE(bool(error));
  EXPECT_NE(llvm::toString(std::move(error)).find("the file became shorter"), std::string::npos);
}

} // namespace
