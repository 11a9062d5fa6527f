// The keys of decoders, of grouped and of latent attention.
#include "importers/config/DecoderKeys.h"

#include "runtime/schema/Artifact_generated.h"

#include <cmath>

using namespace moec;
using namespace moec::importers;
using llvm::StringRef;
using llvm::Twine;

/// Keys that describe training, provenance, what a Python call returns or how text is sampled.
static constexpr StringRef withoutEffect[] = {"_attn_implementation_autoset",
                                              "_name_or_path",
                                              "attention_dropout",
                                              "auto_map",
                                              "bad_words_ids",
                                              "begin_suppress_tokens",
                                              "cache_implementation",
                                              "chunk_size_feed_forward",
                                              "decoder_start_token_id",
                                              "diversity_penalty",
                                              "do_sample",
                                              "dtype",
                                              "early_stopping",
                                              "encoder_no_repeat_ngram_size",
                                              "ep_size",
                                              "exponential_decay_length_penalty",
                                              "finetuning_task",
                                              "forced_bos_token_id",
                                              "forced_eos_token_id",
                                              "id2label",
                                              "initializer_range",
                                              "label2id",
                                              "length_penalty",
                                              "max_length",
                                              "min_length",
                                              "model_type",
                                              "name_or_path",
                                              "no_repeat_ngram_size",
                                              "num_beam_groups",
                                              "num_beams",
                                              "num_return_sequences",
                                              "output_attentions",
                                              "output_hidden_states",
                                              "output_router_logits",
                                              "output_scores",
                                              "pad_token_id",
                                              "prefix",
                                              "pretraining_tp",
                                              "problem_type",
                                              "remove_invalid_values",
                                              "repetition_penalty",
                                              "return_dict",
                                              "return_dict_in_generate",
                                              "router_aux_loss_coef",
                                              "router_jitter_noise",
                                              "sep_token_id",
                                              "suppress_tokens",
                                              "task_specific_params",
                                              "temperature",
                                              "tf_legacy_loss",
                                              "tokenizer_class",
                                              "top_k",
                                              "top_p",
                                              "torch_dtype",
                                              "torchscript",
                                              "transformers_version",
                                              "typical_p",
                                              "unsloth_fixed",
                                              "unsloth_version",
                                              "use_bfloat16",
                                              "use_cache"};

static moe::ActivationAttr readActivation(Config &config, mlir::MLIRContext *context) {
  using moe::ActivationKind;
  StringRef name = config.choice("hidden_act", {"silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu"});
  ActivationKind kind = name == "gelu"             ? ActivationKind::GELU
                        : name.starts_with("gelu") ? ActivationKind::GELUTanh
                        : name == "relu"           ? ActivationKind::ReLU
                                                   : ActivationKind::SiLU;
  return moe::ActivationAttr::get(context, kind, 1.0, std::nullopt, std::nullopt, 0.0);
}

/// Token ids under a key that is a number, a list of them, or null.
static std::vector<int64_t> readTokens(Config &config, const Spelling &key, int64_t vocabulary) {
  const json::Value *value = config.take(key);
  if (!value || value->isNull())
    return {};
  return value->array() ? config.counts(key, vocabulary - 1) : std::vector{config.count(key, vocabulary - 1, std::nullopt, 0)};
}

void moec::importers::readSurroundings(Config &config) {
  config.leaveAside(withoutEffect);
  for (const char *key : {"is_encoder_decoder", "is_decoder", "add_cross_attention", "tie_encoder_decoder"})
    config.expect(key, json::Value(false));
}

Decoder moec::importers::readDecoder(Config &config, mlir::MLIRContext *context, StringRef family,
                                     const DecoderDefaults &defaults) {
  Decoder decoder;
  decoder.family = family.str();
  readSurroundings(config);
  decoder.quantization = readQuantization(config);
  decoder.vocabulary = config.count("vocab_size", int64_t(artifact::Layout::max_vocabulary), defaults.vocabulary);
  decoder.hidden = config.count("hidden_size", most::width, defaults.hidden);
  int64_t layers = config.count("num_hidden_layers", most::layers, defaults.layers);
  decoder.isMixture.assign(layers, true);
  decoder.maxPositions = config.count("max_position_embeddings", most::positions, defaults.maxPositions);
  decoder.epsilon = config.nonNegative("rms_norm_eps", defaults.epsilon);
  decoder.tied = config.flag("tie_word_embeddings", false);
  decoder.activation = readActivation(config, context);

  decoder.bos = config.countOrNull("bos_token_id", decoder.vocabulary - 1, defaults.bos, 0);
  if (!config.has("eos_token_id") && defaults.eos)
    decoder.eos = {config.count("eos_token_id", decoder.vocabulary - 1, defaults.eos, 0)};
  else
    decoder.eos = readTokens(config, "eos_token_id", decoder.vocabulary);
  return decoder;
}

void moec::importers::readTextTokens(Config &config, int64_t vocabulary, std::optional<int64_t> &bos, std::vector<int64_t> &eos) {
  if (config.has("bos_token_id"))
    bos = config.countOrNull("bos_token_id", vocabulary - 1, std::nullopt, 0);
  if (config.has("eos_token_id"))
    eos = readTokens(config, "eos_token_id", vocabulary);
}

/// The width of a rotary slice, which must be even.
static int64_t rotaryWidth(Config &config, StringRef key, int64_t width) {
  config.require(width % 2 == 0, key + ": expected an even number, got " + Twine(width));
  return width % 2 ? 2 : width;
}

/// How many of a head's elements turn.
static int64_t rotaryPart(Config &config, int64_t headDim, const Rope &rope) {
  if (!rope.partial)
    return rotaryWidth(config, "head_dim", headDim);
  config.require(*rope.partial <= 1, "partial_rotary_factor: expected at most 1, got " + Twine(spelled(*rope.partial)));
  int64_t dims = static_cast<int64_t>(static_cast<double>(headDim) * std::min(*rope.partial, 1.0));
  config.require(dims > 0 && dims % 2 == 0,
                 "partial_rotary_factor: expected an even part of head_dim " + Twine(headDim) + ", got " + Twine(dims));
  return dims > 0 && dims % 2 == 0 ? dims : 2;
}

GroupedAttention moec::importers::readGroupedAttention(Config &config, mlir::MLIRContext *context, const Decoder &decoder,
                                                       const Rope &rope, const GroupedDefaults &defaults) {
  GroupedAttention attention;
  attention.heads = config.count("num_attention_heads", most::heads, defaults.heads);
  attention.kvHeads = config.countOrNull("num_key_value_heads", most::heads, defaults.kvHeads).value_or(attention.heads);
  config.require(attention.heads % attention.kvHeads == 0, "num_key_value_heads: expected a divisor of num_attention_heads " +
                                                               Twine(attention.heads) + ", got " + Twine(attention.kvHeads));
  if (std::optional<int64_t> given = config.countOrNull("head_dim", most::width, defaults.headDim)) {
    attention.headDim = *given;
  } else {
    config.require(decoder.hidden % attention.heads == 0, "hidden_size: expected a multiple of num_attention_heads " +
                                                              Twine(attention.heads) + " as there is no head_dim, got " +
                                                              Twine(decoder.hidden));
    attention.headDim = std::max<int64_t>(decoder.hidden / attention.heads, 1);
  }
  attention.rotary = rope.attr(context, rotaryPart(config, attention.headDim, rope), moe::RotaryLayout::Half);
  attention.positionScale = rope.positionScale;
  attention.scale = 1 / std::sqrt(static_cast<double>(attention.headDim));
  return attention;
}

LatentAttention moec::importers::readLatentAttention(Config &config, mlir::MLIRContext *context, const Rope &rope,
                                                     moe::RotaryLayout layout, const LatentDefaults &defaults) {
  LatentAttention attention;
  attention.heads = config.count("num_attention_heads", most::heads, defaults.heads);
  attention.nope = config.count("qk_nope_head_dim", most::width, defaults.nope);
  attention.rope = rotaryWidth(config, "qk_rope_head_dim", config.count("qk_rope_head_dim", most::width, defaults.rope));
  attention.value = config.count("v_head_dim", most::width, defaults.value);
  attention.latent = config.count("kv_lora_rank", most::width, defaults.latent);
  attention.queryLatent = config.countOrNull("q_lora_rank", most::width, defaults.queryLatent);
  attention.bias = config.flag("attention_bias", false);

  // What follows from these may be given too, as transformers writes it.
  int64_t width = attention.nope + attention.rope;
  std::optional<int64_t> kvHeads = config.countOrNull("num_key_value_heads", most::heads, attention.heads);
  config.require(!kvHeads || *kvHeads == attention.heads, "num_key_value_heads: expected num_attention_heads " +
                                                              Twine(attention.heads) + ", got " + Twine(kvHeads.value_or(0)));
  int64_t calledHeadDim = defaults.headDimIsWhole ? width : attention.rope;
  std::optional<int64_t> headDim = config.countOrNull("head_dim", most::width, calledHeadDim);
  config.require(!headDim || *headDim == calledHeadDim,
                 StringRef(defaults.headDimIsWhole ? "head_dim: expected qk_nope_head_dim + " : "head_dim: expected ") +
                     "qk_rope_head_dim " + Twine(calledHeadDim) + ", got " + Twine(headDim.value_or(0)));
  std::optional<int64_t> queryDim = config.countOrNull("qk_head_dim", most::width, width);
  config.require(!queryDim || *queryDim == width, "qk_head_dim: expected qk_nope_head_dim + qk_rope_head_dim " + Twine(width) +
                                                      ", got " + Twine(queryDim.value_or(0)));

  int64_t part = static_cast<int64_t>(static_cast<double>(width) * std::min(rope.partial.value_or(1), 1.0));
  config.require(!rope.partial || part == attention.rope, "partial_rotary_factor: expected qk_rope_head_dim " +
                                                              Twine(attention.rope) + " of " + Twine(width) + ", got " +
                                                              Twine(part));
  attention.positionScale = rope.positionScale;
  attention.queryRotary = rope.attr(context, attention.rope, layout, attention.nope);
  attention.keyRotary = rope.attr(context, attention.rope, layout);
  attention.scale = rope.latentScale / std::sqrt(static_cast<double>(width));
  return attention;
}

std::vector<StringRef> moec::importers::readLayerKinds(Config &config, const Spelling &key, const Decoder &decoder,
                                                       llvm::ArrayRef<StringRef> kinds) {
  const json::Value *given = config.take(key);
  std::vector<StringRef> result = config.choiceList(key, kinds);
  bool isAbsent = !given || given->isNull();
  config.require(isAbsent || result.size() == decoder.isMixture.size(), key.names.front() + ": expected a kind for each of " +
                                                                            Twine(decoder.isMixture.size()) + " layers, got " +
                                                                            Twine(result.size()));
  result.resize(isAbsent ? 0 : decoder.isMixture.size(), kinds.front());
  return result;
}

moe::RoutingAttr moec::importers::ungroupedRouting(mlir::MLIRContext *context, int64_t k, moe::Score score, bool renormalize,
                                                   double epsilon) {
  return moe::RoutingAttr::get(context, k, score, /*groups=*/1, /*kept_groups=*/1, moe::GroupScore::Max,
                               moe::MaskFill::NegativeInfinity, renormalize, epsilon, /*scale=*/1.0);
}
