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
/// depends on, and refuses what we do not compute (quantisation, cross attention).
Decoder readDecoder(Config &config, mlir::MLIRContext *context, llvm::StringRef family, const DecoderDefaults &defaults);

/// Overrides the tokens that begin and end a text by those of a `generation_config.json`.
void readGenerationTokens(Config &config, Decoder &decoder);

/// `num_attention_heads`, `num_key_value_heads`, `head_dim`.
GroupedAttention readGroupedAttention(Config &config, mlir::MLIRContext *context, const Decoder &decoder, const Rope &rope,
                                      int64_t defaultHeads, int64_t defaultKvHeads);

/// The keys of latent attention; transformers' defaults are those of DeepSeek-V2 and V3 alike.
LatentAttention readLatentAttention(Config &config, mlir::MLIRContext *context, const Rope &rope, moe::RotaryLayout layout,
                                    int64_t defaultHeads);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_CONFIG_DECODERKEYS_H
