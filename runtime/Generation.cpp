// The loop in which a model writes: choose a token, hand it out, extend the sequences by it.
#include "runtime/Generation.h"

using namespace moec::runtime;

Status moec::runtime::generate(Session &session, const GenerationOptions &options, Sampler &sampler, StreamDecoder *stream,
                               const TokenObserver &observe) {
  int32_t id = 0;
  std::vector<Piece> pieces;
  for (int sequence : options.sequences)
    pieces.push_back({sequence, {&id, 1}, options.keepsLogits ? Wanted::last : Wanted::sampled});
  bool isFirst = true; // the only one whose logits somebody else asked for
  for (int64_t left = options.tokens; left > 0; --left) {
    id = isFirst ? sampler.sample(session.logits(session.outputs() - 1)) : session.sampled(session.outputs() - 1);
    isFirst = false;
    bool last = left == 1 || (!options.ignoreEnd && endsSequence(session.model(), id));
    std::string text;
    if (stream) {
      text = stream->next(id);
      if (last)
        text += stream->finish();
    }
    Result<bool> goOn = observe(id, text);
    if (!goOn.ok())
      return goOn.status();
    if (last || !*goOn)
      break;
    SamplingWords words = sampler.next();
    for (Piece &piece : pieces)
      piece.sampling = words;
    MOEC_RETURN_IF_ERROR(session.step(Phase::decode, pieces));
  }
  return {};
}
