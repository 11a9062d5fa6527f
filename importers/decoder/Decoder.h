// What a family's config says, in the dialect's words: everything that the builders need to know.
#ifndef MOEC_IMPORTERS_DECODER_DECODER_H
#define MOEC_IMPORTERS_DECODER_DECODER_H

#include "dialects/moe/MoE.h"
#include "importers/quantization/Quantization.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace moec::importers {

/// What q and k pass before they turn: nothing, a norm of every head, or one norm over all heads together. Or, after they turned, a
/// norm of every head without a weight.
enum class QueryKeyNorm { None, Heads, Whole, TurnedHeads };

/// MHA, GQA, MQA: `self_attn.{q,k,v,o}_proj`.
struct GroupedAttention {
  int64_t heads = 1, kvHeads = 1, headDim = 1;
  /// Null: heads do not turn.
  moe::RotaryAttr rotary;
  double scale = 1;
  /// A query sees the last so many positions, or those in its own chunk of so many.
  std::optional<int64_t> window, chunk;
  /// The tensor `sinks` has a logit a head that takes part in the softmax and has no value.
  bool sinks = false;
  /// q, k and v have biases; o has one.
  bool bias = false, outputBias = false;
  /// The norms `{q,k}_norm`.
  QueryKeyNorm norms = QueryKeyNorm::None;
  /// What q is scaled with as positions grow; null without.
  moe::PositionScaleAttr positionScale;
};

/// Chooses the positions to which a token attends: `self_attn.indexer.{wq_b,wk,k_norm,weights_proj}`.
struct Indexer {
  int64_t heads = 1, headDim = 1;
  /// How many it chooses.
  int64_t positions = 1;
  moe::RotaryAttr rotary;
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
  /// Without one, tokens attend to all positions, or to those that the last layer with an indexer chose. Needs a query latent.
  std::optional<Indexer> indexer;
  bool sharesPositions = false;
  /// What q is scaled with as positions grow; null without.
  moe::PositionScaleAttr positionScale;
};

/// Pools blocks of positions into entries: `compressor.{wkv,wgate,ape,norm}`.
struct BlockPooling {
  int64_t block = 1;
  /// An entry also pools the block before its own.
  bool overlaps = false;
  /// The heads with which tokens choose among entries, `indexer.{wq_b,weights_proj}` and pooling of its own; without, they attend
  /// to all.
  std::optional<Indexer> indexer;
};

/// MQA whose one key is the value too, with queries from a latent and a result projected in groups: `attn.{wq_a,q_norm,wq_b,wkv,
/// kv_norm,attn_sink,wo_a,wo_b}`.
struct SharedKeyAttention {
  int64_t heads = 1, headDim = 1, queryLatent = 1;
  /// Groups of heads, and the width to which each is projected.
  int64_t outputGroups = 1, outputWidth = 1;
  moe::RotaryAttr rotary;
  double scale = 1;
  /// A query sees the last so many positions, and entries of blocks.
  int64_t window = 1;
  std::optional<BlockPooling> pooling;
};

using Attention = std::variant<GroupedAttention, LatentAttention, SharedKeyAttention>;

/// A residual stream of several: `hc_{attn,ffn}_{fn,scale,base}` say how a layer's attention and MLP read and write them,
/// `hc_head_{fn,scale,base}` how the head reads them.
struct Streams {
  int64_t count = 1;
  /// Of the normalisation that makes mixing doubly stochastic.
  int64_t iterations = 1;
  double epsilon = 0;
};

/// How the checkpoint stores the projections of experts.
struct ExpertStorage {
  /// In two tensors, `experts.gate_up_proj` and `experts.down_proj`, or in three for each expert.
  bool fused = false;
  /// Of fused ones: an expert's matrices are [in, out]; its gate and up alternate instead of lying one behind the other.
  bool transposed = false, interleaved = false;
};

/// Routed experts, and shared ones beside them.
struct Mixture {
  int64_t experts = 1, expertWidth = 1;
  /// Width of all shared experts together; 0: there are none.
  int64_t sharedWidth = 0;
  moe::RoutingAttr routing;
  /// An expert's weight multiplies its input instead of its result.
  bool weightOnInput = false;
  /// How the checkpoint calls the block, and an expert's gate, up and down projections.
  std::string block = "mlp", gate = "gate_proj", up = "up_proj", down = "down_proj";
  /// How it calls the router and the shared experts.
  std::string router = "gate", shared = "shared_experts";
  ExpertStorage storage;
  /// The router has a bias, which is part of its logits; the experts have `gate_up_proj_bias` and `down_proj_bias`.
  bool routerBias = false, expertBias = false;
  /// How it calls the bias that takes part in choosing experts; empty when there is none.
  std::string selectionBias;
  /// How it calls the table that chooses experts by token id instead, in layers that have one.
  std::string table;
};

/// How the checkpoint calls what is around the layers, and the norms of a layer.
struct TensorNames {
  /// Begins all names but the head's.
  std::string model = "model.";
  std::string embedding = "embed_tokens", head = "lm_head";
  std::string attentionNorm = "input_layernorm", mlpNorm = "post_attention_layernorm";
  /// Begins those of layers that predict further tokens, where these are no further layers of the model. Such ones project the
  /// embedding and the stream each for itself, and end as the model does.
  std::string prediction = {};
};

/// Further layers in the checkpoint that predict tokens beyond the next one, from the embedding of the one before and what the
/// layer before makes. The model works without them.
struct Prediction {
  /// At most so many. They are as the model's last one, with projections, norms and maybe ends of their own.
  int64_t layers = 0;
  /// The config says so, and not the absence of a key.
  bool isDeclared = false;
  /// How many the config declares in a form that no released file shows, so that none may be there.
  int64_t unreleased = 0;
  /// Their attention, where it is another than that of the last layer.
  std::optional<Attention> attention = std::nullopt;
};

/// A decoder: embedding, layers of attention and MLP around a residual stream, norm, head.
struct Decoder {
  std::string family;
  int64_t vocabulary = 1, hidden = 1, maxPositions = 1;
  double epsilon = 1e-6;
  /// The head's weight is the embedding.
  bool tied = false;
  moe::ActivationAttr activation;
  Attention attention;
  /// Where layers attend in different ways: how each does, instead of `attention`.
  std::vector<Attention> attentionOfLayers;
  int64_t denseWidth = 1;
  /// How the checkpoint calls the MLP of layers without a mixture.
  std::string denseBlock = "mlp";
  Mixture mixture;
  /// For each layer, whether its MLP is the mixture.
  std::vector<bool> isMixture;
  /// For each layer, whether a table chooses its experts; empty when none has one.
  std::vector<bool> hasTable;
  /// Without, the residual stream is one.
  std::optional<Streams> streams;
  TensorNames names;
  /// How the names of all tensors begin, where the model is a part of another.
  std::string prefix;
  /// How the names of tensors begin that are of those other parts.
  std::vector<std::string> otherParts;
  Prediction prediction;
  /// The token that begins a text, and those that end one.
  std::optional<int64_t> bos;
  std::vector<int64_t> eos;
  /// What the number formats of quantised weights are.
  Quantization quantization;
};

} // namespace moec::importers

#endif // MOEC_IMPORTERS_DECODER_DECODER_H
