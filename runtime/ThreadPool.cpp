// Threads that share launches: each takes a fixed contiguous range of the items.
#include "runtime/ThreadPool.h"

#include <algorithm>

using namespace moec::runtime;

namespace {
/// About 50 microseconds: longer than any pause between two launches of a step.
constexpr int spins = 20000;

void pauseSpin() { __builtin_ia32_pause(); }
} // namespace

int moec::runtime::hostThreads() { return int(std::max(1u, std::thread::hardware_concurrency())); }

ThreadPool::ThreadPool(int threads) {
  for (int thread = 1; thread < threads; ++thread)
    workers.emplace_back([this, thread] { work(thread); });
}

ThreadPool::~ThreadPool() {
  stopping.store(true, std::memory_order_relaxed);
  generation.fetch_add(1, std::memory_order_release);
  generation.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::call(int thread) {
  int64_t count = threads(), begin = items * thread / count, end = items * (thread + 1) / count;
  if (begin < end)
    body(context, thread, begin, end);
}

void ThreadPool::work(int thread) {
  uint32_t seen = 0;
  while (true) {
    for (int spin = 0; spin < spins && generation.load(std::memory_order_acquire) == seen; ++spin)
      pauseSpin();
    generation.wait(seen, std::memory_order_acquire);
    seen = generation.load(std::memory_order_acquire);
    if (stopping.load(std::memory_order_relaxed))
      return;
    call(thread);
    if (pending.fetch_sub(1, std::memory_order_acq_rel) == 1)
      pending.notify_one();
  }
}

void ThreadPool::run(int64_t newItems, Body newBody, void *newContext) {
  items = newItems;
  body = newBody;
  context = newContext;
  if (workers.empty() || items < 2) {
    if (items > 0)
      body(context, 0, 0, items);
    return;
  }
  pending.store(int32_t(workers.size()), std::memory_order_relaxed);
  generation.fetch_add(1, std::memory_order_release);
  generation.notify_all();
  call(0);
  int32_t left = pending.load(std::memory_order_acquire);
  for (int spin = 0; spin < spins && left; ++spin) {
    pauseSpin();
    left = pending.load(std::memory_order_acquire);
  }
  for (; left; left = pending.load(std::memory_order_acquire))
    pending.wait(left, std::memory_order_acquire);
}
