// What exporters leave beside a graph.
#include "importers/onnx/ExportFolder.h"
#include "importers/Refusal.h"
#include "importers/config/DecoderKeys.h"
#include "runtime/schema/Artifact_generated.h"

#include "mlir/IR/Builders.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace moec::importers;
using llvm::StringRef;

namespace {

struct Text {
  std::optional<int64_t> positions, bos;
  std::vector<int64_t> eos;

  /// What an object says of it; what it does not say stays.
  void read(Config config, StringRef positionsKey) {
    if (std::optional<int64_t> given = config.countOrNull(positionsKey, most::positions))
      positions = given;
    readTextTokens(config, int64_t(moec::artifact::Layout::max_vocabulary), bos, eos);
  }
};

/// What genai_config.json says of a model: the object, and the file that holds its decoder, if it says so.
struct GenAIModel {
  const json::Value *object = nullptr;
  std::string decoder;
};

constexpr StringRef genAIConfig = "genai_config.json";

GenAIModel readGenAI(Config config) {
  const json::Value *model = config.take("model");
  config.require(model && model->object(), "model: expected an object, got " + (model ? model->kind() : "nothing"));
  if (!model || !model->object())
    return {};
  const json::Value *decoder = model->find("decoder"), *file = decoder && decoder->object() ? decoder->find("filename") : nullptr;
  return {model, file && file->string() ? *file->string() : ""};
}

/// Which graph of a folder is the model; nothing where there is none, or where there are weights in another form.
llvm::Expected<std::string> decoderIn(const ModelFolder &folder, bool &hasWeights) {
  std::string only;
  unsigned graphs = 0;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator entry(folder.path(), error), end; !error && entry != end; entry.increment(error)) {
    StringRef name = llvm::sys::path::filename(entry->path());
    if (name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json")) {
      hasWeights = true;
      return "";
    }
    if (name.ends_with(".onnx")) {
      only = name.str();
      ++graphs;
    }
  }
  if (!graphs)
    return "";
  if (folder.has(genAIConfig)) {
    llvm::Expected<json::Value> file = folder.readObject(genAIConfig);
    if (!file)
      return file.takeError();
    std::string problem;
    GenAIModel model = readGenAI(Config(*file->object(), (folder.path() + "/" + genAIConfig).str(), problem));
    if (!problem.empty())
      return refuse(problem);
    if (!model.decoder.empty())
      return model.decoder;
  }
  if (graphs > 1)
    return refuse(folder.path() + ": expected one .onnx file, or a genai_config.json that names the decoder's, got " +
                  llvm::Twine(graphs) + "; give the path of one of them");
  return only;
}

} // namespace

llvm::Expected<std::optional<onnx::GraphFile>> onnx::graphIn(const ModelFolder &folder) {
  bool hasWeights = false;
  for (const std::optional<ModelFolder> &own : {std::optional(folder), folder.ofGraphs()}) {
    if (!own || hasWeights)
      break;
    llvm::Expected<std::string> graph = decoderIn(*own, hasWeights);
    if (!graph)
      return graph.takeError();
    if (!graph->empty())
      return GraphFile{*own, *graph};
  }
  return std::nullopt;
}

llvm::Error onnx::describeText(const ModelFolder &folder, StringRef graph, mlir::ModuleOp module) {
  Text text;
  std::string problem;
  std::optional<ModelFolder> around = folder.around();
  for (StringRef name : {StringRef("config.json"), StringRef("generation_config.json"), genAIConfig}) {
    // What names a graph lies beside it.
    const ModelFolder &in = around && name != genAIConfig && !folder.has(name) ? *around : folder;
    if (!in.has(name))
      continue;
    llvm::Expected<json::Value> file = in.readObject(name);
    if (!file)
      return file.takeError();
    Config config(*file->object(), (in.path() + "/" + name).str(), problem);
    if (name == genAIConfig) {
      GenAIModel model = readGenAI(config);
      if (model.object && (model.decoder.empty() || model.decoder == graph))
        text.read(config.within(*model.object, "model"), "context_length");
      continue;
    }
    text.read(config, "max_position_embeddings");
    // Models of several kinds of input say it of their decoder.
    if (const json::Value *decoder = config.take("text_config"); decoder && decoder->object())
      text.read(config.within(*decoder, "text_config"), "max_position_embeddings");
  }
  if (!problem.empty())
    return refuse(problem);
  mlir::Builder builder(module.getContext());
  if (text.positions)
    module->setAttr("moe.max_positions", builder.getI64IntegerAttr(*text.positions));
  if (text.bos)
    module->setAttr("moe.bos", builder.getI64IntegerAttr(*text.bos));
  if (!text.eos.empty())
    module->setAttr("moe.eos", builder.getI64ArrayAttr(text.eos));
  return llvm::Error::success();
}
