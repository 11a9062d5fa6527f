// The loop in which a model writes: hand out the token that was chosen, extend the sequences by it.
#include "runtime/Generation.h"

using namespace moec::runtime;

Status moec::runtime::generate(Session &session, const GenerationOptions &options, Draws &draws, StreamDecoder *stream,
                               const TokenObserver &observe) {
  int32_t id = 0;
  std::vector<Piece> pieces;
  for (int sequence : options.sequences)
    pieces.push_back({sequence, {&id, 1}, options.keepsLogits ? Wanted::last : Wanted::sampled});
  for (int64_t left = options.tokens; left > 0; --left) {
    id = session.outputs() ? session.sampled(session.outputs() - 1) : -1;
    if (id < 0)
      return Status::invalidArgument("expected a step before that chose a token");
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
    SamplingWords words = draws.next();
    for (Piece &piece : pieces)
      piece.sampling = words;
    MOEC_RETURN_IF_ERROR(session.step(Phase::decode, pieces));
  }
  return {};
}
