// Feeds given ids to a session and hands out the results of every position.
#include "tools/moe-run/Feed.h"

#include <algorithm>
#include <cstring>

using namespace moec::run;
using namespace moec::runtime;

Result<Feed> Feed::create(Session &session, int64_t copies) {
  Feed feed;
  feed.session = &session;
  for (int64_t i = 0; i < copies; ++i) {
    Result<int> sequence = session.addSequence();
    if (!sequence.ok())
      return sequence.status();
    feed.sequences.push_back(*sequence);
  }
  return feed;
}

/// The piece for every copy.
Status Feed::step(Phase phase, const Piece &piece) {
  std::vector<Piece> pieces(sequences.size(), piece);
  for (size_t copy = 0; copy < sequences.size(); ++copy)
    pieces[copy].sequence = sequences[copy];
  MOEC_RETURN_IF_ERROR(session->step(phase, pieces));
  return checkCopies();
}

Status Feed::checkCopies() const {
  size_t rows = outputs();
  for (size_t copy = 1; copy < sequences.size(); ++copy)
    for (size_t row = 0; row < rows; ++row) {
      std::span<const float> first = logits(row), other = logits(copy * rows + row);
      if (std::memcmp(first.data(), other.data(), first.size_bytes()) != 0)
        return Status::invalidData("copy " + std::to_string(copy) + " of the batch has other logits than copy 0");
    }
  return {};
}

Status Feed::feed(std::span<const int32_t> ids, const FeedOptions &options, const Observer &observe) {
  int64_t copies = int64_t(sequences.size());
  size_t prefilled = options.prefill < 0 ? ids.size() : std::min(size_t(options.prefill), ids.size());
  int64_t most = session->maxTokens(Phase::prefill) / copies;
  if (options.everyPosition)
    most = std::min(most, session->maxOutputs(Phase::prefill) / copies);
  if (options.chunk > 0)
    most = std::min(most, options.chunk);
  if (most < 1)
    return Status::invalidArgument("a batch of " + std::to_string(copies) + " does not fit one prefill step");
  for (size_t done = 0; done < prefilled;) {
    size_t count = std::min(size_t(most), prefilled - done);
    Wanted wanted = options.everyPosition ? Wanted::all : done + count == ids.size() ? options.last : Wanted::none;
    MOEC_RETURN_IF_ERROR(step(Phase::prefill, {0, ids.subspan(done, count), wanted, options.sampling}));
    MOEC_RETURN_IF_ERROR(observe(*this));
    done += count;
  }
  for (size_t i = prefilled; i < ids.size(); ++i) {
    Wanted wanted = options.everyPosition ? Wanted::all : options.last;
    MOEC_RETURN_IF_ERROR(step(Phase::decode, {0, ids.subspan(i, 1), wanted, options.sampling}));
    MOEC_RETURN_IF_ERROR(observe(*this));
  }
  return {};
}

std::span<const int32_t> Feed::routedExperts(size_t layer) const {
  return session->routedExperts(layer).first(tokens() * size_t(session->expertsPerToken(layer)));
}
