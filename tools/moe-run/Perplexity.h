// --perplexity: how well the model predicts a text.
#ifndef MOEC_TOOLS_MOE_RUN_PERPLEXITY_H
#define MOEC_TOOLS_MOE_RUN_PERPLEXITY_H

#include "runtime/Session.h"
#include "runtime/tokenizer/Tokenizer.h"

namespace moec::run {

struct Perplexity {
  size_t ids = 0;
  double meanLoss = 0; ///< mean negative log likelihood, natural logarithm
  double perplexity() const;
};

/// The text's ids, without special tokens, are cut into windows; each window is run by itself after one BOS.
runtime::Result<Perplexity> measurePerplexity(runtime::Session &session, const runtime::Tokenizer &tokenizer, std::string_view text,
                                              int64_t window);

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_PERPLEXITY_H
