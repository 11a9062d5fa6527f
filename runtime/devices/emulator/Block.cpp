// Lets the warps of a block take turns until all have finished.
#include "runtime/devices/emulator/Block.h"

#include <bit>

using namespace moec::runtime::emulator;

namespace {
/// Instructions that a warp executes before the next has its turn.
constexpr uint32_t turn = 10000;
/// Rounds in which nothing happens that anybody could wait for, before other blocks have their turn.
constexpr unsigned patience = 64;
} // namespace

Block::Block(const Launch &launch, Counters &counters) : launch(launch) {
  warps.reserve(launch.warps());
  for (unsigned warp = 0; warp < launch.warps(); ++warp)
    warps.emplace_back(*this, launch, counters);
}

void Block::start(uint64_t newIndex) {
  index = newIndex;
  at.x = uint32_t(index % launch.grid.x);
  at.y = uint32_t(index / launch.grid.x % launch.grid.y);
  at.z = uint32_t(index / launch.grid.x / launch.grid.y);
  aborted = false;
  for (const Warp &warp : warps)
    firstStamp = std::max(firstStamp, warp.clock.newest());
  shared.start(launch.sharedBytes(), firstStamp);
  fences = 0;
  acquired.clear();
  published.clear();
  barriers.fill({});
  phaseBarriers.clear();
  unsigned threads = launch.threads();
  for (unsigned warp = 0; warp < launch.warps(); ++warp)
    warps[warp].start(warp, threads - warp * laneCount);
}

Block::Outcome Block::run() {
  unsigned idleRounds = 0;
  for (;;) {
    uint64_t before = progress;
    bool anyReady = false, anyWaiting = false;
    for (Warp &warp : warps) {
      if (warp.state == Warp::State::polling)
        warp.state = Warp::State::ready;
      if (warp.state == Warp::State::ready) {
        warp.run(turn);
        if (warp.state == Warp::State::finished)
          ++progress;
      }
      if (stopping())
        return Outcome::finished;
      anyReady |= warp.state == Warp::State::ready;
      anyWaiting |= warp.state != Warp::State::finished;
    }
    if (!anyWaiting)
      return Outcome::finished;
    if (progress != before) {
      idleRounds = 0;
      continue;
    }
    // Warps at a barrier cannot be released by those that poll in vain; ready ones may just be computing.
    if (!anyReady || ++idleRounds == patience)
      return Outcome::waiting;
  }
}

void Block::reportDeadlock() {
  for (Warp &warp : warps) {
    if (warp.state == Warp::State::finished)
      continue;
    const char *where = warp.state == Warp::State::atBarrier ? "waits at a barrier for threads that never come"
                        : warp.state == Warp::State::polling ? "waits for a phase that is never completed"
                                                             : "goes on in circles while nothing changes";
    warp.report(ReportKind::deadlock, unsigned(std::countr_zero(warp.existing & ~warp.exited)),
                "warp " + std::to_string(warp.number) + " " + where);
  }
}
