// The contents page of the families.
#include "importers/families/Families.h"

llvm::ArrayRef<moec::importers::Family> moec::importers::families() {
  static constexpr Family all[] = {
      {"deepseek_v2", "DeepseekV2ForCausalLM", describeDeepSeekV2},
      {"deepseek_v3", "DeepseekV3ForCausalLM", describeDeepSeekV3},
      {"mixtral", "MixtralForCausalLM", describeMixtral},
      {"qwen3_moe", "Qwen3MoeForCausalLM", describeQwen3MoE},
  };
  return all;
}
