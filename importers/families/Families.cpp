// The contents page of the families.
#include "importers/families/Families.h"

llvm::ArrayRef<moec::importers::Family> moec::importers::families() {
  static constexpr Family all[] = {
      {"deepseek", "DeepseekForCausalLM", describeDeepSeekMoE},
      {"deepseek_v2", "DeepseekV2ForCausalLM", describeDeepSeekV2},
      {"deepseek_v3", "DeepseekV3ForCausalLM", describeDeepSeekV3},
      {"deepseek_v32", "DeepseekV32ForCausalLM", describeDeepSeekV32},
      {"deepseek_v4", "DeepseekV4ForCausalLM", describeDeepSeekV4},
      {"glm4_moe", "Glm4MoeForCausalLM", describeGLM4MoE},
      {"glm_moe_dsa", "GlmMoeDsaForCausalLM", describeGLM5},
      {"gpt_oss", "GptOssForCausalLM", describeGptOss},
      {"kimi_k2", "DeepseekV3ForCausalLM", describeKimiK2},
      {"llama4", "Llama4ForConditionalGeneration", describeLlama4Wrapper},
      {"llama4_text", "Llama4ForCausalLM", describeLlama4},
      {"minimax_m2", "MiniMaxM2ForCausalLM", describeMiniMaxM2},
      {"ministral3", "Ministral3ForCausalLM", describeMinistral3},
      {"mistral", "MistralForCausalLM", describeMistral},
      {"mistral3", "Mistral3ForConditionalGeneration", describeMistral3},
      {"mistral4", "Mistral4ForCausalLM", describeMistral4},
      {"mixtral", "MixtralForCausalLM", describeMixtral},
      {"olmoe", "OlmoeForCausalLM", describeOLMoE},
      {"qwen3_moe", "Qwen3MoeForCausalLM", describeQwen3MoE},
  };
  return all;
}
