// The skeleton of a decoder: from token ids to logits through layers around a residual stream.
#include "importers/decoder/Decoder.h"
#include "importers/Refusal.h"
#include "importers/decoder/Build.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;

namespace {

/// A result of `@step`, and what it is called.
struct Output {
  Value value;
  std::string name;
};

void setModuleAttributes(ModuleOp module, const Decoder &decoder, StringRef folder) {
  Builder builder(module.getContext());
  module->setAttr("moe.folder", builder.getStringAttr(folder));
  module->setAttr("moe.family", builder.getStringAttr(decoder.family));
  module->setAttr("moe.max_positions", builder.getI64IntegerAttr(decoder.maxPositions));
  module->setAttr("moe.vocabulary", builder.getI64IntegerAttr(decoder.vocabulary));
  if (decoder.bos)
    module->setAttr("moe.bos", builder.getI64IntegerAttr(*decoder.bos));
  module->setAttr("moe.eos", builder.getI64ArrayAttr(decoder.eos));
}

/// One layer; a mixture's chosen experts join the outputs. `positions` are as buildAttention says.
Value buildLayer(const Decoder &decoder, Scope layer, int64_t number, Value stream, Value &positions,
                 std::vector<Output> &outputs) {
  Value normed = layer.norm("input_layernorm", stream, decoder.hidden, decoder.epsilon);
  const Attention &kind = decoder.attentionOfLayers.empty() ? decoder.attention : decoder.attentionOfLayers[number];
  Value attended =
      std::visit([&](const auto &attention) { return buildAttention(layer, attention, normed, decoder.epsilon, positions); }, kind);
  stream = layer.add("attention_residual", stream, attended);

  normed = layer.norm("post_attention_layernorm", stream, decoder.hidden, decoder.epsilon);
  Value transformed;
  if (decoder.isMixture[number]) {
    Value ids;
    transformed = buildMixture(layer, decoder.mixture, decoder.activation, normed, ids);
    outputs.push_back({ids, "routing." + std::to_string(number)});
  } else {
    transformed = layer.within(decoder.denseBlock, "mlp").gatedMLP("mlp", normed, decoder.denseWidth, decoder.activation);
  }
  return layer.add("mlp_residual", stream, transformed);
}

/// Builds `@step`'s body from its arguments; answers its results.
std::vector<Output> buildBody(const Decoder &decoder, Scope scope, Value ids) {
  moe::WeightOp embedding = scope.weights.whole(decoder.prefix + "model.embed_tokens.weight", {decoder.vocabulary, decoder.hidden});
  Value stream = scope.create<moe::EmbedOp>("embed_tokens", scope.rows(decoder.hidden), ids, scope.get(embedding));
  std::vector<Output> outputs(1);
  Value positions;
  for (size_t number = 0; number < decoder.isMixture.size(); ++number) {
    std::string part = "layers." + std::to_string(number);
    stream = buildLayer(decoder, scope.within(decoder.prefix + "model." + part, part), number, stream, positions, outputs);
  }
  stream = scope.create<moe::GatherOutputsOp>("gather_outputs", stream.getType(), stream, scope.batch);
  stream = scope.within(decoder.prefix + "model", {}).norm("norm", stream, decoder.hidden, decoder.epsilon);
  Matrix head = decoder.tied ? Matrix{embedding}
                             : scope.weights.matrix(decoder.prefix + "lm_head.weight", {decoder.vocabulary, decoder.hidden});
  Value none, logits = scope.create<moe::LinearOp>("lm_head", scope.rows(decoder.vocabulary), stream, scope.get(head), none, none);
  outputs.front() = {logits, "logits"};
  return outputs;
}

void buildStep(ModuleOp module, const Decoder &decoder, Weights &weights) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto ids = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
  auto batch = moe::BatchType::get(builder.getContext());
  auto location = NameLoc::get(builder.getStringAttr("step"));
  auto step = func::FuncOp::create(builder, location, "step", builder.getFunctionType({ids, batch}, {}));
  Block *body = step.addEntryBlock();
  builder.setInsertionPointToStart(body);

  std::vector<Output> outputs = buildBody(decoder, Scope(builder, weights, body->getArgument(1)), body->getArgument(0));
  SmallVector<Value> values;
  for (const Output &output : outputs)
    values.push_back(output.value);
  func::ReturnOp::create(builder, location, values);
  step.setType(builder.getFunctionType({ids, batch}, ValueRange(values).getTypes()));
  for (auto [index, output] : llvm::enumerate(outputs))
    step.setResultAttr(index, "moe.output", builder.getStringAttr(output.name));
}

/// Tensors that are no part of the model's arithmetic: other parts, layers that predict further tokens, and rotary frequencies that
/// old checkpoints stored although they follow from the config.
bool isLeftAside(const Decoder &decoder, StringRef tensor) {
  if (tensor.ends_with(".rotary_emb.inv_freq"))
    return true;
  if (llvm::any_of(decoder.otherParts, [&](StringRef part) { return tensor.starts_with(part); }))
    return true;
  int64_t layer;
  return tensor.consume_front(decoder.prefix) && tensor.consume_front("model.layers.") && !tensor.consumeInteger(10, layer) &&
         tensor.starts_with(".") && layer >= static_cast<int64_t>(decoder.isMixture.size()) &&
         layer < static_cast<int64_t>(decoder.isMixture.size()) + decoder.predictionLayers;
}

} // namespace

llvm::Expected<OwningOpRef<ModuleOp>> moec::importers::buildDecoder(const Decoder &decoder, StringRef folder,
                                                                    safetensors::Checkpoint &checkpoint, MLIRContext *context) {
  std::string head = decoder.prefix + "lm_head.weight";
  if (decoder.tied && checkpoint.has(head))
    return refuse(checkpoint.path() + ": tensor '" + checkpoint.nameInFiles(head) + "': expected none, as " + checkpoint.config() +
                  " says that the embedding is the head");
  OwningOpRef<ModuleOp> module = ModuleOp::create(NameLoc::get(StringAttr::get(context, folder)));
  setModuleAttributes(*module, decoder, folder);
  Weights weights(*module, checkpoint, decoder.quantization);
  buildStep(*module, decoder, weights);
  if (llvm::Error error = weights.takeProblem())
    return error;
  if (llvm::Error error = checkpoint.checkAllUsed([&](StringRef tensor) { return isLeftAside(decoder, tensor); }))
    return error;

  std::string complaint;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) { complaint += diagnostic.str(); });
  if (failed(verify(*module)))
    return refuse(folder + ": the imported model is not valid: " + complaint);
  return module;
}
