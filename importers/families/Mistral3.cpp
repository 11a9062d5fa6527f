// The wrapper of Mistral's models that also see: the language model in it, without the eye.
#include "importers/config/DecoderKeys.h"
#include "importers/families/Families.h"

using namespace moec;
using namespace moec::importers;

Decoder moec::importers::describeMistral3(Config &config, mlir::MLIRContext *context) {
  readSurroundings(config);
  config.leaveAside({"vision_config", "image_token_index", "image_token_id", "multimodal_projector_bias", "projector_hidden_act",
                     "spatial_merge_size", "vision_feature_layer"});
  const json::Value *text = config.take("text_config");
  const json::Value *type = text ? text->find("model_type") : nullptr;
  for (const Family &family : families()) {
    bool isInside =
        family.describe == describeMistral || family.describe == describeMinistral3 || family.describe == describeMistral4;
    if (!isInside || !type || !type->string() || *type->string() != family.modelType)
      continue;
    Config inner = config.within(*text, "text_config");
    inner.leaveAside({"architectures"});
    Decoder decoder = family.describe(inner, context);
    if (decoder.quantization.place.empty())
      decoder.quantization = readQuantization(config);
    inner.checkConsumed();
    readTextTokens(config, decoder.vocabulary, decoder.bos, decoder.eos); // the wrapper's own come first
    config.requireGiven({"tie_word_embeddings"});
    config.expect("tie_word_embeddings", json::Value(decoder.tied));
    decoder.prefix = "language_model.";
    decoder.otherParts = {"vision_tower.", "multi_modal_projector."};
    return decoder;
  }
  config.require(false, "text_config: expected an object with model_type 'mistral', 'ministral3' or 'mistral4'");
  return {};
}
