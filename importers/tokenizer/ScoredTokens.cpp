// Vocabularies that score tokens.
#include "importers/tokenizer/ScoredTokens.h"

#include "llvm/ADT/STLExtras.h"

using namespace moec;

void moec::importers::tokenizer::setScores(std::vector<artifact::ScoredToken> tokens, artifact::TokenizerT &into) {
  auto text = [&](const artifact::ScoredToken &token) -> const std::string & { return into.tokens[size_t(token.id())]; };
  llvm::sort(tokens, [&](const auto &a, const auto &b) { return text(a) < text(b); });
  into.scored_tokens = std::move(tokens);
}
