// Blocks run to their end, one after the other; one that waits for what another does is set aside. Where several start at once, the
// last of them runs first, so that who is to wait for others does.
#include "runtime/devices/emulator/Grid.h"

#include "runtime/devices/emulator/Block.h"

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

using namespace moec::runtime::emulator;

namespace {
/// How often blocks that wait are tried while nothing happens, before they are taken to wait for ever.
constexpr unsigned patience = 1000;

/// Of a launch that is not cooperative: what they wait for has started before them, so later ones are not needed for them to go on,
/// and each takes memory.
constexpr size_t mostWaitingBlocks = 256;

/// What the workers know of each other.
class Schedule {
public:
  Schedule(uint64_t blocks, size_t workers) : blocks(blocks), idleAt(workers, busy) {}

  /// The next block, which is open until it is closed.
  std::optional<uint64_t> open() {
    std::lock_guard lock(mutex);
    if (next == blocks)
      return std::nullopt;
    unfinished.insert(next);
    return next++;
  }
  void close(uint64_t block) {
    std::lock_guard lock(mutex);
    unfinished.erase(block);
  }
  /// Whether all blocks before an open one have finished.
  bool isFirst(uint64_t block) {
    std::lock_guard lock(mutex);
    return *unfinished.begin() == block;
  }

  /// A worker has nothing to do but wait since the launch's `progress` was `then`. When that holds for all, nothing will change it;
  /// it has changed if another finished its blocks and left after this one last looked.
  void isIdle(size_t worker, uint64_t then, const std::atomic<uint64_t> &progress) {
    std::lock_guard lock(mutex);
    idleAt[worker] = then;
    if (then == progress && std::ranges::all_of(idleAt, [&](uint64_t since) { return since == then || since == gone; }))
      stuck = true;
  }
  void isBusy(size_t worker) {
    std::lock_guard lock(mutex);
    idleAt[worker] = busy;
  }
  void leave(size_t worker) {
    std::lock_guard lock(mutex);
    idleAt[worker] = gone;
  }

  /// All that are open wait, and will do so for ever.
  std::atomic<bool> stuck = false;

private:
  static constexpr uint64_t busy = ~uint64_t(0), gone = busy - 1;
  std::mutex mutex;
  const uint64_t blocks;
  uint64_t next = 0;
  std::set<uint64_t> unfinished;
  std::vector<uint64_t> idleAt;
};

class Worker {
public:
  Worker(const Launch &launch, Schedule &schedule, size_t number, uint64_t atOnce)
      : launch(launch), schedule(schedule), number(number), atOnce(atOnce) {}

  void run() {
    while (!launch.stopping && !schedule.stuck && open()) {
      while (!opened.empty() && !launch.stopping) {
        proceed(start());
        // All of a cooperative launch are to start before any is tried again.
        if (!launch.cooperative)
          resumeWaiting();
      }
      if (waiting.size() > (launch.cooperative ? mostResidentBlocks : mostWaitingBlocks))
        finishWaiting();
    }
    finishWaiting();
    schedule.leave(number);
  }

  Counters counters;
  std::vector<std::unique_ptr<Block>> waiting;

private:
  /// As many blocks as are to be there at once; whether there are any.
  bool open() {
    while (opened.size() < atOnce) {
      std::optional<uint64_t> index = schedule.open();
      if (!index)
        break;
      opened.push_back(*index);
    }
    return !opened.empty();
  }

  /// The last of those that are open and have not run.
  std::unique_ptr<Block> start() {
    std::unique_ptr<Block> block = spare ? std::move(spare) : std::make_unique<Block>(launch, counters);
    block->start(opened.back());
    opened.pop_back();
    ++counters.blocks;
    return block;
  }

  void proceed(std::unique_ptr<Block> block) {
    for (unsigned tries = 0; !launch.stopping; ++tries) {
      bool mayWait = launch.cooperative || !schedule.isFirst(block->index);
      if (block->run() == Block::Outcome::finished)
        break;
      if (mayWait)
        return waiting.push_back(std::move(block));
      if (tries == patience) {
        block->reportDeadlock(
            ": later blocks alone are left, which need not start before this one ends unless the launch is cooperative");
        block->aborted = true;
        break;
      }
    }
    schedule.close(block->index);
    if (block->aborted || launch.reports.enough())
      launch.stopping = true;
    spare = std::move(block);
  }

  void resumeWaiting() {
    for (auto &block : std::exchange(waiting, {}))
      proceed(std::move(block));
  }

  /// Until none waits, or no worker's blocks can go on.
  void finishWaiting() {
    for (unsigned idleRounds = 0; !waiting.empty() && !launch.stopping && !schedule.stuck;) {
      uint64_t before = launch.progress;
      resumeWaiting();
      if (launch.progress != before) {
        idleRounds = 0;
        schedule.isBusy(number);
      } else if (++idleRounds >= patience) {
        schedule.isIdle(number, before, launch.progress);
        std::this_thread::yield();
      }
    }
    schedule.isBusy(number);
  }

  const Launch &launch;
  Schedule &schedule;
  const size_t number;
  const uint64_t atOnce;
  std::vector<uint64_t> opened; ///< blocks that have not run
  std::unique_ptr<Block> spare; ///< to be used again
};
} // namespace

Counters moec::runtime::emulator::runGrid(const Launch &launch, int threads, uint64_t blocksAtOnce) {
  size_t useful = size_t(std::min<uint64_t>(uint64_t(std::max(threads, 1)), launch.grid.count()));
  Schedule schedule(launch.grid.count(), useful);
  std::vector<std::unique_ptr<Worker>> workers;
  for (size_t k = 0; k < useful; ++k)
    workers.push_back(std::make_unique<Worker>(launch, schedule, k, std::max<uint64_t>(blocksAtOnce, 1)));
  std::vector<std::thread> others;
  try {
    for (size_t k = 1; k < useful; ++k)
      others.emplace_back([&, k] { workers[k]->run(); });
  } catch (const std::system_error &) { // the system has no more threads
    for (size_t k = others.size() + 1; k < useful; ++k)
      schedule.leave(k);
  }
  workers[0]->run();
  for (std::thread &thread : others)
    thread.join();

  Counters sum;
  std::vector<Block *> stuck;
  for (const auto &worker : workers) {
    sum.add(worker->counters);
    for (const auto &block : worker->waiting)
      stuck.push_back(block.get());
  }
  if (schedule.stuck) {
    std::ranges::sort(stuck, {}, &Block::index);
    for (Block *block : stuck)
      block->reportDeadlock();
  }
  return sum;
}
