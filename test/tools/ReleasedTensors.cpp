// Attention, grouped or latent; dense layers, then mixtures; embedding, norm and head around them.
#include "test/tools/ReleasedTensors.h"

#include <functional>
#include <map>
#include <numeric>
#include <sstream>

using namespace moec::test;
using Json = nlohmann::ordered_json;

namespace {
/// What params.json calls the keys of config.json.
Json fromParams(const Json &params) {
  Json config = {{"model_type", "consolidated"},
                 {"hidden_size", params["dim"]},
                 {"num_hidden_layers", params["n_layers"]},
                 {"intermediate_size", params["hidden_dim"]},
                 {"num_attention_heads", params["n_heads"]},
                 {"vocab_size", params["vocab_size"]},
                 {"n_routed_experts", params["moe"]["num_experts"]},
                 {"n_shared_experts", params["moe"]["num_shared_experts"]},
                 {"moe_intermediate_size", params["moe"]["expert_hidden_dim"]},
                 {"first_k_dense_replace", params["moe"]["first_k_dense_replace"]}};
  for (const char *key : {"q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"})
    config[key] = params[key];
  return config;
}

/// The name of a tensor in consolidated files.
std::string inConsolidated(const std::string &name) {
  static const std::map<std::string, std::string> parts = {{"model", ""},
                                                           {"embed_tokens", "tok_embeddings"},
                                                           {"lm_head", "output"},
                                                           {"self_attn", "attention"},
                                                           {"input_layernorm", "attention_norm"},
                                                           {"post_attention_layernorm", "ffn_norm"},
                                                           {"q_a_proj", "wq_a"},
                                                           {"q_b_proj", "wq_b"},
                                                           {"kv_a_proj_with_mqa", "wkv_a_with_mqa"},
                                                           {"kv_b_proj", "wkv_b"},
                                                           {"o_proj", "wo"},
                                                           {"q_a_layernorm", "q_a_norm"},
                                                           {"kv_a_layernorm", "kv_a_norm"},
                                                           {"gate_proj", "w1"},
                                                           {"down_proj", "w2"},
                                                           {"up_proj", "w3"}};
  std::string result;
  std::istringstream stream(name);
  bool inMixture = name.find("experts") != std::string::npos || name.find("mlp.gate.") != std::string::npos;
  for (std::string part; std::getline(stream, part, '.');) {
    auto found = parts.find(part);
    std::string own = part == "mlp" ? (inMixture ? "" : "feed_forward") : found == parts.end() ? part : found->second;
    result += own.empty() ? "" : (result.empty() ? "" : ".") + own;
  }
  return result;
}

class Builder {
public:
  explicit Builder(const Json &config) : config(config), type(config["model_type"]), hidden(get("hidden_size")) {
    if (type == "mixtral" || type == "minimax_m2")
      block = "block_sparse_moe", gate = "w1", up = "w3", down = "w2";
  }

  std::vector<ReleasedTensor> run() {
    if (type == "deepseek_v4")
      return runWithStreams();
    add("model.embed_tokens.weight", {get("vocab_size"), hidden});
    for (int64_t layer = 0; layer < get("num_hidden_layers"); ++layer) {
      prefix = "model.layers." + std::to_string(layer) + ".";
      add("input_layernorm.weight", {hidden});
      add("post_attention_layernorm.weight", {hidden});
      config.contains("kv_lora_rank") ? addLatentAttention() : addGroupedAttention();
      if (get("num_experts", get("num_local_experts", get("n_routed_experts", 0))) == 0 || layer < get("first_k_dense_replace", 0))
        addMlp("mlp.", get("intermediate_size"), "gate_proj", "up_proj", "down_proj");
      else
        addMixture();
    }
    prefix.clear();
    add("model.norm.weight", {hidden});
    add("lm_head.weight", {get("vocab_size"), hidden});
    return std::move(tensors);
  }

private:
  int64_t get(const char *key) const { return config.at(key).get<int64_t>(); }
  int64_t get(const char *key, int64_t absent) const {
    return config.contains(key) && !config[key].is_null() ? config[key].get<int64_t>() : absent;
  }
  void add(const std::string &name, std::vector<int64_t> shape) { tensors.push_back({prefix + name, std::move(shape)}); }

  /// A model whose residual stream is several.
  std::vector<ReleasedTensor> runWithStreams() {
    gate = "w1", up = "w3", down = "w2";
    add("embed.weight", {get("vocab_size"), hidden});
    for (int64_t layer = 0; layer < get("num_hidden_layers"); ++layer) {
      prefix = "layers." + std::to_string(layer) + ".";
      for (const char *part : {"attn", "ffn"}) {
        add(std::string(part) + "_norm.weight", {hidden});
        addStreams(part, get("hc_mult") * (get("hc_mult") + 2), 3);
      }
      addSharedKeyAttention(config["compress_ratios"][size_t(layer)]);
      addTabledMixture(layer < get("num_hash_layers"));
    }
    prefix.clear();
    addStreams("head", get("hc_mult"), 1);
    add("norm.weight", {hidden});
    add("head.weight", {get("vocab_size"), hidden});
    return std::move(tensors);
  }

  void addStreams(const std::string &part, int64_t rows, int64_t scales) {
    add("hc_" + part + "_fn", {rows, get("hc_mult") * hidden});
    add("hc_" + part + "_base", {rows});
    add("hc_" + part + "_scale", {scales});
  }

  void addSharedKeyAttention(int64_t ratio) {
    int64_t heads = get("num_attention_heads"), width = get("head_dim"), query = get("q_lora_rank");
    int64_t groups = get("o_groups"), latent = groups * get("o_lora_rank");
    add("attn.wq_a.weight", {query, hidden});
    add("attn.q_norm.weight", {query});
    add("attn.wq_b.weight", {heads * width, query});
    add("attn.wkv.weight", {width, hidden});
    add("attn.kv_norm.weight", {width});
    add("attn.attn_sink", {heads});
    add("attn.wo_a.weight", {latent, heads * width / groups});
    add("attn.wo_b.weight", {hidden, latent});
    if (ratio)
      addCompressor("attn.compressor.", ratio, width, ratio == 4);
    if (ratio != 4)
      return;
    int64_t indexHeads = get("index_n_heads"), indexWidth = get("index_head_dim");
    addCompressor("attn.indexer.compressor.", ratio, indexWidth, true);
    add("attn.indexer.wq_b.weight", {indexHeads * indexWidth, query});
    add("attn.indexer.weights_proj.weight", {indexHeads, hidden});
  }

  void addCompressor(const std::string &part, int64_t ratio, int64_t width, bool overlaps) {
    int64_t columns = overlaps ? 2 * width : width;
    add(part + "wkv.weight", {columns, hidden});
    add(part + "wgate.weight", {columns, hidden});
    add(part + "ape", {ratio, columns});
    add(part + "norm.weight", {width});
  }

  void addTabledMixture(bool hasTable) {
    int64_t experts = get("n_routed_experts"), inner = get("moe_intermediate_size");
    add("ffn.gate.weight", {experts, hidden});
    if (hasTable)
      tensors.push_back({prefix + "ffn.gate.tid2eid", {get("vocab_size"), get("num_experts_per_tok")}, /*isTable=*/true});
    else
      add("ffn.gate.bias", {experts});
    for (int64_t expert = 0; expert < experts; ++expert)
      addMlp("ffn.experts." + std::to_string(expert) + ".", inner, gate, up, down);
    addMlp("ffn.shared_experts.", inner, gate, up, down);
  }

  void addGroupedAttention() {
    int64_t heads = get("num_attention_heads"), groups = get("num_key_value_heads"), width = get("head_dim", hidden / heads);
    add("self_attn.q_proj.weight", {heads * width, hidden});
    add("self_attn.k_proj.weight", {groups * width, hidden});
    add("self_attn.v_proj.weight", {groups * width, hidden});
    add("self_attn.o_proj.weight", {hidden, heads * width});
    if (config.value("attention_bias", false)) {
      add("self_attn.q_proj.bias", {heads * width});
      add("self_attn.k_proj.bias", {groups * width});
      add("self_attn.v_proj.bias", {groups * width});
    }
    bool ofHeads = type == "qwen3_moe" || type == "glm4_moe", whole = type == "olmoe" || type == "minimax_m2";
    if (ofHeads || whole) {
      add("self_attn.q_norm.weight", {whole ? heads * width : width});
      add("self_attn.k_norm.weight", {whole ? groups * width : width});
    }
  }

  void addLatentAttention() {
    int64_t heads = get("num_attention_heads"), latent = get("kv_lora_rank"), query = get("q_lora_rank", 0);
    int64_t nope = get("qk_nope_head_dim"), rope = get("qk_rope_head_dim"), value = get("v_head_dim");
    if (query) {
      add("self_attn.q_a_proj.weight", {query, hidden});
      add("self_attn.q_a_layernorm.weight", {query});
      add("self_attn.q_b_proj.weight", {heads * (nope + rope), query});
    } else {
      add("self_attn.q_proj.weight", {heads * (nope + rope), hidden});
    }
    add("self_attn.kv_a_proj_with_mqa.weight", {latent + rope, hidden});
    add("self_attn.kv_a_layernorm.weight", {latent});
    add("self_attn.kv_b_proj.weight", {heads * (nope + value), latent});
    add("self_attn.o_proj.weight", {hidden, heads * value});
  }

  void addMlp(const std::string &part, int64_t inner, const std::string &gateName, const std::string &upName,
              const std::string &downName) {
    add(part + gateName + ".weight", {inner, hidden});
    add(part + upName + ".weight", {inner, hidden});
    add(part + downName + ".weight", {hidden, inner});
  }

  void addMixture() {
    int64_t experts = get("num_experts", get("num_local_experts", get("n_routed_experts", 0)));
    int64_t inner = get("moe_intermediate_size", get("intermediate_size"));
    std::string part = block + ".";
    add(part + "gate.weight", {experts, hidden});
    if (type == "minimax_m2")
      add(part + "e_score_correction_bias", {experts});
    if (type == "deepseek_v3" || type == "kimi_k2" || type == "glm4_moe")
      add(part + "gate.e_score_correction_bias", {experts});
    if (type == "mistral4") {
      add(part + "experts.gate_up_proj", {experts, 2 * inner, hidden});
      add(part + "experts.down_proj", {experts, hidden, inner});
    } else {
      for (int64_t expert = 0; expert < experts; ++expert)
        addMlp(part + "experts." + std::to_string(expert) + ".", inner, gate, up, down);
    }
    if (int64_t shared = get("n_shared_experts", 0))
      addMlp(part + "shared_experts.", inner * shared, "gate_proj", "up_proj", "down_proj");
  }

  const Json &config;
  std::string type;
  int64_t hidden;
  std::string block = "mlp", gate = "gate_proj", up = "up_proj", down = "down_proj", prefix;
  std::vector<ReleasedTensor> tensors;
};
} // namespace

int64_t ReleasedTensor::elements() const { return std::accumulate(shape.begin(), shape.end(), int64_t(1), std::multiplies<>()); }

std::vector<ReleasedTensor> moec::test::releasedTensors(const Json &config) {
  bool isWrapper = config.contains("text_config"), isConsolidated = config.contains("dim");
  std::vector<ReleasedTensor> tensors = Builder(isWrapper        ? config["text_config"]
                                                : isConsolidated ? fromParams(config)
                                                                 : config)
                                            .run();
  for (ReleasedTensor &tensor : tensors)
    tensor.name = isConsolidated ? inConsolidated(tensor.name) : (isWrapper ? "language_model." : "") + tensor.name;
  return tensors;
}
