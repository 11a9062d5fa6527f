// Writes a checkpoint of a released model's shapes, all weights zero: full-size-model NAME LAYERS FOLDER
// NAME is a folder of fixtures/released, whose config is kept but for the number of layers; LAYERS may be `all`. The file of
// weights is sparse, and takes no room on the disk.
#include "test/tools/ReleasedTensors.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace moec::test;
using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {
void writeWeights(const std::vector<ReleasedTensor> &tensors, const fs::path &path) {
  std::string text = "{"; // an ordered object would look every one of the names up among all before it
  int64_t bytes = 0;
  for (const ReleasedTensor &tensor : tensors) {
    int64_t begin = bytes;
    bytes += tensor.bytes();
    Json entry = {{"dtype", tensor.isTable ? "I32" : "BF16"}, {"shape", tensor.shape}, {"data_offsets", {begin, bytes}}};
    text += (text.size() > 1 ? "," : "") + Json(tensor.name).dump() + ":" + entry.dump();
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint64_t length = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(&length), sizeof length) << text;
  file.close();
  fs::resize_file(path, sizeof length + length + uint64_t(bytes));
}

void write(const fs::path &released, const std::string &layers, const fs::path &folder) {
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
  fs::create_directories(folder);
  std::ofstream(folder / name) << config.dump(2) << "\n";
  writeWeights(releasedTensors(config), folder / (isConsolidated ? "consolidated.safetensors" : "model.safetensors"));
}
} // namespace

int main(int argc, char **argv) {
  fs::path released = fs::path(MOEC_TEST_DATA "/fixtures/released") / (argc == 4 ? argv[1] : "");
  bool isCount = argc == 4 && std::strtoll(argv[2], nullptr, 10) > 0;
  if (argc != 4 || !(isCount || std::string(argv[2]) == "all") || !is_directory(released)) {
    std::fprintf(stderr, "usage: full-size-model NAME LAYERS|all FOLDER, for a NAME in test/fixtures/released\n");
    return 2;
  }
  write(released, argv[2], argv[3]);
  return 0;
}
