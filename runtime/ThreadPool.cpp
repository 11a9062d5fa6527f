// Threads that share launches: each takes a fixed contiguous range of the items.
#include "runtime/ThreadPool.h"

#include <algorithm>
#include <system_error>

using namespace moec::runtime;

namespace {
/// A few microseconds: as long as most pauses between two launches of a step.
constexpr int spins = 100;
/// Then, for some hundred microseconds, the processor is offered to whoever has work: with more threads than processors, those are
/// threads of the pool. Spinning would keep them from it for as long as the system lets a thread run.
constexpr int yields = 1000;

/// Returns when `value` is no longer `old`, and what it is then.
template <typename T> T awaitChange(const std::atomic<T> &value, T old) {
  for (int spin = 0; spin < spins + yields; ++spin) {
    if (T now = value.load(std::memory_order_acquire); now != old)
      return now;
    if (spin < spins)
      __builtin_ia32_pause();
    else
      std::this_thread::yield();
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}
} // namespace

int moec::runtime::hostThreads() { return int(std::max(1u, std::thread::hardware_concurrency())); }

ThreadPool::ThreadPool(int threads) {
  try {
    for (int thread = 1; thread < threads; ++thread)
      workers.emplace_back([this, thread] { work(thread); });
  } catch (const std::system_error &) { // the system has no more: those that there are do the work
  }
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
    seen = awaitChange(generation, seen);
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
  for (int32_t left = pending.load(std::memory_order_acquire); left;)
    left = awaitChange(pending, left);
}
