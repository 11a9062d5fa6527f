// The work that is measured: prompts and decode steps of a session.
#include "tools/moe-bench/Runs.h"

#include <chrono>
#include <set>

using namespace moec::bench;
using namespace moec::runtime;

namespace {
using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Ids that wander over the vocabulary, the same every time.
std::vector<int32_t> someIds(size_t count, uint32_t vocabulary, uint64_t seed) {
  std::vector<int32_t> ids(count);
  for (int32_t &id : ids) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    id = int32_t((seed >> 33) % vocabulary);
  }
  return ids;
}
} // namespace

Status Runs::prefill(int64_t tokens, double &seconds) {
  int sequence = 0;
  MOEC_RETURN_IF_ERROR(take(sequence, session.addSequence()));
  std::vector<int32_t> prompt = someIds(size_t(tokens), vocabulary, 5);
  auto start = Clock::now();
  MOEC_RETURN_IF_ERROR(session.prefill({sequence, prompt, Wanted::last}));
  seconds = since(start);
  session.releaseSequence(sequence);
  return {};
}

Status Runs::decode(int64_t batch, int64_t tokens, double &seconds, std::vector<double> *chosen) {
  std::vector<int> sequences(size_t(batch), 0);
  for (int &sequence : sequences) {
    MOEC_RETURN_IF_ERROR(take(sequence, session.addSequence()));
    MOEC_RETURN_IF_ERROR(session.prefill({sequence, someIds(1, vocabulary, uint64_t(sequence)), Wanted::last}));
  }
  std::vector<int32_t> ids = someIds(size_t(batch * tokens), vocabulary, 17);
  std::vector<Piece> pieces(sequences.size());
  auto start = Clock::now();
  for (size_t step = 0; step < size_t(tokens); ++step) {
    for (size_t i = 0; i < pieces.size(); ++i)
      pieces[i] = {sequences[i], {&ids[step * pieces.size() + i], 1}, Wanted::sampled, {SamplingWords::largest, 0, 0, 0, 0}};
    MOEC_RETURN_IF_ERROR(session.step(Phase::decode, pieces));
    for (size_t layer = 0; chosen && layer < chosen->size(); ++layer) {
      std::span<const int32_t> experts = session.routedExperts(layer);
      (*chosen)[layer] += double(std::set(experts.begin(), experts.end()).size());
    }
  }
  seconds = since(start);
  for (int sequence : sequences)
    session.releaseSequence(sequence);
  return {};
}
