// Keys that many families have in common, read once.
#ifndef MOEC_IMPORTERS_CONFIG_DECODERKEYS_H
#define MOEC_IMPORTERS_CONFIG_DECODERKEYS_H

#include "importers/config/Config.h"
#include "importers/config/Rope.h"
#include "importers/decoder/Decoder.h"

namespace moec::importers {

/// What absent keys mean in a family: transformers 5's defaults.
struct DecoderDefaults {
  int64_t vocabulary, hidden, layers, maxPositions;
  double epsilon = 1e-6;
  std::optional<int64_t> bos = std::nullopt, eos = std::nullopt;
};

/// The keys of every decoder: sizes, norm, activation, tied embeddings, tokens. Leaves aside what no trained model's arithmetic
/// depends on, and refuses what we do not compute.
Decoder readDecoder(Config &config, mlir::MLIRContext *context, llvm::StringRef family, const DecoderDefaults &defaults);

/// Leaves aside the keys that describe training, provenance, what a Python call returns or how text is sampled, and refuses
/// encoders and cross attention.
void readSurroundings(Config &config);

/// Overrides the tokens that begin and end a text by those that are given; ids are below `vocabulary`.
void readTextTokens(Config &config, int64_t vocabulary, std::optional<int64_t> &bos, std::vector<int64_t> &eos);

/// What absent keys of grouped attention mean: as many key/value heads as heads, heads as wide as they divide the hidden size.
struct GroupedDefaults {
  int64_t heads;
  std::optional<int64_t> kvHeads = std::nullopt, headDim = std::nullopt;
};

/// `num_attention_heads`, `num_key_value_heads`, `head_dim`. Heads turn half and half, from their first element on.
GroupedAttention readGroupedAttention(Config &config, mlir::MLIRContext *context, const Decoder &decoder, const Rope &rope,
                                      const GroupedDefaults &defaults);

/// What absent keys of latent attention mean; DeepSeek-V2's and V3's unless a family says otherwise.
struct LatentDefaults {
  int64_t heads, nope = 128, rope = 64, value = 128, latent = 512, queryLatent = 1536;
  /// `head_dim`, where a config gives it, is a query head's whole width, not that of its rotary part.
  bool headDimIsWhole = false;
};

/// The keys of latent attention.
LatentAttention readLatentAttention(Config &config, mlir::MLIRContext *context, const Rope &rope, moe::RotaryLayout layout,
                                    const LatentDefaults &defaults);

/// A list that says of every layer which of `kinds` it is; empty when it is not given.
std::vector<llvm::StringRef> readLayerKinds(Config &config, const Spelling &key, const Decoder &decoder,
                                            llvm::ArrayRef<llvm::StringRef> kinds);

/// Routing to the k best of all experts, without groups or scale; absent epsilon means that nothing is added to the sum.
moe::RoutingAttr ungroupedRouting(mlir::MLIRContext *context, int64_t k, moe::Score score, bool renormalize, double epsilon = 0);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_CONFIG_DECODERKEYS_H
