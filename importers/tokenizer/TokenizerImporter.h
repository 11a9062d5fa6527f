// Tokenizers and chat templates, as what an artifact carries.
#ifndef MOEC_IMPORTERS_TOKENIZER_TOKENIZERIMPORTER_H
#define MOEC_IMPORTERS_TOKENIZER_TOKENIZERIMPORTER_H

#include "importers/files/ModelFolder.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/Twine.h"

#include <optional>
#include <string>

namespace moec::importers {

/// Hears of what is left out.
using Warn = llvm::function_ref<void(const llvm::Twine &)>;

/// The bytes of a Tokenizer (runtime/schema/Tokenizer.fbs) for the first of the folder's tokenizer.json, tekken.json,
/// tiktoken.model and tokenizer.model, or nothing when there is none. BPE over bytes or characters; whatever in the file changes
/// results and is not known here is refused by name. A folder `onnx` that has none has that of the folder around it.
llvm::Expected<std::optional<std::string>> importTokenizer(const ModelFolder &folder);

/// The text of chat_template.jinja, or of tokenizer_config.json's `chat_template`; nothing when there is neither, nor
/// around a folder `onnx`. Only talks need one: named templates without a default one are none, which `warn` hears of.
llvm::Expected<std::optional<std::string>> importChatTemplate(const ModelFolder &folder, Warn warn);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_TOKENIZER_TOKENIZERIMPORTER_H
