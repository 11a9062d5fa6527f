// A sentencepiece model as a tokenizer: spaces by normalizers, pieces as tokens, scores as ranks of merges or as they are.
#include "importers/tokenizer/SentencePiece.h"
#include "importers/Refusal.h"
#include "importers/tokenizer/RankedTokens.h"
#include "importers/tokenizer/ScoredTokens.h"
#include "importers/tokenizer/SentencePieceModel.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/ConvertUTF.h"

#include <cmath>
#include <limits>

using namespace llvm;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::tokenizer;
using namespace moec::importers::sentencepiece;

namespace {
/// What stands for a space within pieces.
constexpr StringLiteral space = "\u2581";

/// Turns a model into a tokenizer. The first thing that it cannot say exactly is remembered.
class Conversion {
public:
  explicit Conversion(const Model &model) : model(model) {}

  artifact::TokenizerT run() {
    checkKind();
    addSpaces();
    for (int32_t id = 0; id < int32_t(model.pieces.size()) && problem.empty(); ++id)
      addPiece(id, model.pieces[size_t(id)]);
    if (problem.empty())
      checkPieces();
    if (problem.empty())
      isUnigram() ? addScores() : addMerges();
    addDecoder();
    if (int32_t bos = model.trainer.bos; bos >= 0 && problem.empty()) {
      if (size_t(bos) < model.pieces.size() && model.pieces[size_t(bos)].type == control)
        into.prefix_ids = {bos};
      else
        refuse("trainer_spec: bos_id: expected a control piece or -1, got " + Twine(bos));
    }
    return std::move(into);
  }

  std::string problem;

private:
  void refuse(const Twine &why) {
    if (problem.empty())
      problem = why.str();
  }
  void require(bool holds, const Twine &otherwise) {
    if (!holds)
      refuse(otherwise);
  }

  bool isUnigram() const { return model.trainer.modelType == unigram; }

  void checkKind() {
    static constexpr StringRef kinds[] = {"UNIGRAM", "BPE", "WORD", "CHAR"};
    int32_t kind = model.trainer.modelType;
    bool isKnown = kind >= unigram && kind <= character;
    require(kind == bpe || kind == unigram,
            "trainer_spec: model_type: expected BPE or UNIGRAM, got " + (isKnown ? kinds[kind - 1].str() : std::to_string(kind)) +
                ", which is not supported; move the file away for a model that takes and gives token ids alone");
    require(!model.trainer.spaceAsSuffix, "trainer_spec: treat_whitespace_as_suffix is not supported");
    require(!model.normalizer.hasCharacterMap,
            "normalizer_spec: expected 'identity', got '" + model.normalizer.name + "': maps of characters are not supported");
    require(model.normalizer.escapesSpaces, "normalizer_spec: escape_whitespaces: expected true, got false");
    require(!model.denormalizer.hasCharacterMap, "denormalizer_spec: maps of characters are not supported");
  }

  /// Spaces at the ends and repeated ones go, a space comes before the text, all of them are spelt out.
  void addSpaces() {
    const Normalizer &normalizer = model.normalizer;
    if (normalizer.removesSpaces)
      addReplacement(R"(\A +| +(?= |\z))", "");
    if (normalizer.addsPrefix)
      addStep(artifact::NormalizerKind::prepend).content = space.str();
    addReplacement(" ", space);
    if (normalizer.removesSpaces)
      addReplacement((space + "+\\z").str(), "");
  }
  artifact::NormalizerT &addStep(artifact::NormalizerKind kind) {
    into.normalizers.push_back(std::make_unique<artifact::NormalizerT>());
    into.normalizers.back()->kind = kind;
    return *into.normalizers.back();
  }
  void addReplacement(StringRef pattern, StringRef content) {
    artifact::NormalizerT &step = addStep(artifact::NormalizerKind::replace);
    step.pattern = pattern.str();
    step.content = content.str();
  }

  void addPiece(int32_t id, const Piece &piece) {
    std::string name = "pieces[" + std::to_string(id) + "]";
    if (piece.text.empty() || piece.text.size() > maxRankedBytes)
      return refuse(name + ": expected 1 to " + Twine(maxRankedBytes) + " bytes, got " + Twine(piece.text.size()));
    if (!isLegalUTF8String(piece.text))
      return refuse(name + ": expected UTF-8");
    name += " '" + piece.text.str() + "'";
    bool matches = piece.type == normal || piece.type == userDefined; // those are told apart from what text cannot become
    if (!(matches ? textual : reserved).insert(piece.text).second)
      return refuse(name + ": is there twice");
    into.tokens.push_back(piece.text.str());
    switch (piece.type) {
    case normal:
      require(std::isfinite(piece.score), name + ": expected a finite score");
      into.vocabulary.push_back(id);
      break;
    case unknown:
      require(into.unknown_token < 0, name + ": is a second unknown piece");
      into.unknown_token = id;
      into.fuse_unknown = true;
      addToken(id, piece);
      break;
    case control:
    case userDefined:
      require(!piece.text.contains(' '), name + ": a space in such a piece is not supported");
      if (piece.type == control || !isUnigram())
        addToken(id, piece);
      else
        into.vocabulary.push_back(id);
      break;
    case byte:
      addByte(id, piece.text, name);
      break;
    case unused:
      return refuse(name + ": unused pieces are not supported");
    default:
      return refuse(name + ": type " + Twine(piece.type) + " is not known");
    }
  }

  static bool isLegalUTF8String(StringRef text) {
    const auto *at = reinterpret_cast<const UTF8 *>(text.begin());
    return llvm::isLegalUTF8String(&at, reinterpret_cast<const UTF8 *>(text.end()));
  }

  void addToken(int32_t id, const Piece &piece) {
    auto token = std::make_unique<artifact::AddedTokenT>();
    token->id = id;
    token->content = piece.text.str();
    token->special = piece.type != userDefined;
    token->inside = piece.type == userDefined;
    into.added_tokens.push_back(std::move(token));
  }

  void addByte(int32_t id, StringRef text, const Twine &name) {
    unsigned value;
    if (!text.consume_front("<0x") || !text.consume_back(">") || text.size() != 2 || text.getAsInteger(16, value) ||
        text != StringRef(text).upper())
      return refuse(name + ": expected the name of a byte, <0x00> to <0xFF>");
    into.fallback_tokens.resize(256, -1);
    into.fallback_tokens[value] = id;
  }

  void checkPieces() {
    if (into.unknown_token < 0)
      return refuse("pieces: expected an unknown one among " + Twine(model.pieces.size()));
    if (model.trainer.byteFallback != !into.fallback_tokens.empty() || is_contained(into.fallback_tokens, -1))
      return refuse("trainer_spec: byte_fallback: expected pieces for all bytes with it, none without");
    // Merging begins with the pieces of single characters; the library's own trainer makes one of each.
    for (const Piece &piece : isUnigram() ? ArrayRef<Piece>() : ArrayRef(model.pieces))
      for (StringRef rest = piece.text; piece.type == normal && !rest.empty();) {
        StringRef character = rest.take_front(getNumBytesForUTF8(uint8_t(rest.front())));
        if (!textual.contains(character))
          return refuse("pieces: '" + piece.text + "': expected its character '" + character + "' to be a piece");
        rest = rest.drop_front(character.size());
      }
  }

  void addMerges() {
    std::vector<RankedToken> ranked;
    for (int32_t id : into.vocabulary)
      ranked.push_back({id, 0});
    auto score = [&](const RankedToken &token) { return model.pieces[size_t(token.id)].score; };
    sort(ranked, [&](const RankedToken &a, const RankedToken &b) { return std::pair(score(b), a.id) < std::pair(score(a), b.id); });
    for (size_t i = 1; i < ranked.size(); ++i)
      ranked[i].rank = ranked[i - 1].rank + (score(ranked[i]) != score(ranked[i - 1]));
    tokenizer::addMerges(ranked, into);
  }

  /// As the library scores them: what a user defined by its length, so that one piece is likelier than two that spell it.
  void addScores() {
    float least = std::numeric_limits<float>::max();
    for (const Piece &piece : model.pieces)
      if (piece.type == normal)
        least = std::min(least, piece.score);
    std::vector<artifact::ScoredToken> tokens;
    for (int32_t id : std::exchange(into.vocabulary, {})) {
      const Piece &piece = model.pieces[size_t(id)];
      tokens.emplace_back(id, piece.type == normal ? piece.score : float(0.1 * double(piece.text.size() - 1)));
    }
    if (least == std::numeric_limits<float>::max())
      return refuse("pieces: expected one that is normal");
    into.unknown_score = least - float(unknownPenalty);
    into.single_precision = true;
    setScores(std::move(tokens), into);
  }

  void addDecoder() {
    into.decoder = std::make_unique<artifact::DecoderT>();
    into.decoder->replacements.push_back(std::make_unique<artifact::ReplacementT>());
    into.decoder->replacements.back()->from = space.str();
    into.decoder->replacements.back()->to = " ";
    into.decoder->byte_fallback = model.trainer.byteFallback;
    into.decoder->broken_bytes = true;
    if (model.normalizer.addsPrefix || model.normalizer.removesSpaces) {
      into.decoder->strip = " ";
      // A piece loses one; where repeated spaces go, no piece has more, and all lose theirs until the text begins.
      into.decoder->strip_count = model.normalizer.removesSpaces ? std::numeric_limits<int32_t>::max() : 1;
    }
  }

  const Model &model;
  artifact::TokenizerT into;
  StringSet<> textual, reserved;
};
} // namespace

Expected<artifact::TokenizerT> moec::importers::tokenizer::readSentencePiece(StringRef file, StringRef name) {
  Expected<Model> model = readModel(file, name);
  if (!model)
    return model.takeError();
  Conversion conversion(*model);
  artifact::TokenizerT result = conversion.run();
  if (!conversion.problem.empty())
    return refuse(name + ": " + conversion.problem);
  return result;
}
