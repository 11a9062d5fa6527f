// tokenizer.json's `model` of type Unigram: a list of tokens with their scores.
#include "importers/tokenizer/ScoredTokens.h"
#include "importers/tokenizer/Sections.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <limits>

using namespace llvm;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::tokenizer;

static std::vector<artifact::ScoredToken> readScoredTokens(const Node &vocab, Vocabulary &vocabulary, artifact::TokenizerT &into) {
  std::vector<artifact::ScoredToken> tokens;
  const json::Array *list = vocab.json() ? vocab.json()->array() : nullptr;
  if (!list || list->empty()) {
    vocab.refuse("expected an array of tokens with scores, got " + (list ? "an empty one" : vocab.kind()));
    return tokens;
  }
  for (auto [id, entry] : enumerate(*list)) {
    auto refuse = [&, id = id](const Twine &why) {
      vocab.refuse("[" + Twine(id) + "]: " + why);
      return tokens;
    };
    const json::Array *pair = entry.array();
    const std::string *text = pair && pair->size() == 2 ? (*pair)[0].string() : nullptr;
    std::optional<double> score = text ? (*pair)[1].number() : std::nullopt;
    if (!score || !std::isfinite(*score))
      return refuse("expected a token and its score: [\"a\", -1.5]");
    if (text->empty() || text->size() > maxScoredBytes)
      return refuse("expected 1 to " + Twine(maxScoredBytes) + " bytes, got " + Twine(text->size()));
    if (!vocabulary.ids.try_emplace(*text, int32_t(id)).second)
      return refuse("'" + *text + "' is there twice");
    into.tokens.push_back(*text);
    tokens.emplace_back(int32_t(id), *score);
  }
  return tokens;
}

Vocabulary moec::importers::tokenizer::readUnigram(const Node &model, artifact::TokenizerT &into) {
  Vocabulary vocabulary;
  model.onlyKnown({"type", "unk_id", "vocab", "byte_fallback"});
  if (into.byte_level)
    model.refuse("Unigram behind a ByteLevel pre-tokenizer is not supported");
  if (!model.ok())
    return vocabulary;
  std::vector<artifact::ScoredToken> tokens = readScoredTokens(model.member("vocab"), vocabulary, into);
  if (!model.ok())
    return vocabulary;
  into.unknown_token = int32_t(model.member("unk_id").integer(0, int64_t(tokens.size()) - 1));
  double least = std::numeric_limits<double>::infinity();
  for (const artifact::ScoredToken &token : tokens)
    least = std::min(least, token.score());
  into.unknown_score = least - unknownPenalty;
  into.fuse_unknown = into.match_unknown = true;
  if (model.flag("byte_fallback", false))
    readFallback(vocabulary, into);
  setScores(std::move(tokens), into);
  return vocabulary;
}
