// --perplexity: how well the model predicts a text.
#include "tools/moe-run/Perplexity.h"

#include "tools/moe-run/Input.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace moec::run;
using namespace moec::runtime;

namespace {
/// -log softmax(logits)[id].
double lossOf(std::span<const float> logits, int32_t id) {
  double largest = *std::ranges::max_element(logits), sum = 0;
  for (float logit : logits)
    sum += std::exp(double(logit) - largest);
  return largest + std::log(sum) - double(logits[size_t(id)]);
}

/// Adds the negative log likelihood of `ids` after one BOS to `loss`.
Status addLoss(Session &session, std::span<const int32_t> ids, double &loss) {
  struct Window {
    Session &session;
    std::span<const int32_t> ids;
    size_t done = 0;
    double loss = 0;
  } window{session, ids};
  std::vector<int32_t> given{session.model().bos_id()};
  given.insert(given.end(), ids.begin(), ids.end() - 1);
  int sequence = 0;
  MOEC_RETURN_IF_ERROR(take(sequence, session.addSequence()));
  Status status = session.prefill(
      {sequence, given, Wanted::all}, /*chunk=*/0,
      [](void *context) {
        Window &window = *static_cast<Window *>(context);
        for (size_t row = 0; row < window.session.outputs(); ++row)
          window.loss += lossOf(window.session.logits(row), window.ids[window.done++]);
      },
      &window);
  session.releaseSequence(sequence);
  loss += window.loss;
  return status;
}
} // namespace

Status moec::run::reportPerplexity(const Options &options, Session &session, const Tokenizer &tokenizer) {
  std::string text;
  std::vector<int32_t> ids;
  MOEC_RETURN_IF_ERROR(take(text, readText(options.perplexity)));
  MOEC_RETURN_IF_ERROR(take(ids, tokenizer.encode(text, /*special=*/false)));
  if (ids.empty())
    return Status::invalidArgument("--perplexity: the text has no tokens");
  if (int32_t most = *std::ranges::max_element(ids); uint32_t(most) >= session.model().vocabulary())
    return Status::invalidData("--perplexity: the tokenizer gives id " + std::to_string(most) + ", the model has " +
                               std::to_string(session.model().vocabulary()) + " tokens");
  if (session.model().bos_id() < 0)
    return Status::invalidArgument("--perplexity: the model has no BOS token to begin a window with");

  double loss = 0;
  for (std::span<const int32_t> rest = ids; !rest.empty();) {
    size_t count = std::min(size_t(options.window), rest.size());
    MOEC_RETURN_IF_ERROR(addLoss(session, rest.first(count), loss));
    rest = rest.subspan(count);
  }
  double mean = loss / double(ids.size()), perplexity = std::exp(mean);
  if (options.json)
    std::printf("%s\n", nlohmann::json{{"nll", mean}, {"perplexity", perplexity}, {"ids", ids.size()}}.dump().c_str());
  else
    std::printf("perplexity %.4f (nll %.6f over %zu ids)\n", perplexity, mean, ids.size());
  return {};
}
