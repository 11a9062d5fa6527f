// GLM-5: DeepSeek-V3.2's attention, whose choice of positions some layers share, and DeepSeek-V3's routing without groups.
#include "importers/config/DecoderKeys.h"
#include "importers/families/DeepSeek.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

/// For each layer, whether it has an indexer: a list, a word with a letter a layer, or every so many layers after the first few.
static std::vector<bool> readIndexing(Config &config, const Decoder &decoder) {
  size_t layers = decoder.isMixture.size();
  int64_t every = config.count("index_topk_freq", most::layers, 1),
          first = config.count("index_skip_topk_offset", most::layers, 2, 0);
  std::vector<llvm::StringRef> kinds = readLayerKinds(config, "indexer_types", decoder, {"full", "shared"});
  const json::Value *pattern = config.take("index_topk_pattern");
  std::string word = pattern && pattern->string() ? *pattern->string() : "";
  bool isWord = word.size() == layers && llvm::StringRef(word).find_first_not_of("FS") == llvm::StringRef::npos;
  config.require(!pattern || pattern->isNull() || isWord, "index_topk_pattern: expected F or S for each of " + llvm::Twine(layers) +
                                                              " layers, got '" + llvm::StringRef(word).take_front(80) + "'");
  std::vector<bool> indexing(layers);
  for (size_t layer = 0; layer < layers; ++layer)
    indexing[layer] = !kinds.empty() ? kinds[layer] == "full"
                      : isWord       ? word[layer] == 'F'
                                     : std::max<int64_t>(int64_t(layer) - first + 1, 0) % every == 0;
  config.require(indexing[0], "indexer_types: expected the first layer to choose positions for itself");
  return indexing;
}

Decoder moec::importers::describeGLM5(Config &config, mlir::MLIRContext *context) {
  Decoder decoder = readDecoder(
      config, context, "glm_moe_dsa",
      {.vocabulary = 154880, .hidden = 6144, .layers = 78, .maxPositions = 202752, .epsilon = 1e-5, .bos = 0, .eos = 1});
  Rope rope = readRope(config, context, {.theta = 1e4}, decoder.maxPositions);
  LatentAttention attention = readLatentAttention(config, context, rope, moe::RotaryLayout::Interleaved,
                                                  {.heads = 64, .nope = 192, .value = 256, .queryLatent = 2048});
  config.expect("rope_interleave", json::Value(true));
  config.expect("indexer_rope_interleave", json::Value(true));
  Indexer indexer = readIndexer(config, context, rope, attention, moe::RotaryLayout::Interleaved, /*heads=*/32);
  attention.indexer = indexer;
  decoder.prediction.attention = attention;
  for (bool indexes : readIndexing(config, decoder)) {
    attention.indexer = indexes ? std::optional(indexer) : std::nullopt;
    attention.sharesPositions = !indexes;
    decoder.attentionOfLayers.push_back(attention);
  }
  readLayerKinds(config, "layer_types", decoder, {"deepseek_sparse_attention", "indexed_attention"});
  readDeepSeekLayers(config, decoder, {.experts = 256, .shared = 1, .expertWidth = 2048, .denseWidth = 12288, .denseLayers = 3});
  readMixtureLayers(config, decoder);
  config.expect("mlp_bias", json::Value(false));
  config.choice("moe_router_dtype", {"float32"});
  // How those that serve a model draft with its prediction layers.
  config.leaveAside({"index_share_for_mtp_iteration"});
  decoder.mixture.selectionBias = "gate.e_score_correction_bias";
  decoder.mixture.routing = readBiasedRouting(config, context, decoder.mixture, {.scale = 2.5, .groups = 1, .kept = 1});
  readPredictionLayers(config, decoder);
  return decoder;
}
