// Layers that predict tokens beyond the next one: counted, held to what they consist of, and none of the model's.
#include "dialects/moe/PredictionLayers.h"
#include "importers/Refusal.h"
#include "importers/decoder/Build.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <set>

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using safetensors::Checkpoint;

namespace {

/// What the names of all such layers begin with, and the number of the first.
struct Numbering {
  std::string start;
  int64_t first;
};

Numbering numberingOf(const Decoder &decoder) {
  const TensorNames &names = decoder.names;
  if (!names.prediction.empty())
    return {decoder.prefix + names.prediction, 0};
  return {decoder.prefix + names.model + "layers.", int64_t(decoder.isMixture.size())};
}

/// Which of them `tensor` is of.
std::optional<int64_t> layerOf(const Numbering &numbering, int64_t layers, StringRef tensor) {
  int64_t layer = 0;
  bool isOfLayer = tensor.consume_front(numbering.start) && !tensor.consumeInteger(10, layer) && tensor.starts_with(".");
  return isOfLayer && layer >= numbering.first && layer < numbering.first + layers ? std::optional(layer) : std::nullopt;
}

/// The decoder with one such layer behind its last, as whose copy it is built.
Decoder withLayer(const Decoder &decoder) {
  Decoder result = decoder;
  result.isMixture.push_back(decoder.isMixture.back());
  result.hasTable.clear();
  if (decoder.prediction.attention)
    result.attention = *decoder.prediction.attention;
  else if (!decoder.attentionOfLayers.empty())
    result.attention = decoder.attentionOfLayers.back();
  result.attentionOfLayers.clear();
  return result;
}

/// Takes a layer's tensors, whose names begin with `name`, by building it in a module that nobody keeps. Answers the problem, if
/// there is one.
std::string takeLayer(const Decoder &decoder, const Quantization &quantization, const std::string &name, Checkpoint &checkpoint,
                      MLIRContext *context) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  Weights weights(*module, checkpoint, quantization);
  int64_t hidden = decoder.hidden, streams = decoder.streams ? decoder.streams->count : 1;
  Type types[] = {RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type()), moe::BatchType::get(context),
                  RankedTensorType::get({ShapedType::kDynamic, streams * hidden}, builder.getF32Type())};
  auto function = func::FuncOp::create(builder, module->getLoc(), "layer", builder.getFunctionType(types, {}));
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToStart(body);

  Scope layer = Scope(builder, weights, body->getArgument(1)).within(name, name);
  auto take = [&](StringRef part, ArrayRef<int64_t> shape) { (void)weights.matrix(layer.tensor(part), shape); };
  auto takeNorm = [&](StringRef part) { (void)weights.whole(layer.tensor(part), {hidden}); };
  auto takeEnd = [&](StringRef part) { // where it is not the model's
    if (checkpoint.has(layer.tensor(part)))
      take(part, {decoder.vocabulary, hidden});
  };
  takeNorm("enorm.weight");
  takeNorm("hnorm.weight");
  Value positions, chosen;
  Value stream = buildLayer(decoder, layer, int64_t(decoder.isMixture.size()) - 1, body->getArgument(2), body->getArgument(0),
                            positions, chosen);
  if (decoder.names.prediction.empty()) {
    take("eh_proj.weight", {hidden, 2 * hidden});
    takeNorm("shared_head.norm.weight");
    takeEnd("shared_head.head.weight");
    takeEnd("embed_tokens.weight");
  } else {
    take("e_proj.weight", {hidden, hidden});
    take("h_proj.weight", {hidden, hidden});
    if (decoder.streams)
      readStreams(layer, *decoder.streams, "head", stream, decoder.epsilon, /*writes=*/false);
    takeNorm("norm.weight");
    takeEnd(decoder.names.head + ".weight");
    takeEnd(decoder.names.embedding + ".weight");
  }
  return llvm::toString(weights.takeProblem());
}

/// The same in the format that the config says, or, where it is said of no blocks, in those in which such layers are released: they
/// may be left so where the model itself was quantised anew.
llvm::Error takeLayer(const Decoder &decoder, const std::string &name, Checkpoint &checkpoint, MLIRContext *context) {
  std::string problem = takeLayer(decoder, decoder.quantization, name, checkpoint, context);
  if (problem.empty())
    return llvm::Error::success();
  if (decoder.quantization.place.empty() || decoder.quantization.block)
    return refuse(problem);
  Quantization released = decoder.quantization;
  released.block = {128, 128};
  std::string another = takeLayer(decoder, released, name, checkpoint, context);
  if (another.empty())
    return llvm::Error::success();
  return refuse(another == problem ? problem : problem + "; in blocks of [128, 128]: " + another);
}

} // namespace

llvm::Error moec::importers::takePredictionLayers(ModuleOp module, const Decoder &decoder, Checkpoint &checkpoint) {
  const Prediction &prediction = decoder.prediction;
  Numbering numbering = numberingOf(decoder);
  std::set<int64_t> layers; // those in the files
  moe::PredictionLayers found;
  const ArrayRef<const safetensors::Tensor *> none;
  for (const safetensors::Tensor *tensor : prediction.layers ? checkpoint.all() : none) {
    std::optional<int64_t> layer = layerOf(numbering, prediction.layers, tensor->name.val());
    if (!layer || isLeftAside(decoder, tensor->name.val()))
      continue;
    layers.insert(*layer);
    found.parameters += parametersIn(*tensor, decoder.quantization);
    found.bytes += tensor->bytes;
  }
  const Decoder described = withLayer(decoder);
  for (int64_t layer : layers)
    if (llvm::Error error = takeLayer(described, numbering.start + std::to_string(layer), checkpoint, module.getContext()))
      return error;
  found.layers = int64_t(layers.size());
  found.absent = prediction.unreleased + (prediction.isDeclared ? prediction.layers - found.layers : 0);
  moe::setPredictionLayers(module, found);
  return llvm::Error::success();
}
