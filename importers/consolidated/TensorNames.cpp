// Names are translated part by part.
#include "importers/consolidated/TensorNames.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using llvm::StringRef;

/// A part of a name; nothing when there is no such part. `next` is the part behind it.
static StringRef translate(StringRef part, StringRef next) {
  // A mixture's parts lie in the layer itself, a dense MLP's in a part of their own.
  if (part == "mlp")
    return llvm::is_contained({"gate", "experts", "shared_experts"}, next) ? "" : "feed_forward";
  return llvm::StringSwitch<StringRef>(part)
      .Case("model", "")
      .Case("embed_tokens", "tok_embeddings")
      .Case("lm_head", "output")
      .Case("input_layernorm", "attention_norm")
      .Case("post_attention_layernorm", "ffn_norm")
      .Case("self_attn", "attention")
      .Case("q_proj", "wq")
      .Case("k_proj", "wk")
      .Case("v_proj", "wv")
      .Case("o_proj", "wo")
      .Case("q_a_proj", "wq_a")
      .Case("q_a_layernorm", "q_a_norm")
      .Case("q_b_proj", "wq_b")
      .Case("kv_a_proj_with_mqa", "wkv_a_with_mqa")
      .Case("kv_a_layernorm", "kv_a_norm")
      .Case("kv_b_proj", "wkv_b")
      .Case("gate_proj", "w1")
      .Case("down_proj", "w2")
      .Case("up_proj", "w3")
      .Case("block_sparse_moe", "feed_forward")
      .Default(part);
}

std::string moec::importers::consolidated::tensorName(StringRef name) {
  llvm::SmallVector<StringRef> parts, translated;
  name.split(parts, '.');
  for (size_t i = 0; i < parts.size(); ++i)
    if (StringRef part = translate(parts[i], i + 1 < parts.size() ? parts[i + 1] : ""); !part.empty())
      translated.push_back(part);
  return llvm::join(translated, ".");
}
