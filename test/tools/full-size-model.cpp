// Writes a checkpoint of a released model's shapes, all weights zero: full-size-model NAME LAYERS FOLDER [fp8]
// NAME is a folder of fixtures/released, whose config is kept but for the number of layers; LAYERS may be `all`. With `fp8`
// matrices are stored in FP8 with scales for blocks of 128 x 128, else in bf16. The file of weights is sparse, and takes no room on
// the disk.
#include "test/tools/ReleasedTensors.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace moec::test;
using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {
constexpr int64_t blockSize = 128; ///< of FP8, both ways

/// Whether releases in FP8 have it so: what multiplies all tokens, but for embedding, head and routers.
bool isStoredInBlocks(const ReleasedTensor &tensor) {
  auto has = [&](const char *part) { return tensor.name.find(part) != std::string::npos; };
  return tensor.shape.size() == 2 && !tensor.isTable && !has("embed") && !has("lm_head") && !has(".gate.weight");
}

void writeWeights(const std::vector<ReleasedTensor> &tensors, bool inFP8, const fs::path &path) {
  std::string text = "{"; // an ordered object would look every one of the names up among all before it
  int64_t bytes = 0;
  auto add = [&](const std::string &name, const char *type, const std::vector<int64_t> &shape, int64_t size) {
    Json entry = {{"dtype", type}, {"shape", shape}, {"data_offsets", {bytes, bytes + size}}};
    text += (text.size() > 1 ? "," : "") + Json(name).dump() + ":" + entry.dump();
    bytes += size;
  };
  for (const ReleasedTensor &tensor : tensors) {
    if (!inFP8 || !isStoredInBlocks(tensor)) {
      add(tensor.name, tensor.isTable ? "I32" : "BF16", tensor.shape, tensor.bytes());
      continue;
    }
    std::vector<int64_t> blocks;
    for (int64_t size : tensor.shape)
      blocks.push_back((size + blockSize - 1) / blockSize);
    add(tensor.name, "F8_E4M3", tensor.shape, tensor.elements());
    add(tensor.name + "_scale_inv", "F32", blocks, 4 * blocks[0] * blocks[1]);
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint64_t length = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(&length), sizeof length) << text;
  file.close();
  fs::resize_file(path, sizeof length + length + uint64_t(bytes));
}

void write(const fs::path &released, const std::string &layers, bool inFP8, const fs::path &folder) {
  bool isConsolidated = exists(released / "params.json");
  const char *name = isConsolidated ? "params.json" : "config.json";
  std::ifstream file(released / name);
  Json config = Json::parse(file);
  Json &text = config.contains("text_config") ? config["text_config"] : config;
  if (layers != "all") {
    text[isConsolidated ? "n_layers" : "num_hidden_layers"] = std::strtoll(layers.c_str(), nullptr, 10);
    if (text.contains("attn_type_list"))
      text["attn_type_list"].erase(text["attn_type_list"].begin() + text["num_hidden_layers"].get<int64_t>(),
                                   text["attn_type_list"].end());
  }
  if (inFP8)
    config["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {blockSize, blockSize}}};
  fs::create_directories(folder);
  std::ofstream(folder / name) << config.dump(2) << "\n";
  writeWeights(releasedTensors(config), inFP8, folder / (isConsolidated ? "consolidated.safetensors" : "model.safetensors"));
}
} // namespace

int main(int argc, char **argv) {
  bool inFP8 = argc == 5 && std::string(argv[4]) == "fp8", isComplete = argc == 4 || inFP8;
  fs::path released = fs::path(MOEC_TEST_DATA "/fixtures/released") / (isComplete ? argv[1] : "");
  bool isCount = isComplete && std::strtoll(argv[2], nullptr, 10) > 0;
  if (!isComplete || !(isCount || std::string(argv[2]) == "all") || !is_directory(released)) {
    std::fprintf(stderr, "usage: full-size-model NAME LAYERS|all FOLDER [fp8], for a NAME in test/fixtures/released\n");
    return 2;
  }
  write(released, argv[2], inFP8, argv[3]);
  return 0;
}
