// --perplexity: how well the model predicts a text.
#include "tools/moe-run/Perplexity.h"

#include <algorithm>
#include <cmath>

using namespace moec::run;
using namespace moec::runtime;

double Perplexity::perplexity() const { return std::exp(meanLoss); }

/// -log softmax(logits)[id].
static double lossOf(std::span<const float> logits, int32_t id) {
  double largest = *std::ranges::max_element(logits), sum = 0;
  for (float logit : logits)
    sum += std::exp(double(logit) - largest);
  return largest + std::log(sum) - double(logits[size_t(id)]);
}

Result<Perplexity> moec::run::measurePerplexity(Session &session, const Tokenizer &tokenizer, std::string_view text,
                                                int64_t window) {
  Result<std::vector<int32_t>> ids = tokenizer.encode(text, false);
  if (!ids.ok())
    return ids.status();
  if (ids->empty())
    return Status::invalidArgument("--perplexity: the text has no tokens");
  if (session.model().bos_id() < 0)
    return Status::invalidArgument("--perplexity: the model has no BOS token to begin a window with");

  struct Window {
    Session &session;
    std::span<const int32_t> ids;
    size_t done = 0;
    double loss = 0;
  };
  double loss = 0;
  for (size_t start = 0; start < ids->size(); start += size_t(window)) {
    std::span<const int32_t> piece = std::span(*ids).subspan(start, std::min(size_t(window), ids->size() - start));
    std::vector<int32_t> given{session.model().bos_id()};
    given.insert(given.end(), piece.begin(), piece.end() - 1);
    Result<int> sequence = session.addSequence();
    if (!sequence.ok())
      return sequence.status();
    Window state{session, piece};
    Status status = session.prefill(
        *sequence, given, Wanted::all, 0,
        [](void *context) {
          Window &window = *static_cast<Window *>(context);
          for (size_t row = 0; row < window.session.outputs(); ++row)
            window.loss += lossOf(window.session.logits(row), window.ids[window.done++]);
        },
        &state);
    session.releaseSequence(*sequence);
    if (!status.ok())
      return status;
    loss += state.loss;
  }
  return Perplexity{ids->size(), loss / double(ids->size())};
}
