// Lets the warps of a block take turns until all have finished.
#include "runtime/devices/emulator/Block.h"

#include <algorithm>
#include <bit>

using namespace moec::runtime::emulator;

namespace {
/// Instructions that a warp executes before the next has its turn.
constexpr uint32_t turn = 10000;
/// Rounds in which nothing happens that anybody in the block could wait for, before it is taken to go on so for ever.
constexpr unsigned patience = 1000;
} // namespace

Block::Block(const Launch &launch, Counters &counters) : launch(launch) {
  warps.reserve(launch.warps());
  for (unsigned warp = 0; warp < launch.warps(); ++warp)
    warps.emplace_back(*this, launch, counters);
}

void Block::start(uint64_t newIndex) {
  index = newIndex;
  at = launch.grid.at(index);
  aborted = false;
  for (const Warp &warp : warps)
    firstStamp = std::max(firstStamp, warp.clock.newest());
  shared.start(launch.sharedBytes(), firstStamp);
  published.clear();
  barriers.fill({});
  phaseBarriers.clear();
  unsigned threads = launch.threads();
  for (unsigned warp = 0; warp < launch.warps(); ++warp)
    warps[warp].start(warp, threads - warp * laneCount);
}

Block::Outcome Block::run() {
  using enum Warp::State;
  for (unsigned idleRounds = 0; !stopping();) {
    uint64_t before = progress;
    for (Warp &warp : warps) {
      if (warp.state == polling || warp.state == watching)
        warp.state = ready;
      if (warp.state != ready)
        continue;
      warp.run(turn);
      progress += warp.state == finished;
      if (warp.executed > launch.mostInstructions)
        warp.abort(ReportKind::deadlock, unsigned(std::countr_zero(warp.existing)),
                   "has executed " + std::to_string(warp.executed) + " instructions, and is taken to go on for ever");
      if (stopping())
        return Outcome::finished;
    }
    auto any = [&](Warp::State state) { return std::ranges::any_of(warps, [&](const Warp &warp) { return warp.state == state; }); };
    if (!any(ready) && !any(atBarrier) && !any(polling) && !any(watching))
      return Outcome::finished;
    if (progress != before) {
      idleRounds = 0;
      continue;
    }
    if (any(watching) && !any(ready))
      return Outcome::waiting;
    if (++idleRounds == patience) {
      reportDeadlock();
      aborted = true;
    }
  }
  return Outcome::finished;
}

void Block::reportDeadlock(const std::string &why) {
  for (Warp &warp : warps) {
    if (warp.state == Warp::State::finished)
      continue;
    const char *where = warp.state == Warp::State::atBarrier  ? "waits at a barrier for threads that never come"
                        : warp.state == Warp::State::polling  ? "waits for a phase that is never completed"
                        : warp.state == Warp::State::watching ? "waits for memory that never changes"
                                                              : "goes on in circles while nothing changes";
    warp.report(ReportKind::deadlock, unsigned(std::countr_zero(warp.existing & ~warp.exited)),
                "warp " + std::to_string(warp.number) + " " + where + why);
  }
}
