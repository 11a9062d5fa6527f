// Writes a checkpoint of a released model's shapes, with fewer layers and all weights zero: full-size-model SHAPE LAYERS FOLDER
// Its file of weights is sparse, and takes no room on the disk.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

using Json = nlohmann::ordered_json;

namespace {
/// The tensors of a checkpoint, one behind the other.
class Weights {
public:
  void add(const std::string &name, std::vector<int64_t> shape) {
    int64_t begin = bytes;
    int64_t size = 2; // of bf16
    for (int64_t dim : shape)
      size *= dim;
    bytes += size;
    header[name] = {{"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {begin, bytes}}};
  }
  void addMlp(const std::string &prefix, int64_t hidden, int64_t inner) {
    for (const char *name : {"gate_proj", "up_proj"})
      add(prefix + name + ".weight", {inner, hidden});
    add(prefix + "down_proj.weight", {hidden, inner});
  }

  void write(const std::filesystem::path &path) const {
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    uint64_t length = text.size();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char *>(&length), sizeof length) << text;
    file.close();
    std::filesystem::resize_file(path, sizeof length + length + uint64_t(bytes));
  }

private:
  Json header = Json::object();
  int64_t bytes = 0;
};

/// What a family adds to a layer, beside the norms.
using Layer = void (*)(Weights &, const Json &config, const std::string &prefix, int64_t layer);

int64_t get(const Json &config, const char *key) { return config[key].get<int64_t>(); }

void deepseekV2Layer(Weights &weights, const Json &config, const std::string &prefix, int64_t layer) {
  int64_t hidden = get(config, "hidden_size"), heads = get(config, "num_attention_heads"), latent = get(config, "kv_lora_rank");
  int64_t rope = get(config, "qk_rope_head_dim"), nope = get(config, "qk_nope_head_dim"), value = get(config, "v_head_dim");
  weights.add(prefix + "self_attn.q_proj.weight", {heads * (nope + rope), hidden});
  weights.add(prefix + "self_attn.kv_a_proj_with_mqa.weight", {latent + rope, hidden});
  weights.add(prefix + "self_attn.kv_a_layernorm.weight", {latent});
  weights.add(prefix + "self_attn.kv_b_proj.weight", {heads * (nope + value), latent});
  weights.add(prefix + "self_attn.o_proj.weight", {hidden, heads * value});
  if (layer < get(config, "first_k_dense_replace"))
    return weights.addMlp(prefix + "mlp.", hidden, get(config, "intermediate_size"));
  int64_t inner = get(config, "moe_intermediate_size");
  weights.add(prefix + "mlp.gate.weight", {get(config, "n_routed_experts"), hidden});
  for (int64_t expert = 0; expert < get(config, "n_routed_experts"); ++expert)
    weights.addMlp(prefix + "mlp.experts." + std::to_string(expert) + ".", hidden, inner);
  weights.addMlp(prefix + "mlp.shared_experts.", hidden, inner * get(config, "n_shared_experts"));
}

void qwen3MoeLayer(Weights &weights, const Json &config, const std::string &prefix, int64_t) {
  int64_t hidden = get(config, "hidden_size"), width = get(config, "head_dim");
  int64_t heads = get(config, "num_attention_heads"), groups = get(config, "num_key_value_heads");
  weights.add(prefix + "self_attn.q_proj.weight", {heads * width, hidden});
  weights.add(prefix + "self_attn.k_proj.weight", {groups * width, hidden});
  weights.add(prefix + "self_attn.v_proj.weight", {groups * width, hidden});
  weights.add(prefix + "self_attn.o_proj.weight", {hidden, heads * width});
  weights.add(prefix + "self_attn.q_norm.weight", {width});
  weights.add(prefix + "self_attn.k_norm.weight", {width});
  weights.add(prefix + "mlp.gate.weight", {get(config, "num_experts"), hidden});
  for (int64_t expert = 0; expert < get(config, "num_experts"); ++expert)
    weights.addMlp(prefix + "mlp.experts." + std::to_string(expert) + ".", hidden, get(config, "moe_intermediate_size"));
}

/// A shape: the config of a tiny checkpoint of the same family, with these sizes instead.
struct Shape {
  const char *name;
  const char *like;
  Json sizes;
  Layer layer;
};

const Shape shapes[] = {
    {"deepseek_v2_lite",
     "deepseek_v2_lite/a",
     {{"hidden_size", 2048},
      {"intermediate_size", 10944},
      {"kv_lora_rank", 512},
      {"moe_intermediate_size", 1408},
      {"n_routed_experts", 64},
      {"num_attention_heads", 16},
      {"num_experts_per_tok", 6},
      {"num_key_value_heads", 16},
      {"qk_nope_head_dim", 128},
      {"qk_rope_head_dim", 64},
      {"v_head_dim", 128},
      {"vocab_size", 102400}},
     deepseekV2Layer},
    {"qwen3_30b_a3b",
     "qwen3_moe/a",
     {{"head_dim", 128},
      {"hidden_size", 2048},
      {"intermediate_size", 6144},
      {"moe_intermediate_size", 768},
      {"num_attention_heads", 32},
      {"num_experts", 128},
      {"num_experts_per_tok", 8},
      {"num_key_value_heads", 4},
      {"vocab_size", 151936}},
     qwen3MoeLayer},
};

void write(const Shape &shape, int64_t layers, const std::filesystem::path &folder) {
  std::ifstream like(MOEC_TEST_DATA "/fixtures/checkpoints/" + std::string(shape.like) + "/config.json");
  Json config = Json::parse(like);
  config.update(shape.sizes);
  config["num_hidden_layers"] = layers;
  int64_t hidden = get(config, "hidden_size");
  Weights weights;
  weights.add("model.embed_tokens.weight", {get(config, "vocab_size"), hidden});
  for (int64_t layer = 0; layer < layers; ++layer) {
    std::string prefix = "model.layers." + std::to_string(layer) + ".";
    weights.add(prefix + "input_layernorm.weight", {hidden});
    weights.add(prefix + "post_attention_layernorm.weight", {hidden});
    shape.layer(weights, config, prefix, layer);
  }
  weights.add("model.norm.weight", {hidden});
  weights.add("lm_head.weight", {get(config, "vocab_size"), hidden});
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << config.dump(2) << "\n";
  weights.write(folder / "model.safetensors");
}
} // namespace

int main(int argc, char **argv) {
  int64_t layers = argc == 4 ? std::strtoll(argv[2], nullptr, 10) : 0;
  for (const Shape &shape : shapes)
    if (layers > 0 && shape.name == std::string(argv[1])) {
      write(shape, layers, argv[3]);
      return 0;
    }
  std::fprintf(stderr, "usage: full-size-model deepseek_v2_lite|qwen3_30b_a3b LAYERS FOLDER\n");
  return 2;
}
