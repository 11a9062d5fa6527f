// A folder of a test's own, however many run at once.
#ifndef MOEC_TEST_IMPORTERS_TEMPORARYFOLDER_H
#define MOEC_TEST_IMPORTERS_TEMPORARYFOLDER_H

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include <stdlib.h>

namespace moec::test {

/// Is there, and empty, from construction to destruction.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string name = testing::TempDir() + "/moec-importers-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr) << name;
    folder = std::filesystem::canonical(name);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(folder); }

  const std::filesystem::path &path() const { return folder; }

private:
  std::filesystem::path folder;
};

} // namespace moec::test

#endif // MOEC_TEST_IMPORTERS_TEMPORARYFOLDER_H
