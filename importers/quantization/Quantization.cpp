// The keys of number formats, in the spellings of those who quantise. Activations stay as they are, so what concerns them is left
// aside.
#include "importers/quantization/Quantization.h"

using namespace moec::importers;
using llvm::ArrayRef;
using llvm::StringRef;

static std::optional<Quantization::Block> readBlock(Config &config, StringRef key) {
  std::vector<int64_t> sizes = config.counts(Spelling{key}, most::width);
  if (sizes.empty())
    return std::nullopt;
  bool isBlock = sizes.size() == 2 && sizes[0] > 0 && sizes[1] > 0;
  config.require(isBlock, key + ": expected rows and columns of a block, got " + llvm::Twine(sizes.size()) + " numbers");
  return isBlock ? std::optional<Quantization::Block>({sizes[0], sizes[1]}) : std::nullopt;
}

/// An object under `key`, or nothing after a problem.
static std::optional<Config> objectIn(Config &config, StringRef key) {
  const json::Value *value = config.take(Spelling{key});
  bool isObject = value && value->object();
  config.require(isObject, key + ": expected an object, got " + (value ? value->kind() : "nothing"));
  return isObject ? std::optional<Config>(config.within(*value, Spelling{key})) : std::nullopt;
}

/// Keys whose schemes nothing here computes may be there without any: null or an empty object.
static void expectNone(Config &config, ArrayRef<StringRef> keys) {
  for (StringRef key : keys) {
    const json::Value *value = config.take(Spelling{key});
    config.require(!value || value->isNull() || (value->object() && value->object()->empty()),
                   key + ": expected null or an empty object, as such a scheme is not supported");
  }
}

/// FP8 as transformers spells it, in blocks or with one scale for a tensor.
static void readFp8(Config &config, Quantization &result) {
  config.choice("fmt", {"e4m3"});
  config.choice("scale_fmt", {"float", "ue8m0"}); // how the scales were rounded
  result.block = readBlock(config, "weight_block_size");
  config.choice("activation_scheme", {"dynamic", "static"});
  // Which matrices are quantised and how, they say themselves; `dequantize` is for whoever loads them.
  config.leaveAside({"modules_to_not_convert", "modules_to_convert", "ignored_layers", "expert_dtype", "dequantize"});
}

/// What the library writes of how GPTQ's and AWQ's numbers were found, and of kernels for them.
static void leaveMakingAside(Config &config) {
  config.leaveAside({"act_group_aware",
                     "backend",
                     "batch_size",
                     "block_name_to_quantize",
                     "cache_block_outputs",
                     "damp_percent",
                     "dataset",
                     "disable_exllama",
                     "exllama_config",
                     "max_input_length",
                     "meta",
                     "model_seqlen",
                     "module_name_preceding_first_block",
                     "modules_in_block_to_quantize",
                     "modules_to_not_convert",
                     "pad_token_id",
                     "tokenizer",
                     "true_sequential",
                     "use_cuda_fp16",
                     "use_exllama"});
}

static std::optional<int64_t> readGroupSize(Config &config) {
  std::optional<int64_t> size = config.countOrNull("group_size", most::width, std::nullopt, Quantization::wholeRow);
  config.require(size != 0, "group_size: expected -1 or at least 1, got 0");
  return size;
}

/// GPTQ as AutoGPTQ and GPTQModel write it: its first format stores zero points less 1. With `sym` all are in the middle, and those
/// stored say nothing more.
static void readGptq(Config &config, Quantization &result) {
  config.requireGiven({"bits", "group_size", "sym", "desc_act"});
  Quantization::Words words{.bits = config.count("bits", 8)};
  config.require(words.bits == 4 || words.bits == 8, "bits: expected 4 or 8, got " + llvm::Twine(words.bits));
  words.listsGroups = config.flag("desc_act", false); // what it lists counts, whatever was said
  words.hasZeros = !config.flag("sym", true);
  bool isFirst = config.choice({"checkpoint_format", "format"}, {"gptq", "gptq_v2"}) == "gptq";
  words.zeroPoint = !words.hasZeros ? int64_t(1) << (words.bits - 1) : isFirst ? 1 : 0;
  result.words = words;
  result.group = readGroupSize(config);
  // Of some matrices otherwise, in words of another size, or of the head, too.
  expectNone(config, {"dynamic"});
  config.expect("pack_dtype", json::Value(std::string("int32")));
  config.expect("lm_head", json::Value(false));
  config.leaveAside({"static_groups", "model_name_or_path", "model_file_base_name", "quantizer"});
  leaveMakingAside(config);
}

/// AWQ as AutoAWQ writes it for its matrix products.
static void readAwq(Config &config, Quantization &result) {
  config.requireGiven({"bits", "group_size", "zero_point"});
  config.expect("bits", json::Value(int64_t(4)));
  config.expect("zero_point", json::Value(true));
  config.choice({"version", "format"}, {"gemm"});
  result.words = {.holdRowsInTurns = true};
  result.group = readGroupSize(config);
  config.leaveAside({"desc_act", "do_fuse", "fuse_max_seq_len", "modules_to_fuse", "sym"});
  leaveMakingAside(config);
}

namespace {
/// What a format of compressed-tensors is for.
struct PackedFormat {
  StringRef name, type;
  int64_t bits;
  llvm::SmallVector<StringRef, 4> strategies;
};
} // namespace

/// How numbers share scales: what a strategy needs, and what only it may have.
static void readStrategy(Config &weights, ArrayRef<StringRef> strategies, Quantization &result) {
  StringRef strategy = weights.choice("strategy", strategies);
  result.block = readBlock(weights, "block_structure");
  result.group = weights.countOrNull("group_size", most::width);
  bool isBlock = strategy == "block", isGroup = strategy == "group" || strategy == "tensor_group";
  weights.require(result.block.has_value() == isBlock, "block_structure: expected " +
                                                           llvm::StringRef(isBlock ? "rows and columns" : "null") +
                                                           " as strategy is '" + strategy + "'");
  weights.require(result.group.has_value() == isGroup,
                  "group_size: expected " + llvm::StringRef(isGroup ? "a number" : "null") + " as strategy is '" + strategy + "'");
  if (strategy == "channel")
    result.group = Quantization::wholeRow;
}

/// One scheme of compressed-tensors.
static void readScheme(Config &config, const PackedFormat &format, Quantization &result) {
  std::optional<Config> weights = objectIn(config, "weights");
  config.leaveAside({"targets", "input_activations", "output_activations", "format"});
  config.checkConsumed();
  if (!weights)
    return;
  weights->requireGiven({"type", "num_bits", "strategy"});
  weights->choice("type", {format.type});
  weights->expect("num_bits", json::Value(format.bits));
  readStrategy(*weights, format.strategies, result);
  weights->expect("symmetric", json::Value(true));
  weights->expect("dynamic", json::Value(false));
  // The order in which columns were rounded: `false` or null for that of the matrix, `true` for "group". Where columns of a group
  // lie apart, matrices list the groups.
  const json::Value *order = weights->take("actorder");
  bool isName = order && order->string() && llvm::is_contained({"weight", "static", "group", "dynamic"}, *order->string());
  weights->require(!order || order->isNull() || order->boolean() || isName,
                   "actorder: expected null, 'weight' or 'group', got " + (order && order->string() ? "'" + *order->string() + "'"
                                                                           : order                  ? order->kind().str()
                                                                                                    : "nothing"));
  weights->leaveAside({"observer", "observer_kwargs", "scale_dtype", "zp_dtype"});
  weights->checkConsumed();
}

/// Reads the one scheme of `config_groups`: several, each of some weights, are not supported.
static void readOnlyScheme(Config &config, llvm::function_ref<void(Config &)> read) {
  std::optional<Config> groups = objectIn(config, "config_groups");
  const json::Value *value = config.take("config_groups");
  if (!groups)
    return;
  config.require(value->object()->size() == 1,
                 "config_groups: expected one scheme for all weights, got " + llvm::Twine(value->object()->size()));
  for (const json::Member &member : *value->object())
    if (std::optional<Config> scheme = objectIn(*groups, member.key))
      read(*scheme);
}

static void readCompressedTensors(Config &config, Quantization &result) {
  const PackedFormat formats[] = {{"float-quantized", "float", 8, {"tensor", "channel", "block"}},
                                  {"pack-quantized", "int", 4, {"group", "channel"}},
                                  {"nvfp4-pack-quantized", "float", 4, {"tensor_group", "group"}}};
  config.requireGiven({"format"});
  StringRef name = config.choice("format", {formats[0].name, formats[1].name, formats[2].name});
  const PackedFormat &format = *llvm::find_if(formats, [&](const PackedFormat &each) { return each.name == name; });
  config.expect("kv_cache_scheme", json::Value());
  config.expect("quantization_status", json::Value(std::string("compressed")));
  expectNone(config, {"sparsity_config", "transform_config"});
  config.leaveAside({"ignore", "version", "global_compression_ratio"});
  readOnlyScheme(config, [&](Config &scheme) { readScheme(scheme, format, result); });
}

/// One scheme of ModelOpt's, which says in the words of compressed-tensors what its algorithm says already.
static void readModelOptScheme(Config &config, int64_t bits, Quantization &result) {
  std::optional<Config> weights = objectIn(config, "weights");
  config.leaveAside({"targets", "input_activations", "output_activations"});
  config.checkConsumed();
  if (!weights)
    return;
  weights->expect("type", json::Value(std::string("float")));
  weights->expect("num_bits", json::Value(bits));
  weights->expect("dynamic", json::Value(false));
  result.group = weights->countOrNull("group_size", most::width, result.group);
  weights->checkConsumed();
}

/// ModelOpt's formats, in config.json or in its own file.
static void readModelOpt(Config &config, Quantization &result) {
  config.requireGiven({"quant_algo"});
  int64_t bits = config.choice("quant_algo", {"NVFP4", "FP8"}) == "FP8" ? 8 : 4;
  result.group = config.countOrNull("group_size", most::width);
  config.leaveAside({"exclude_modules", "ignore", "kv_cache_quant_algo", "kv_cache_scheme", "producer"});
  if (config.has("config_groups"))
    readOnlyScheme(config, [&](Config &scheme) { readModelOptScheme(scheme, bits, result); });
}

Quantization moec::importers::readQuantization(Config &config) {
  Quantization result;
  if (const json::Value *value = config.take("quantization_config"); !value || value->isNull())
    return result;
  std::optional<Config> inner = objectIn(config, "quantization_config");
  if (!inner)
    return result;
  result.place = config.placeOf("quantization_config");
  // Mistral's own form names a format of the weights instead of a method.
  if (!inner->has("qformat_weight")) {
    inner->requireGiven({"quant_method"});
    StringRef method = inner->choice("quant_method", {"fp8", "compressed-tensors", "gptq", "awq", "mxfp4", "modelopt"});
    if (method == "fp8")
      readFp8(*inner, result);
    else if (method == "compressed-tensors")
      readCompressedTensors(*inner, result);
    else if (method == "gptq")
      readGptq(*inner, result);
    else if (method == "awq")
      readAwq(*inner, result);
    else if (method == "modelopt")
      readModelOpt(*inner, result);
    else
      inner->leaveAside({"modules_to_not_convert"});
  } else {
    inner->choice("qformat_weight", {"fp8_e4m3"});
    inner->choice("qscheme_act", {"TENSOR"});
  }
  inner->checkConsumed();
  return result;
}

Quantization moec::importers::readQuantizationFile(Config &config) {
  Quantization result;
  result.place = config.placeOf("quantization");
  config.leaveAside({"producer"});
  if (std::optional<Config> inner = objectIn(config, "quantization")) {
    readModelOpt(*inner, result);
    inner->checkConsumed();
  }
  return result;
}
