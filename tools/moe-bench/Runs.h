// The work that is measured: prompts and decode steps of a session.
#ifndef MOEC_TOOLS_MOE_BENCH_RUNS_H
#define MOEC_TOOLS_MOE_BENCH_RUNS_H

#include "runtime/Session.h"

#include <vector>

namespace moec::bench {

/// A session at work, with the same ids every time; each run takes its seconds, without what comes before and after.
class Runs {
public:
  explicit Runs(runtime::Session &session) : session(session), vocabulary(session.model().vocabulary()) {}

  runtime::Status prefill(int64_t tokens, double &seconds);

  /// Decoding begins after a short prompt of each sequence, as llama.cpp's benchmark does. With `chosen`, adds to it for each
  /// routed layer how many different experts each step chose.
  runtime::Status decode(int64_t batch, int64_t tokens, double &seconds, std::vector<double> *chosen);

private:
  runtime::Session &session;
  uint32_t vocabulary;
};

} // namespace moec::bench

#endif // MOEC_TOOLS_MOE_BENCH_RUNS_H
