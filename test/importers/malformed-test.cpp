// Every file under fixtures/malformed is refused with the message that its folder's table expects.
#include "importers/Importer.h"
#include "importers/safetensors/Checkpoint.h"
#include "importers/tokenizer/TokenizerImporter.h"
#include "runtime/tokenizer/Tokenizer.h"
#include "test/importers/TemporaryFolder.h"

#include "mlir/IR/MLIRContext.h"

#include "gtest/gtest.h"

#include <filesystem>
#include <fstream>
#include <map>

using namespace moec::importers;
using moec::test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

/// The table of a folder: name -> part of the message.
std::map<std::string, std::string> expectations(const fs::path &folder) {
  std::map<std::string, std::string> table;
  std::ifstream file(folder / "expected.tsv");
  for (std::string line; std::getline(file, line);) {
    size_t tab = line.find('\t');
    EXPECT_NE(tab, std::string::npos) << line;
    EXPECT_TRUE(table.emplace(line.substr(0, tab), line.substr(tab + 1)).second) << line << " is there twice";
  }
  EXPECT_FALSE(table.empty()) << folder;
  return table;
}

/// Runs `refusal` on everything in fixtures/malformed/KIND and holds its answers to the table.
template <typename Function> void checkAll(const char *kind, Function refusal) {
  fs::path folder = fs::path(MOEC_TEST_DATA) / "fixtures" / "malformed" / kind;
  std::map<std::string, std::string> table = expectations(folder);
  for (const auto &[name, expected] : table) {
    fs::path path = folder / name;
    for (const char *suffix : {".safetensors", ".json", ".model"})
      if (fs::exists(path.string() + suffix))
        path += suffix;
    ASSERT_TRUE(fs::exists(path)) << path;
    std::string message = refusal(path);
    EXPECT_NE(message.find(expected), std::string::npos) << name << ":\n  expected " << expected << "\n  got      " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  for (const fs::directory_entry &entry : fs::directory_iterator(folder))
    if (std::string stem = entry.path().stem(); stem != "expected" && stem != "outside")
      EXPECT_TRUE(table.count(entry.path().filename()) || table.count(stem)) << entry.path() << " is in no table";
}

template <typename T> std::string messageOf(llvm::Expected<T> result) {
  return result ? "accepted" : llvm::toString(result.takeError());
}

std::string importMessage(const fs::path &folder) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  return messageOf(importModel(folder.string(), context));
}

TEST(Malformed, SafetensorsHeaders) {
  checkAll("safetensors", [](const fs::path &path) {
    llvm::Expected<ModelFolder> folder = ModelFolder::at(path.parent_path().string());
    if (!folder)
      return llvm::toString(folder.takeError());
    llvm::Expected<File> file = folder->open(path.filename().string());
    return file ? messageOf(safetensors::readHeader(*file)) : llvm::toString(file.takeError());
  });
}

TEST(Malformed, Indices) {
  checkAll("index", [](const fs::path &path) {
    llvm::Expected<ModelFolder> folder = ModelFolder::at(path.string());
    return folder ? messageOf(safetensors::Checkpoint::open(*folder)) : llvm::toString(folder.takeError());
  });
}

TEST(Malformed, Configs) {
  const TemporaryFolder temporary;
  const fs::path &folder = temporary.path();
  checkAll("config", [&](const fs::path &path) {
    fs::copy_file(path, folder / "config.json", fs::copy_options::overwrite_existing);
    return importMessage(folder);
  });
}

/// What importing the tokenizer says, or else using it.
std::string tokenizerMessage(const fs::path &folder) {
  llvm::Expected<ModelFolder> model = ModelFolder::at(folder.string());
  if (!model)
    return llvm::toString(model.takeError());
  llvm::Expected<std::optional<std::string>> section = importTokenizer(*model);
  if (!section)
    return llvm::toString(section.takeError());
  auto tokenizer = moec::runtime::Tokenizer::create(std::as_bytes(std::span<const char>(**section)));
  if (!tokenizer.ok())
    return tokenizer.status().message();
  return (*tokenizer)->encode(std::string(60, 'a') + "!b ", /*special=*/true).status().message();
}

/// Everything in fixtures/malformed/KIND, each as `name` in a folder of its own.
void checkTokenizers(const char *kind, const char *name) {
  const TemporaryFolder temporary;
  const fs::path &folder = temporary.path();
  checkAll(kind, [&](const fs::path &path) {
    fs::copy_file(path, folder / name, fs::copy_options::overwrite_existing);
    return tokenizerMessage(folder);
  });
}

TEST(Malformed, Tokenizers) { checkTokenizers("tokenizer", "tokenizer.json"); }
TEST(Malformed, TekkenFiles) { checkTokenizers("tekken", "tekken.json"); }
TEST(Malformed, SentencePieceModels) { checkTokenizers("sentencepiece", "tokenizer.model"); }

TEST(Malformed, Models) { checkAll("models", importMessage); }

} // namespace
