// Fuzzes tokenizer.json, tekken.json, tiktoken.model and tokenizer.model: what the importer accepts, the runtime takes and uses.
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

/// Imports the file as `name` in a folder with a config and without others, and uses it.
static void use(const char *name, std::string_view file) {
  static const Folder folder;
  std::ofstream(folder.path + "/tokenizer_config.json") << R"({"added_tokens_decoder": {"256": {"content": "<s>"}}})";
  std::string path = folder.path + "/" + name;
  std::ofstream(path, std::ios::binary) << file;
  auto model = llvm::cantFail(importers::ModelFolder::at(folder.path));
  llvm::Expected<std::optional<std::string>> section = importers::importTokenizer(model);
  std::filesystem::remove(path);
  if (!section) {
    llvm::consumeError(section.takeError());
    return;
  }
  auto tokenizer = runtime::Tokenizer::create(std::as_bytes(std::span<const char>(**section)));
  if (tokenizer.ok())
    if (auto ids = (*tokenizer)->encode("In the beginning was 1 Word\xF0\x9F\x98\x80 \xff", true); ids.ok())
      (void)(*tokenizer)->decode(*ids, false);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view file(reinterpret_cast<const char *>(data), size);
  if (file.starts_with('{')) {
    use("tokenizer.json", file);
    use("tekken.json", file);
  } else {
    use("tokenizer.model", file);
    use("tiktoken.model", file);
  }
  return 0;
}
