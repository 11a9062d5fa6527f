// Threads that share launches: each takes a fixed contiguous range of the items.
#ifndef MOEC_RUNTIME_THREADPOOL_H
#define MOEC_RUNTIME_THREADPOOL_H

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace moec::runtime {

/// How many threads the host runs at once.
int hostThreads();

/// A pool whose split depends only on the number of items and threads. The calling thread is thread 0. Waiting threads spin for
/// a moment, since the next launch of a step follows within microseconds, then let others run, and then sleep.
class ThreadPool {
public:
  /// `threads` >= 1 in all.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threads() const { return int(workers.size()) + 1; }

  /// A range of items for one thread.
  using Body = void (*)(void *context, int thread, int64_t begin, int64_t end);
  /// Calls `body` for each thread whose range of [0, items) is not empty, and returns when all are done. Allocates nothing.
  void run(int64_t items, Body body, void *context);

private:
  void work(int thread);
  void call(int thread);

  // One launch: written before `generation` is raised, read after.
  int64_t items = 0;
  Body body = nullptr;
  void *context = nullptr;
  std::atomic<uint32_t> generation{0};
  std::atomic<int32_t> pending{0};
  std::atomic<bool> stopping{false};
  std::vector<std::thread> workers;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_THREADPOOL_H
