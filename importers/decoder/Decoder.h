// What a family's config says, in the dialect's words: everything that the builders need to know.
#ifndef MOEC_IMPORTERS_DECODER_DECODER_H
#define MOEC_IMPORTERS_DECODER_DECODER_H

#include "dialects/moe/MoE.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace moec::importers {

/// What q and k pass before they turn: nothing, a norm of every head, or one norm over all heads together.
enum class QueryKeyNorm { None, Heads, Whole };

/// MHA, GQA, MQA: `self_attn.{q,k,v,o}_proj`.
struct GroupedAttention {
  int64_t heads = 1, kvHeads = 1, headDim = 1;
  moe::RotaryAttr rotary;
  double scale = 1;
  std::optional<int64_t> window;
  /// q, k and v have biases; o has one.
  bool bias = false, outputBias = false;
  /// The norms `{q,k}_norm`.
  QueryKeyNorm norms = QueryKeyNorm::None;
  /// What q is scaled with as positions grow; null without.
  moe::PositionScaleAttr positionScale;
};

/// MLA: `self_attn.{q_a_proj,q_b_proj,kv_a_proj_with_mqa,kv_b_proj,o_proj}`; `q_proj` instead where the query has no latent.
struct LatentAttention {
  int64_t heads = 1;
  /// Widths: of a query head's part without and with position, of a value head, of the latents.
  int64_t nope = 1, rope = 1, value = 1, latent = 1;
  std::optional<int64_t> queryLatent;
  /// Of a query head, and of the key that all heads share.
  moe::RotaryAttr queryRotary, keyRotary;
  double scale = 1;
  /// The projections out of and into the residual stream have biases, but for q_proj.
  bool bias = false;
  /// What q is scaled with as positions grow; null without.
  moe::PositionScaleAttr positionScale;
};

/// Routed experts, and shared ones beside them.
struct Mixture {
  int64_t experts = 1, expertWidth = 1;
  /// Width of all shared experts together; 0: there are none.
  int64_t sharedWidth = 0;
  moe::RoutingAttr routing;
  /// How the checkpoint calls the block, and an expert's gate, up and down projections.
  std::string block = "mlp", gate = "gate_proj", up = "up_proj", down = "down_proj";
  /// All experts lie in two tensors: `experts.gate_up_proj`, an expert's gate rows before its up rows, and `experts.down_proj`.
  bool fused = false;
  /// How it calls the bias that takes part in choosing experts; empty when there is none.
  std::string selectionBias;
};

/// A decoder: embedding, layers of attention and MLP around a residual stream, norm, head.
struct Decoder {
  std::string family;
  int64_t vocabulary = 1, hidden = 1, maxPositions = 1;
  double epsilon = 1e-6;
  /// The head's weight is the embedding.
  bool tied = false;
  moe::ActivationAttr activation;
  std::variant<GroupedAttention, LatentAttention> attention;
  int64_t denseWidth = 1;
  Mixture mixture;
  /// For each layer, whether its MLP is the mixture.
  std::vector<bool> isMixture;
  /// How the names of all tensors begin, where the model is a part of another.
  std::string prefix;
  /// How the names of tensors begin that are of those other parts.
  std::vector<std::string> otherParts;
  /// So many further layers are in the checkpoint that predict tokens beyond the next one. The model works without them.
  int64_t predictionLayers = 0;
  /// The token that begins a text, and those that end one.
  std::optional<int64_t> bos;
  std::vector<int64_t> eos;
};

} // namespace moec::importers

#endif // MOEC_IMPORTERS_DECODER_DECODER_H
