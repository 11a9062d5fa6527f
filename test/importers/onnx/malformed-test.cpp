// Every broken model under fixtures/onnx/malformed is refused with what its table says, or imported where that is as right.
#include "importers/Importer.h"

#include "mlir/IR/MLIRContext.h"

#include "gtest/gtest.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace moec::importers;
namespace fs = std::filesystem;

namespace {

/// What importing says, without the path that every message begins with.
std::string messageOf(const fs::path &path) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = importModel(path.string(), context);
  if (module)
    return "";
  std::string message = llvm::toString(module.takeError());
  EXPECT_EQ(message.rfind(path.string() + ": ", 0), 0u) << message << "\n  does not name the file";
  return message.substr(std::min(message.size(), path.string().size() + 2));
}

TEST(OnnxMalformed, BehavesAsTheTableSays) {
  fs::path folder = fs::canonical(fs::path(MOEC_TEST_DATA) / "fixtures" / "onnx" / "malformed");
  std::ifstream table(folder / "expected.tsv");
  size_t count = 0;
  for (std::string line; std::getline(table, line); ++count) {
    std::istringstream fields(line);
    std::string file, expect, about;
    std::getline(fields, file, '\t');
    std::getline(fields, expect, '\t');
    std::getline(fields, about, '\t');
    auto begin = std::chrono::steady_clock::now();
    std::string message = messageOf(folder / file);
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    EXPECT_LT(seconds, 5) << file;
    EXPECT_EQ(message.find('\n'), std::string::npos) << file << ": " << message;
    if (expect == "accept")
      EXPECT_EQ(message, "") << file;
    if (expect == "error") {
      EXPECT_NE(message, "") << file << " was imported";
      EXPECT_NE(message.find(about), std::string::npos) << file << ":\n  expected '" << about << "'\n  got      " << message;
    }
  }
  EXPECT_EQ(count, 112u);
}

} // namespace
