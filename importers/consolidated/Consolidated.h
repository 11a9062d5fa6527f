// Mistral's own form of a checkpoint: params.json, consolidated.safetensors, names and rotary layout of its own.
#ifndef MOEC_IMPORTERS_CONSOLIDATED_CONSOLIDATED_H
#define MOEC_IMPORTERS_CONSOLIDATED_CONSOLIDATED_H

#include "importers/decoder/Decoder.h"
#include "importers/safetensors/Checkpoint.h"

namespace moec::importers::consolidated {

/// Its files and tensors.
extern const safetensors::Form form;

/// Whether the folder is to be read in this form: it has a params.json, and no complete checkpoint in the Hugging Face form.
bool isIn(const ModelFolder &folder);

/// The decoder that a params.json describes, which messages call `name`: as the family's config.json would have it, but for what
/// this form stores otherwise.
llvm::Expected<Decoder> describe(const json::Object &params, llvm::StringRef name, mlir::MLIRContext *context);

} // namespace moec::importers::consolidated

#endif // MOEC_IMPORTERS_CONSOLIDATED_CONSOLIDATED_H
