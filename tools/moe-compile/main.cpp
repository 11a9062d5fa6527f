// moe-compile: a model in, an artifact (or the IR of a phase) out.
#include "importers/tokenizer/TokenizerImporter.h"
#include "lowering/artifact/ArtifactWriter.h"
#include "lowering/nvptx/CodeGenerator.h"
#include "tools/AtomicFile.h"
#include "tools/Registration.h"
#include "tools/moe-compile/Compilation.h"
#include "tools/moe-compile/Estimate.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Remark/RemarkStreamer.h"
#include "mlir/Support/Timing.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"

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

Error writeArtifact(Compilation &compilation, const Options &options) {
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

Error run(mlir::MLIRContext &context, const Options &options) {
  Compilation compilation(context, options);
  if (Error error = compilation.load())
    return error;
  if (options.dryRun) {
    if (Error error = compilation.advance(Phase::Plan))
      return error;
    Estimate answer = estimate(compilation.module(), options.memory);
    return tools::writeAtomically("-", [&](raw_ostream &out) { out << (options.json ? answer.json() : answer.page()); });
  }
  if (Error error = compilation.advance(options.to))
    return error;
  if (options.to == Phase::Artifact)
    return writeArtifact(compilation, options);
  mlir::OpPrintingFlags flags;
  flags.enableDebugInfo(options.locations);
  return tools::writeAtomically(options.output.empty() ? "-" : options.output,
                                [&](raw_ostream &out) { compilation.module()->print(out, flags); });
}
} // namespace

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  Options options;
  if (std::optional<int> code = parseOptions(argc, argv, options))
    return *code;

  mlir::DialectRegistry registry;
  registerDialects(registry);
  auto context = std::make_unique<mlir::MLIRContext>(registry);
  lowering::nvptx::loadDialects(*context);
  context->printOpOnDiagnostic(false); // an op may be the whole model
  SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler diagnostics(sources, context.get());
  if (!options.remarks.empty()) {
    mlir::remark::RemarkCategories every{".*", {}, {}, {}, {}};
    if (failed(mlir::remark::enableOptimizationRemarksWithLLVMStreamer(
            *context, options.remarks, remarks::Format::YAML, std::make_unique<mlir::remark::RemarkEmittingPolicyAll>(), every))) {
      errs() << "moe-compile: error: " << options.remarks << ": cannot write remarks\n";
      return 2;
    }
  }
  if (Error error = run(*context, options)) {
    errs() << "moe-compile: error: " << toString(std::move(error)) << "\n";
    return 2;
  }
  return 0;
}
