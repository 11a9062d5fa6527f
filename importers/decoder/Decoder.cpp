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

std::string headOf(const Decoder &decoder) { return decoder.prefix + decoder.names.head + ".weight"; }

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

/// Builds a layer's MLP; `chosen` receives the experts that a mixture chose. `ids` are the tokens'.
Value buildMLP(const Decoder &decoder, Scope layer, int64_t number, Value input, Value ids, Value &chosen) {
  if (!decoder.isMixture[number])
    return layer.within(decoder.denseBlock, "mlp").gatedMLP("mlp", input, decoder.denseWidth, decoder.activation);
  bool hasTable = !decoder.hasTable.empty() && decoder.hasTable[number];
  return buildMixture(layer, decoder, input, hasTable ? ids : Value(), chosen);
}

/// Leads a part of a layer around the residual stream, or the streams: `body` is from what it reads, normed, to what it adds.
Value buildResidual(const Decoder &decoder, Scope layer, StringRef part, StringRef residual, StringRef norm, Value stream,
                    llvm::function_ref<Value(Value)> body) {
  if (!decoder.streams)
    return layer.add(residual, stream, body(layer.norm(norm, stream, decoder.hidden, decoder.epsilon)));
  auto [input, weights] = readStreams(layer, *decoder.streams, part, stream, decoder.epsilon, /*writes=*/true);
  Value added = body(layer.norm(norm, input, decoder.hidden, decoder.epsilon));
  return layer.create<moe::MixStreamsOp>(residual, stream.getType(), added, stream, weights);
}

} // namespace

Value moec::importers::buildLayer(const Decoder &decoder, Scope layer, int64_t number, Value stream, Value ids, Value &positions,
                                  Value &chosen) {
  const Attention &kind = decoder.attentionOfLayers.empty() ? decoder.attention : decoder.attentionOfLayers[number];
  auto attend = [&](Value input) {
    return std::visit([&](const auto &attention) { return buildAttention(layer, attention, input, decoder.epsilon, positions); },
                      kind);
  };
  stream = buildResidual(decoder, layer, "attn", "attention_residual", decoder.names.attentionNorm, stream, attend);
  auto transform = [&](Value input) { return buildMLP(decoder, layer, number, input, ids, chosen); };
  return buildResidual(decoder, layer, "ffn", "mlp_residual", decoder.names.mlpNorm, stream, transform);
}

namespace {

/// Builds `@step`'s body from its arguments; answers its results.
std::vector<Output> buildBody(const Decoder &decoder, Scope scope, Value ids) {
  const std::string model = decoder.prefix + decoder.names.model;
  moe::WeightOp embedding = scope.weights.whole(model + decoder.names.embedding + ".weight", {decoder.vocabulary, decoder.hidden});
  int64_t streams = decoder.streams ? decoder.streams->count : 1;
  Value stream = scope.create<moe::EmbedOp>("embed_tokens", scope.rows(streams * decoder.hidden), ids, scope.get(embedding));
  std::vector<Output> outputs(1);
  Value positions;
  for (size_t number = 0; number < decoder.isMixture.size(); ++number) {
    std::string part = "layers." + std::to_string(number);
    Value chosen;
    stream = buildLayer(decoder, scope.within(model + part, part), number, stream, ids, positions, chosen);
    if (chosen)
      outputs.push_back({chosen, "routing." + std::to_string(number)});
  }
  stream = scope.create<moe::GatherOutputsOp>("gather_outputs", stream.getType(), stream, scope.batch);
  Scope ending = scope.startingWith(model);
  if (decoder.streams)
    stream = readStreams(ending, *decoder.streams, "head", stream, decoder.epsilon, /*writes=*/false).input;
  stream = ending.norm("norm", stream, decoder.hidden, decoder.epsilon);
  Matrix head = decoder.tied ? Matrix{embedding} : scope.weights.matrix(headOf(decoder), {decoder.vocabulary, decoder.hidden});
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

} // namespace

bool moec::importers::isLeftAside(const Decoder &decoder, StringRef tensor) {
  return tensor.ends_with(".rotary_emb.inv_freq") ||
         llvm::any_of(decoder.otherParts, [&](StringRef part) { return tensor.starts_with(part); });
}

llvm::Expected<OwningOpRef<ModuleOp>> moec::importers::buildDecoder(const Decoder &decoder, StringRef folder,
                                                                    safetensors::Checkpoint &checkpoint, MLIRContext *context) {
  std::string head = headOf(decoder);
  if (decoder.tied && checkpoint.has(head))
    return refuse(checkpoint.path() + ": tensor '" + checkpoint.nameInFiles(head) + "': expected none, as " + checkpoint.config() +
                  " says that the embedding is the head");
  OwningOpRef<ModuleOp> module = ModuleOp::create(NameLoc::get(StringAttr::get(context, folder)));
  setModuleAttributes(*module, decoder, folder);
  Weights weights(*module, checkpoint, decoder.quantization);
  buildStep(*module, decoder, weights);
  weights.expectQuantized();
  if (llvm::Error error = weights.takeProblem())
    return error;
  if (llvm::Error error = takePredictionLayers(*module, decoder, checkpoint))
    return error;
  auto isNotOfModel = [&](const safetensors::Tensor &tensor) { return isLeftAside(decoder, tensor.name.val()); };
  if (llvm::Error error = checkpoint.checkAllUsed(isNotOfModel))
    return error;

  std::string complaint;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) { complaint += diagnostic.str(); });
  if (failed(verify(*module)))
    return refuse(folder + ": the imported model is not valid: " + complaint);
  return module;
}
