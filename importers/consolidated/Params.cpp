// The keys of params.json, one by one: a table says how config.json calls each.
#include "importers/consolidated/Params.h"

using namespace moec::importers;
using namespace moec::importers::consolidated;
using llvm::StringRef;

namespace {

/// A key of params.json and config.json's word for it. Nearly all must be there: what config.json means by leaving one out is not
/// what Mistral's code means.
struct Key {
  StringRef file, config;
  bool optional = false;
};

constexpr Key decoderKeys[] = {
    {"dim", "hidden_size"},
    {"n_layers", "num_hidden_layers"},
    {"hidden_dim", "intermediate_size"},
    {"n_heads", "num_attention_heads"},
    {"n_kv_heads", "num_key_value_heads"},
    {"head_dim", "head_dim"},
    {"vocab_size", "vocab_size"},
    {"norm_eps", "rms_norm_eps"},
    {"rope_theta", "rope_theta"},
    {"activation", "hidden_act", true},
    {"tied_embeddings", "tie_word_embeddings", true},
    {"quantization", "quantization_config", true},
};
constexpr Key latentKeys[] = {
    {"q_lora_rank", "q_lora_rank"},           {"kv_lora_rank", "kv_lora_rank"}, {"qk_nope_head_dim", "qk_nope_head_dim"},
    {"qk_rope_head_dim", "qk_rope_head_dim"}, {"v_head_dim", "v_head_dim"},
};
constexpr Key mixtureKeys[] = {
    {"num_experts", "num_experts"},
    {"num_experts_per_tok", "num_experts_per_tok"},
};
/// Of mixtures in models with latent attention.
constexpr Key sharedMixtureKeys[] = {
    {"num_shared_experts", "n_shared_experts"},         {"expert_hidden_dim", "moe_intermediate_size"},
    {"first_k_dense_replace", "first_k_dense_replace"}, {"route_every_n", "moe_layer_freq"},
    {"routed_scale", "routed_scaling_factor"},          {"num_expert_groups", "n_group"},
    {"num_expert_groups_per_tok", "topk_group"},
};
constexpr Key yarnKeys[] = {
    {"factor", "factor"},
    {"original_max_position_embeddings", "original_max_position_embeddings"},
    {"beta", "beta_fast"},
    {"alpha", "beta_slow"},
};

class Translation {
public:
  explicit Translation(Config &params) : params(params) {}

  Params run() {
    copy(params, decoderKeys, "", result.config);
    result.isLatent = params.has("kv_lora_rank");
    if (result.isLatent)
      copy(params, latentKeys, "", result.config);
    else
      copyOr("sliding_window", json::Value());
    copyOr("max_position_embeddings", json::Value(int64_t(128000))); // as vLLM has it
    copyMixture();
    copyRope();
    result.sees = params.has("vision_encoder");
    params.leaveAside({"vision_encoder", "max_seq_len"});
    params.checkConsumed();
    return std::move(result);
  }

private:
  /// Moves `keys` of `from`, which is found at `path`, to `into`.
  void copy(Config &from, llvm::ArrayRef<Key> keys, StringRef path, json::Object &into) {
    for (const Key &key : keys) {
      result.names[key.config] = (path + key.file).str();
      if (const json::Value *value = from.take(key.file))
        into.push_back({key.config.str(), *value});
      else
        from.require(key.optional, key.file + ": expected a value, got nothing");
    }
  }

  /// A key that both forms call the same; `absent` says what it means here to leave it out.
  void copyOr(StringRef key, const json::Value &absent) {
    const json::Value *value = params.take(key);
    result.config.push_back({key.str(), value ? *value : absent});
  }

  /// The object `key` of params.json; nothing, with a problem unless it may be absent, when there is none.
  std::optional<Config> object(StringRef key, bool optional) {
    const json::Value *value = params.take(key);
    if (value && value->object())
      return params.within(*value, key);
    params.require(!value && optional, key + ": expected an object, got " + (value ? value->kind() : "nothing"));
    return std::nullopt;
  }

  void copyMixture() {
    result.isMixture = params.has("moe") || result.isLatent;
    std::optional<Config> moe = object("moe", /*optional=*/!result.isLatent);
    if (!moe)
      return;
    copy(*moe, mixtureKeys, "moe.", result.config);
    if (result.isLatent)
      copy(*moe, sharedMixtureKeys, "moe.", result.config);
    moe->checkConsumed();
  }

  void copyRope() {
    json::Object rope;
    std::optional<Config> yarn = object("yarn", /*optional=*/!result.isLatent);
    result.hasYarn = yarn.has_value();
    if (!yarn)
      return; // who scales by position does so beyond YaRN's original positions: `llama_4_scaling` is an unknown key
    result.names["rope_parameters"] = "yarn";
    rope.push_back({"rope_type", json::Value(std::string("yarn"))});
    copy(*yarn, yarnKeys, "", rope);
    yarn->requireGiven({"apply_scale"});
    if (!yarn->flag("apply_scale", true))
      rope.push_back({"attention_factor", json::Value(int64_t(1))});
    else // where it would go in latent attention, no released model shows
      yarn->require(!result.isLatent, "apply_scale: expected false with latent attention, got true");
    copyPositionScale(*yarn, rope);
    yarn->checkConsumed();
    result.config.push_back({"rope_parameters", json::Value(std::move(rope))});
  }

  void copyPositionScale(Config &yarn, json::Object &rope) {
    result.names["llama_4_scaling_beta"] = "llama_4_scaling.beta";
    std::optional<Config> scaling = object("llama_4_scaling", /*optional=*/true);
    if (!scaling) {
      rope.push_back({"llama_4_scaling_beta", json::Value(int64_t(0))});
      return;
    }
    copy(*scaling, Key{"beta", "llama_4_scaling_beta"}, "llama_4_scaling.", rope);
    scaling->requireGiven({"original_max_position_embeddings"});
    if (const json::Value *original = yarn.take("original_max_position_embeddings"))
      scaling->expect("original_max_position_embeddings", *original);
    scaling->checkConsumed();
  }

  Config &params;
  Params result;
};

} // namespace

Params consolidated::readParams(Config &params) { return Translation(params).run(); }
