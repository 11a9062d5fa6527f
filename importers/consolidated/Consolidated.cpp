// The families' own descriptions, read from params.json, and what the consolidated form stores otherwise.
#include "importers/consolidated/Consolidated.h"
#include "importers/consolidated/Params.h"
#include "importers/consolidated/TensorNames.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;
using llvm::StringRef;

const safetensors::Form consolidated::form = {"params.json", "consolidated.safetensors", "consolidated.safetensors.index.json",
                                              consolidated::tensorName};

bool consolidated::isIn(const ModelFolder &folder) {
  const safetensors::Form &other = safetensors::huggingFace;
  bool isOther = folder.has(other.config) && (folder.has(other.file) || folder.has(other.index));
  return folder.has(form.config) && !isOther;
}

using Describe = Decoder (*)(Config &config, mlir::MLIRContext *context);

/// params.json has no word for what it describes: its parts tell.
static Describe familyOf(const consolidated::Params &params) {
  if (params.isLatent)
    return describeMistral4;
  if (params.isMixture)
    return describeMixtral;
  return params.hasYarn ? describeMinistral3 : describeMistral;
}

/// Heads of grouped attention turn their neighbours, not their halves; latent attention does so in either form.
static moe::RotaryAttr interleaved(moe::RotaryAttr rotary) {
  return moe::RotaryAttr::get(rotary.getContext(), rotary.getDims(), rotary.getTheta(), moe::RotaryLayout::Interleaved,
                              rotary.getOffset(), rotary.getMultiplier(), rotary.getInverse(), rotary.getYarn(),
                              rotary.getFrequencies());
}

llvm::Expected<Decoder> consolidated::describe(const json::Object &params, StringRef name, mlir::MLIRContext *context) {
  std::string problem;
  Config file(params, name.str(), problem);
  Params translated = readParams(file);
  Config config(translated.config, name.str(), problem, &translated.names);
  Decoder decoder = familyOf(translated)(config, context);
  if (llvm::Error error = config.finish())
    return error;
  if (auto *grouped = std::get_if<GroupedAttention>(&decoder.attention))
    grouped->rotary = interleaved(grouped->rotary);
  decoder.mixture.storage.fused = false;
  if (translated.sees)
    decoder.otherParts = {"vision_encoder.", "vision_language_adapter.", "patch_merger.", "pre_mm_projector_norm."};
  return decoder;
}
