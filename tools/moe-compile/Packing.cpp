// The last phase: what was compiled, with weights and tokenizer, becomes one file.
#include "tools/moe-compile/Packing.h"

#include "dialects/moe/PredictionLayers.h"
#include "dialects/plan/Functions.h"
#include "importers/tokenizer/TokenizerImporter.h"
#include "lowering/artifact/ArtifactWriter.h"
#include "lowering/artifact/RequantizedFiles.h"
#include "runtime/schema/Tokenizer_generated.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

#include <cmath>

using namespace llvm;
using namespace moec;
using namespace moec::compile;

namespace {
/// The weights of a plan are in its model's folder, under the folder's rules.
class FolderWeights : public lowering::WeightFiles {
public:
  explicit FolderWeights(std::optional<importers::ModelFolder> folder) : folder(std::move(folder)) {}
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
    if (!file && !folder)
      return createStringError("expected the module attribute moe.folder, which says where '" + name + "' is");
    if (!file) {
      Expected<importers::File> opened = folder->open(name);
      if (!opened)
        return opened.takeError();
      file = std::make_unique<importers::File>(std::move(*opened));
    }
    return file.get();
  }
  std::optional<importers::ModelFolder> folder;
  StringMap<std::unique_ptr<importers::File>> files;
};

/// What rounding did: for each weight in the remarks, for all in a line on stderr.
void reportRounding(mlir::ModuleOp plan, ArrayRef<lowering::RequantizedFiles::Report> reports) {
  auto share = [](const moe::RoundingError &error) { return error.all > 0 ? std::sqrt(error.difference / error.all) : 0; };
  moe::RoundingError sum;
  const lowering::RequantizedFiles::Report *worst = nullptr;
  for (const auto &report : reports) {
    sum += report.error;
    if (!worst || share(report.error) > share(worst->error))
      worst = &report;
    mlir::remark::analysis(plan.getLoc(), mlir::remark::RemarkOpts::name("rounding").category("moe-requantize-weights"))
        << formatv("'{0}': root mean square error {1:f5} of that of the weights", report.file, share(report.error)).str();
  }
  if (worst)
    errs() << formatv("moe-compile: {0} weights rounded: root mean square error {1:f5} of that of the weights, {2:f5} of '{3}'\n",
                      reports.size(), share(sum), share(worst->error), worst->file);
}

/// Says how many of a tokenizer's ids the model has no rows for. Releases have such: ids of images or of padding that were added to
/// the tokenizer alone. Texts without them are computed, and a step refuses the others; it is for people to see that a tokenizer
/// may be another model's.
void reportIdsBeyond(StringRef section, plan::ModelOp model) {
  const auto *tokens = artifact::GetTokenizer(section.data())->tokens();
  int64_t vocabulary = int64_t(model.getVocabulary()), beyond = 0, most = 0;
  for (int64_t id = vocabulary; id < int64_t(tokens->size()); ++id)
    if (!tokens->Get(uint32_t(id))->string_view().empty())
      ++beyond, most = id;
  if (beyond)
    errs() << formatv(
        "moe-compile: warning: ids of the tokenizer beyond the model's vocabulary of {0}: {1}, up to {2}; a run refuses "
        "texts with them\n",
        vocabulary, beyond, most);
}

/// The tokenizer and the chat template of a language model.
Error addText(lowering::ArtifactContents &contents, const importers::ModelFolder &folder, mlir::ModuleOp plan) {
  Expected<std::optional<std::string>> tokenizer = importers::importTokenizer(folder);
  if (!tokenizer)
    return tokenizer.takeError();
  contents.tokenizer = std::move(*tokenizer);
  for (plan::ModelOp model : plan.getOps<plan::ModelOp>())
    if (contents.tokenizer)
      reportIdsBeyond(*contents.tokenizer, model);
  auto warn = [](const Twine &what) { errs() << "moe-compile: warning: " << what << '\n'; };
  Expected<std::optional<std::string>> chatTemplate = importers::importChatTemplate(folder, warn);
  if (!chatTemplate)
    return chatTemplate.takeError();
  contents.chatTemplate = std::move(*chatTemplate);
  return Error::success();
}
} // namespace

Error moec::compile::writeArtifact(Compilation &compilation, const Options &options) {
  mlir::ModuleOp plan = compilation.module();
  bool hasSteps = plan.getOps<plan::FunctionOp>().empty();
  auto where = plan->getAttrOfType<mlir::StringAttr>("moe.folder");
  if (!where && hasSteps)
    return createStringError(options.input + ": expected the module attribute moe.folder, which says where the weights are");
  lowering::ArtifactContents contents;
  contents.embedWeights = options.embedWeights;
  contents.code = compilation.code();
  contents.gpuCode = compilation.gpuCode();
  contents.provenance = {"model: " + llvm::sys::path::filename(where ? where.getValue() : StringRef(options.input)).str(),
                         "weights: " + std::string(options.embedWeights ? "embed" : "external")};
  moe::PredictionLayers further = moe::predictionLayersOf(plan);
  if (further.layers)
    contents.provenance.push_back(
        formatv("set aside: {0}, {1} parameters in {2} bytes", further.inWords(), further.parameters, further.bytes));
  if (further.absent)
    contents.provenance.push_back("not in the files: " + further.absentInWords());
  std::optional<importers::ModelFolder> folder;
  if (where) {
    Expected<importers::ModelFolder> opened = importers::ModelFolder::at(where.getValue());
    if (!opened)
      return opened.takeError();
    folder = std::move(*opened);
  }
  if (hasSteps)
    if (Error error = addText(contents, *folder, plan))
      return error;
  FolderWeights stored(std::move(folder));
  lowering::RequantizedFiles weights(plan, stored);
  if (Error error = lowering::writeArtifact(plan, contents, weights, options.output))
    return error;
  reportRounding(plan, weights.reports());
  return Error::success();
}
