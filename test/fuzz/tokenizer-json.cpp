// Fuzzes tokenizer.json: what the importer accepts, the runtime takes and uses.
#include "importers/tokenizer/TokenizerImporter.h"
#include "runtime/tokenizer/Tokenizer.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace moec;

/// A folder that is removed when the process ends.
struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / "moec-fuzz-XXXXXX").string();
  Folder() {
    if (!mkdtemp(path.data()))
      std::abort();
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const Folder folder;
  std::ofstream(folder.path + "/tokenizer.json", std::ios::binary)
      .write(reinterpret_cast<const char *>(data), std::streamsize(size));
  auto model = llvm::cantFail(importers::ModelFolder::at(folder.path));
  llvm::Expected<std::optional<std::string>> section = importers::importTokenizer(model);
  if (!section) {
    llvm::consumeError(section.takeError());
    return 0;
  }
  auto tokenizer = runtime::Tokenizer::create(std::as_bytes(std::span<const char>(**section)));
  if (tokenizer.ok())
    if (auto ids = (*tokenizer)->encode("In the beginning was 1 Word\xF0\x9F\x98\x80 \xff", true); ids.ok())
      (void)(*tokenizer)->decode(*ids, false);
  return 0;
}
