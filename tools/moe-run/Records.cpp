// What is written or compared of the given positions, as they come.
#include "tools/moe-run/Records.h"

using namespace moec::run;
using namespace moec::runtime;

Status Records::open(const Options &options, const Session &session, int64_t positions, const SamplingWords &sampling) {
  int64_t vocabulary = session.model().vocabulary(), layers = int64_t(session.routedLayers());
  if (!options.logits.empty()) {
    int64_t shape[] = {positions, vocabulary};
    Result<NpyWriter> writer = NpyWriter::create(options.logits, "<f4", shape);
    if (!writer.ok())
      return writer.status();
    logits.emplace(std::move(*writer));
  }
  if (!options.routing.empty()) {
    if (layers == 0)
      return Status::invalidArgument("--routing: the model routes no tokens");
    for (size_t layer = 1; layer < size_t(layers); ++layer)
      if (session.expertsPerToken(layer) != session.expertsPerToken(0))
        return Status::invalidArgument("--routing: the layers choose different numbers of experts");
    int64_t shape[] = {positions, layers, session.expertsPerToken(0)};
    Result<NpyWriter> writer = NpyWriter::create(options.routing, "<i4", shape);
    if (!writer.ok())
      return writer.status();
    routing.emplace(std::move(*writer));
  }
  if (options.expect.size() > 1)
    return Status::invalidArgument("--expect is given twice; a language model has one array of logits");
  if (!options.expect.empty()) {
    Result<Expectation> golden =
        Expectation::read(options.expect.front(), positions, vocabulary, options.absoluteTolerance, options.relativeTolerance);
    if (!golden.ok())
      return golden.status();
    expectation.emplace(std::move(*golden));
    sampler.emplace(size_t(vocabulary));
    this->sampling = sampling;
  }
  return {};
}

/// What the device chose is what its own logits say.
void Records::checkChoice(const Feed &feed, const Session &session) {
  size_t last = feed.outputs() - 1;
  int32_t got = session.sampled(last), expected = sampler->choose(feed.logits(last), sampling);
  if (got != expected && choice.empty())
    choice = "the logits say that the next token is " + std::to_string(expected) + ", the device chose " + std::to_string(got);
}

Status Records::take(const Feed &feed, const Session &session) {
  for (size_t row = 0; wantLogits() && row < feed.outputs(); ++row) {
    if (logits)
      MOEC_RETURN_IF_ERROR(logits->append(std::as_bytes(feed.logits(row))));
    if (expectation)
      expectation->compare(feed.logits(row));
  }
  if (expectation && feed.outputs() > 0)
    checkChoice(feed, session);
  for (size_t token = 0; routing && token < feed.tokens(); ++token)
    for (size_t layer = 0; layer < session.routedLayers(); ++layer) {
      size_t k = size_t(session.expertsPerToken(layer));
      MOEC_RETURN_IF_ERROR(routing->append(std::as_bytes(feed.routedExperts(layer).subspan(token * k, k))));
    }
  return {};
}

Status Records::finish() {
  if (logits)
    MOEC_RETURN_IF_ERROR(logits->finish());
  if (routing)
    MOEC_RETURN_IF_ERROR(routing->finish());
  return {};
}
