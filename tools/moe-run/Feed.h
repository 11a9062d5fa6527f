// Feeds given ids to a session and hands out the results of every position.
#ifndef MOEC_TOOLS_MOE_RUN_FEED_H
#define MOEC_TOOLS_MOE_RUN_FEED_H

#include "runtime/Session.h"

#include <functional>
#include <vector>

namespace moec::run {

struct FeedOptions {
  int64_t prefill = -1;                         ///< ids through prefill; -1 for all
  int64_t chunk = 0;                            ///< of prefill; 0 for as large as possible
  bool everyPosition = false;                   ///< logits of every given position
  runtime::Wanted last = runtime::Wanted::last; ///< else what is wanted of the last, and of each in decode: logits or a token
  runtime::SamplingWords sampling = {};         ///< how tokens behind the last given one of a step are chosen
};

/// Copies of one text in a batch of sequences that must agree bit for bit.
class Feed {
public:
  /// Makes `copies` sequences.
  static runtime::Result<Feed> create(runtime::Session &session, int64_t copies);

  /// Called after each step with results of given ids; the session's last step has equal rows for every copy.
  using Observer = std::function<runtime::Status(const Feed &)>;
  runtime::Status feed(std::span<const int32_t> ids, const FeedOptions &options, const Observer &observe);
  /// Refuses when the last step's logits are not the same for every copy.
  runtime::Status checkCopies() const;
  std::span<const int> copies() const { return sequences; }

  /// Rows of the first copy in the last step.
  size_t outputs() const { return session->outputs() / sequences.size(); }
  size_t tokens() const { return session->tokens() / sequences.size(); }
  std::span<const float> logits(size_t output) const { return session->logits(output); }
  /// [tokens, k] of the first copy.
  std::span<const int32_t> routedExperts(size_t layer) const;

private:
  runtime::Status step(runtime::Phase phase, const runtime::Piece &piece);

  runtime::Session *session = nullptr;
  std::vector<int> sequences;
};

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_FEED_H
