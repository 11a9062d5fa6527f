// tekken.json, the file of Mistral's tokenizers over bytes.
#ifndef MOEC_IMPORTERS_TOKENIZER_TEKKEN_H
#define MOEC_IMPORTERS_TOKENIZER_TEKKEN_H

#include "importers/tokenizer/Node.h"
#include "runtime/schema/Tokenizer_generated.h"

namespace moec::importers::tokenizer {

/// What mistral-common 1.13 makes of the file, which tiktoken encodes with: a pattern cuts the text, and bytes merge into the token
/// of the lowest rank. Special tokens come first, and are cut out of the text as tokenizer.json's are.
artifact::TokenizerT readTekken(const Node &root);

} // namespace moec::importers::tokenizer

#endif // MOEC_IMPORTERS_TOKENIZER_TEKKEN_H
