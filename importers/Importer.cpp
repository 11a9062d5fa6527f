// From a folder to a module: finds the family, lets it describe the model, builds what it described.
#include "importers/Importer.h"
#include "importers/Refusal.h"
#include "importers/config/DecoderKeys.h"
#include "importers/consolidated/Consolidated.h"
#include "importers/decoder/Build.h"
#include "importers/families/Families.h"
#include "importers/onnx/ExportFolder.h"
#include "importers/onnx/Onnx.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/Support/Path.h"

using namespace moec;
using namespace moec::importers;
using llvm::StringRef;

static llvm::Expected<const safetensors::Form *> formOf(const ModelFolder &folder) {
  if (consolidated::isIn(folder))
    return &consolidated::form;
  if (folder.has(safetensors::huggingFace.config))
    return &safetensors::huggingFace;
  return refuse(folder.path() + ": expected a config.json or a params.json in the folder");
}

static llvm::Expected<const Family *> findFamily(const json::Value &config, StringRef name) {
  const json::Value *type = config.find("model_type");
  std::string known;
  for (const Family &family : families()) {
    if (type && type->string() && *type->string() == family.modelType)
      return &family;
    known += (known.empty() ? "'" : ", '") + family.modelType.str() + "'";
  }
  std::string got = type && type->string() ? "'" + *type->string() + "'" : type ? type->kind().str() : "nothing";
  return refuse(name + ": model_type: expected one of " + known + ", got " + got);
}

/// `architectures`, when given, names the class that the family imports.
static void checkArchitecture(Config &config, const Family &family) {
  const json::Value *names = config.take("architectures");
  if (!names || names->isNull())
    return;
  const json::Array *list = names->array();
  const std::string *only = list && list->size() == 1 ? list->front().string() : nullptr;
  config.require(only && *only == family.architecture, "architectures: expected ['" + family.architecture + "'], got " +
                                                           (only ? "['" + *only + "']" : names->kind().str()));
}

static llvm::Expected<Decoder> describe(const ModelFolder &folder, const safetensors::Form &form, mlir::MLIRContext &context) {
  llvm::Expected<json::Value> file = folder.readObject(form.config);
  if (!file)
    return file.takeError();
  std::string name = (folder.path() + "/" + form.config).str();
  if (&form == &consolidated::form)
    return consolidated::describe(*file->object(), name, &context);
  llvm::Expected<const Family *> family = findFamily(*file, name);
  if (!family)
    return family.takeError();
  std::string problem;
  Config config(*file->object(), name, problem);
  checkArchitecture(config, **family);
  Decoder decoder = (*family)->describe(config, &context);
  if (llvm::Error error = config.finish())
    return error;
  return decoder;
}

/// Generation's own tokens win over the config's: chat models end a turn with others than the base model ends a text.
static llvm::Error readGenerationConfig(const ModelFolder &folder, Decoder &decoder) {
  if (!folder.has("generation_config.json"))
    return llvm::Error::success();
  llvm::Expected<json::Value> file = folder.readObject("generation_config.json");
  if (!file)
    return file.takeError();
  std::string name = (folder.path() + "/generation_config.json").str(), problem;
  Config config(*file->object(), name, problem);
  readTextTokens(config, decoder.vocabulary, decoder.bos, decoder.eos);
  return problem.empty() ? llvm::Error::success() : refuse(problem);
}

/// What ModelOpt says about number formats in a file of its own.
static llvm::Error readNumberFormats(const ModelFolder &folder, Decoder &decoder) {
  if (!folder.has("hf_quant_config.json") || !decoder.quantization.place.empty())
    return llvm::Error::success();
  llvm::Expected<json::Value> file = folder.readObject("hf_quant_config.json");
  if (!file)
    return file.takeError();
  std::string name = (folder.path() + "/hf_quant_config.json").str(), problem;
  Config config(*file->object(), name, problem);
  decoder.quantization = readQuantizationFile(config);
  return config.finish();
}

llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> moec::importers::importModel(StringRef path, mlir::MLIRContext &context,
                                                                               bool widens) {
  context.loadDialect<moe::MoEDialect, mlir::func::FuncDialect, mlir::arith::ArithDialect>();
  const bool isGraph = path.ends_with(".onnx");
  StringRef parent = isGraph ? llvm::sys::path::parent_path(path) : path;
  llvm::Expected<ModelFolder> folder = ModelFolder::at(parent.empty() && isGraph ? "." : parent);
  if (!folder)
    return folder.takeError();
  if (isGraph)
    return onnx::importModel(*folder, llvm::sys::path::filename(path), context, widens);
  llvm::Expected<std::optional<onnx::GraphFile>> graph = onnx::graphIn(*folder);
  if (!graph)
    return graph.takeError();
  if (*graph)
    return onnx::importModel((*graph)->folder, (*graph)->name, context, widens);
  llvm::Expected<const safetensors::Form *> form = formOf(*folder);
  if (!form)
    return form.takeError();
  llvm::Expected<Decoder> decoder = describe(*folder, **form, context);
  if (!decoder)
    return decoder.takeError();
  if (llvm::Error error = readGenerationConfig(*folder, *decoder))
    return error;
  if (llvm::Error error = readNumberFormats(*folder, *decoder))
    return error;
  llvm::Expected<safetensors::Checkpoint> checkpoint = safetensors::Checkpoint::open(*folder, **form);
  if (!checkpoint)
    return checkpoint.takeError();
  return buildDecoder(*decoder, folder->path(), *checkpoint, &context);
}
