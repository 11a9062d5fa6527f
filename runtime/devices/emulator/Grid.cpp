// Blocks run to their end, one after the other; one that polls for what another does is set aside.
#include "runtime/devices/emulator/Grid.h"

#include "runtime/devices/emulator/Block.h"

#include <thread>

using namespace moec::runtime::emulator;

namespace {
/// Blocks that may wait at once: more would be more than a device holds.
constexpr size_t residentBlocks = 2048;

class Worker {
public:
  Worker(const Launch &launch, std::atomic<uint64_t> &next) : launch(launch), next(next) {}

  void run() {
    uint64_t blocks = launch.grid.count();
    for (uint64_t index; !launch.stopping && (index = next.fetch_add(1, std::memory_order_relaxed)) < blocks;) {
      if (!idle)
        idle = std::make_unique<Block>(launch, counters);
      idle->start(index);
      ++counters.blocks;
      proceed(std::move(idle));
      resumeWaiting();
    }
    // The others have finished or wait too: without progress anywhere there will be none.
    for (unsigned idleRounds = 0; !waiting.empty() && !launch.stopping;) {
      uint64_t before = launch.progress;
      resumeWaiting();
      if (launch.progress != before) {
        idleRounds = 0;
        continue;
      }
      std::this_thread::yield();
      if (++idleRounds < patience)
        continue;
      for (auto &block : waiting)
        block->reportDeadlock();
      launch.stopping = true;
    }
  }

  Counters counters;

private:
  static constexpr unsigned patience = 16;

  void proceed(std::unique_ptr<Block> block) {
    if (block->run() == Block::Outcome::waiting) {
      waiting.push_back(std::move(block));
      if (waiting.size() > residentBlocks) {
        waiting.back()->reportDeadlock();
        launch.stopping = true;
      }
      return;
    }
    if (block->aborted || launch.reports.enough())
      launch.stopping = true;
    idle = std::move(block);
  }

  void resumeWaiting() {
    std::vector<std::unique_ptr<Block>> resumed = std::move(waiting);
    waiting.clear();
    for (auto &block : resumed)
      if (!launch.stopping)
        proceed(std::move(block));
  }

  const Launch &launch;
  std::atomic<uint64_t> &next;
  std::unique_ptr<Block> idle; ///< to be used again
  std::vector<std::unique_ptr<Block>> waiting;
};
} // namespace

Counters moec::runtime::emulator::runGrid(const Launch &launch, int threads) {
  std::atomic<uint64_t> next{0};
  uint64_t useful = std::min<uint64_t>(uint64_t(std::max(threads, 1)), launch.grid.count());
  std::vector<std::unique_ptr<Worker>> workers;
  for (uint64_t k = 0; k < useful; ++k)
    workers.push_back(std::make_unique<Worker>(launch, next));
  std::vector<std::thread> others;
  for (uint64_t k = 1; k < useful; ++k)
    others.emplace_back([&, k] { workers[k]->run(); });
  workers[0]->run();
  for (std::thread &thread : others)
    thread.join();
  Counters sum;
  for (const auto &worker : workers)
    sum.add(worker->counters);
  return sum;
}
