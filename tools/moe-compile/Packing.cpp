// The last phase: what was compiled, with weights and tokenizer, becomes one file.
#include "tools/moe-compile/Packing.h"

#include "importers/tokenizer/TokenizerImporter.h"
#include "lowering/artifact/ArtifactWriter.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace moec;
using namespace moec::compile;

namespace {
/// The weights of a plan are in its model's folder, under the folder's rules.
class FolderWeights : public lowering::WeightFiles {
public:
  explicit FolderWeights(importers::ModelFolder folder) : folder(std::move(folder)) {}
  Expected<uint64_t> sizeOf(StringRef name) override {
    Expected<importers::File *> file = open(name);
    return file ? Expected<uint64_t>((*file)->size()) : file.takeError();
  }
  Error read(StringRef name, uint64_t offset, MutableArrayRef<char> into) override {
    Expected<importers::File *> file = open(name);
    return file ? (*file)->read(offset, into) : file.takeError();
  }

private:
  Expected<importers::File *> open(StringRef name) {
    std::unique_ptr<importers::File> &file = files[name];
    if (!file) {
      Expected<importers::File> opened = folder.open(name);
      if (!opened)
        return opened.takeError();
      file = std::make_unique<importers::File>(std::move(*opened));
    }
    return file.get();
  }
  importers::ModelFolder folder;
  StringMap<std::unique_ptr<importers::File>> files;
};
} // namespace

Error moec::compile::writeArtifact(Compilation &compilation, const Options &options) {
  mlir::ModuleOp plan = compilation.module();
  auto where = plan->getAttrOfType<mlir::StringAttr>("moe.folder");
  if (!where)
    return createStringError(options.input + ": expected the module attribute moe.folder, which says where the weights are");
  Expected<importers::ModelFolder> folder = importers::ModelFolder::at(where.getValue());
  if (!folder)
    return folder.takeError();
  lowering::ArtifactContents contents;
  contents.embedWeights = options.embedWeights;
  Expected<std::optional<std::string>> tokenizer = importers::importTokenizer(*folder);
  if (!tokenizer)
    return tokenizer.takeError();
  contents.tokenizer = std::move(*tokenizer);
  Expected<std::optional<std::string>> chatTemplate = importers::importChatTemplate(*folder);
  if (!chatTemplate)
    return chatTemplate.takeError();
  contents.chatTemplate = std::move(*chatTemplate);
  contents.code = compilation.code();
  contents.gpuCode = compilation.gpuCode();
  contents.provenance = {"model: " + llvm::sys::path::filename(where.getValue()).str(),
                         "weights: " + std::string(options.embedWeights ? "embed" : "external")};
  FolderWeights weights(std::move(*folder));
  return lowering::writeArtifact(plan, contents, weights, options.output);
}
