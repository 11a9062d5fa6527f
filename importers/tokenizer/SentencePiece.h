// tokenizer.model, the file of the library sentencepiece.
#ifndef MOEC_IMPORTERS_TOKENIZER_SENTENCEPIECE_H
#define MOEC_IMPORTERS_TOKENIZER_SENTENCEPIECE_H

#include "runtime/schema/Tokenizer_generated.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace moec::importers::tokenizer {

/// What sentencepiece 0.2 makes of a model of the type BPE: the pair whose piece scores highest merges, leftmost first. Control
/// pieces are cut out of the text as tokenizer.json's special tokens are, what lies between is encoded for itself; the id that
/// begins a text is put before it. Messages begin with `name`.
llvm::Expected<artifact::TokenizerT> readSentencePiece(llvm::StringRef model, llvm::StringRef name);

} // namespace moec::importers::tokenizer

#endif // MOEC_IMPORTERS_TOKENIZER_SENTENCEPIECE_H
