// What a file of the library sentencepiece holds, as far as it says how text is encoded.
#ifndef MOEC_IMPORTERS_TOKENIZER_SENTENCEPIECEMODEL_H
#define MOEC_IMPORTERS_TOKENIZER_SENTENCEPIECEMODEL_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <vector>

namespace moec::importers::sentencepiece {

enum PieceType { normal = 1, unknown, control, userDefined, unused, byte };

struct Piece {
  llvm::StringRef text;
  float score = 0;
  int32_t type = normal;
};

enum ModelType { unigram = 1, bpe, word, character };

struct Trainer {
  int32_t modelType = unigram;
  bool spaceAsSuffix = false, byteFallback = false;
  /// Of the piece that begins a text; -1 for none.
  int32_t bos = 1;
};

struct Normalizer {
  llvm::StringRef name;
  bool hasCharacterMap = false, addsPrefix = true, removesSpaces = true, escapesSpaces = true;
};

/// Refers to the bytes that it was read from.
struct Model {
  std::vector<Piece> pieces;
  Trainer trainer;
  Normalizer normalizer, denormalizer;
};

/// Reads a ModelProto. Messages begin with `name`.
llvm::Expected<Model> readModel(llvm::StringRef bytes, llvm::StringRef name);

} // namespace moec::importers::sentencepiece

#endif // MOEC_IMPORTERS_TOKENIZER_SENTENCEPIECEMODEL_H
