// The loop in which a model writes: hand out the token that was chosen, extend the sequences by it.
#ifndef MOEC_RUNTIME_GENERATION_H
#define MOEC_RUNTIME_GENERATION_H

#include "runtime/Session.h"
#include "runtime/sampling/Sampler.h"
#include "runtime/tokenizer/Tokenizer.h"

namespace moec::runtime {

/// What a generation goes on from, and how far.
struct GenerationOptions {
  std::span<const int> sequences; ///< that hold the same text and are all extended by what is chosen; at least one
  int64_t tokens = 0;             ///< at most
  bool ignoreEnd = false;         ///< go on behind a token that ends a sequence
  bool keepsLogits = false;       ///< of every step, for the observer
};

/// Is given each token and the text that it completes; says whether to go on.
using TokenObserver = std::function<Result<bool>(int32_t id, const std::string &text)>;

/// Begins with the token that the session's last step chose for its last output, and lets steps choose the others as `draws` says.
/// The last token that is chosen is handed out, and with it all text held back, but extends no sequence. `stream` is null where
/// there is no tokenizer.
Status generate(Session &session, const GenerationOptions &options, Draws &draws, StreamDecoder *stream,
                const TokenObserver &observe);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_GENERATION_H
