// tiktoken.model, a file of ranks, and what other files say of its tokenizer.
#ifndef MOEC_IMPORTERS_TOKENIZER_TIKTOKEN_H
#define MOEC_IMPORTERS_TOKENIZER_TIKTOKEN_H

#include "importers/files/ModelFolder.h"
#include "runtime/schema/Tokenizer_generated.h"

namespace moec::importers::tokenizer {

/// What the Python class TikTokenTokenizer makes of the folder's tiktoken.model and tokenizer_config.json: a pattern cuts the text,
/// and bytes merge into the token of the lowest rank. Behind the tokens of the file come special ones, some named by the config and
/// the others after their ids; all are cut out of the text. The pattern, and how many special tokens there are, is what the class's
/// own file says, if it is there.
llvm::Expected<artifact::TokenizerT> readTiktoken(const ModelFolder &folder);

} // namespace moec::importers::tokenizer

#endif // MOEC_IMPORTERS_TOKENIZER_TIKTOKEN_H
