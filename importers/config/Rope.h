// Rotary embeddings as configs spell them.
#ifndef MOEC_IMPORTERS_CONFIG_ROPE_H
#define MOEC_IMPORTERS_CONFIG_ROPE_H

#include "dialects/moe/MoE.h"
#include "importers/config/Config.h"

namespace moec::importers {

/// Llama 3.1's: frequencies that turn less than `low` times in the original positions are divided by `factor`, those that turn more
/// than `high` times are kept; between them the share that is kept grows with the turns.
struct RampOfTurns {
  double factor, low, high, originalPositions;
};

/// What a config says about rotary embeddings, whichever way it says it.
struct Rope {
  double theta = 1e4;
  /// Null without YaRN.
  moe::YarnAttr yarn;
  std::optional<RampOfTurns> ramp;
  /// What every frequency is divided by.
  double divisor = 1;
  /// What cos and sin are multiplied with.
  double multiplier = 1;
  /// What families with latent attention multiply their softmax scale with: mscale(factor, mscale_all_dim)^2.
  double latentScale = 1;
  /// The share of a head's elements that turn, where the config gives one.
  std::optional<double> partial;
  /// What queries are scaled with as positions grow; null without.
  moe::PositionScaleAttr positionScale;

  /// Of `dims` elements from `offset` on in every head.
  moe::RotaryAttr attr(mlir::MLIRContext *context, int64_t dims, moe::RotaryLayout layout, int64_t offset = 0) const;
};

/// What a family's config may say of rotary embeddings, and what an absent theta means.
struct RopeKeys {
  double theta = 1e4;
  /// `partial_rotary_factor` may be other than 1.
  bool partial = false;
  /// `llama_4_scaling_beta` says how queries are scaled as positions grow, and must be there.
  bool positionScale = false;
  /// YaRN multiplies cos and sin where `attention_factor` does not say by how much.
  bool yarnScales = true;
};

/// Reads the flat spelling (`rope_theta`, `rope_scaling` with `type` or `rope_type`) and the nested one of transformers 5
/// (`rope_parameters`). Both may be given where they agree. Supports the plain embedding, one whose positions are divided, YaRN,
/// and Llama 3's.
Rope readRope(Config &config, mlir::MLIRContext *context, const RopeKeys &allowed, int64_t maxPositions);

/// Reads all keys of one such object but `rope_theta`, which `rope` has already.
Rope readRopeObject(Config &keys, mlir::MLIRContext *context, const RopeKeys &allowed, int64_t maxPositions, Rope rope);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_CONFIG_ROPE_H
