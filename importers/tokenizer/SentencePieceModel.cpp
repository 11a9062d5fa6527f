// A ModelProto's messages, by the field numbers of sentencepiece_model.proto. Fields that only training looks at are skipped.
#include "importers/tokenizer/SentencePieceModel.h"
#include "importers/Refusal.h"
#include "importers/protobuf/Wire.h"

using namespace moec::importers;
using namespace moec::importers::sentencepiece;
using protobuf::Message;

static constexpr size_t maxPieces = size_t(1) << 22;

static Piece readPiece(Message message) {
  Piece piece;
  while (message.next())
    switch (message.field()) {
    case 1:
      piece.text = message.bytes();
      break;
    case 2:
      piece.score = message.float32();
      break;
    case 3:
      piece.type = message.int32();
      break;
    }
  return piece;
}

static Trainer readTrainer(Message message) {
  Trainer trainer;
  while (message.next())
    switch (message.field()) {
    case 3:
      trainer.modelType = message.int32();
      break;
    case 24:
      trainer.spaceAsSuffix = message.boolean();
      break;
    case 35:
      trainer.byteFallback = message.boolean();
      break;
    case 41:
      trainer.bos = message.int32();
      break;
    }
  return trainer;
}

static Normalizer readNormalizer(Message message) {
  Normalizer normalizer;
  while (message.next())
    switch (message.field()) {
    case 1:
      normalizer.name = message.bytes();
      break;
    case 2:
      normalizer.hasCharacterMap = !message.bytes().empty();
      break;
    case 3:
      normalizer.addsPrefix = message.boolean();
      break;
    case 4:
      normalizer.removesSpaces = message.boolean();
      break;
    case 5:
      normalizer.escapesSpaces = message.boolean();
      break;
    }
  return normalizer;
}

llvm::Expected<Model> moec::importers::sentencepiece::readModel(llvm::StringRef bytes, llvm::StringRef name) {
  std::string problem;
  Message message(bytes, problem);
  Model model;
  while (message.next())
    switch (message.field()) {
    case 1:
      if (model.pieces.size() <= maxPieces)
        model.pieces.push_back(readPiece(message.message()));
      break;
    case 2:
      model.trainer = readTrainer(message.message());
      break;
    case 3:
      model.normalizer = readNormalizer(message.message());
      break;
    case 5:
      model.denormalizer = readNormalizer(message.message());
      break;
    }
  if (!problem.empty())
    return refuse(name + ": expected a model of sentencepiece: " + problem);
  if (model.pieces.empty() || model.pieces.size() > maxPieces)
    return refuse(name + ": expected 1 to " + llvm::Twine(maxPieces) + " pieces, got " + llvm::Twine(model.pieces.size()));
  return model;
}
