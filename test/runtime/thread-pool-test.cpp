// Launches: every item once, in ranges that depend on nothing but the numbers.
#include "runtime/ThreadPool.h"

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <mutex>
#include <set>

using namespace moec::runtime;

namespace {
struct Ranges {
  std::mutex lock;
  std::set<std::tuple<int, int64_t, int64_t>> seen;
};

std::set<std::tuple<int, int64_t, int64_t>> rangesOf(ThreadPool &pool, int64_t items) {
  Ranges ranges;
  pool.run(
      items,
      [](void *context, int thread, int64_t begin, int64_t end) {
        Ranges &ranges = *static_cast<Ranges *>(context);
        std::lock_guard guard(ranges.lock);
        ranges.seen.insert({thread, begin, end});
      },
      &ranges);
  return ranges.seen;
}

TEST(ThreadPool, dealsOutEveryItemOnce) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (int64_t items : {0, 1, 2, 3, 7, 64, 1000}) {
      int64_t next = 0;
      std::set<std::pair<int64_t, int64_t>> sorted;
      for (auto [thread, begin, end] : rangesOf(pool, items))
        sorted.insert({begin, end});
      for (auto [begin, end] : sorted) {
        EXPECT_EQ(begin, next);
        EXPECT_LT(begin, end);
        next = end;
      }
      EXPECT_EQ(next, items);
      EXPECT_EQ(rangesOf(pool, items), rangesOf(pool, items));
    }
  }
}

TEST(ThreadPool, finishesALaunchBeforeTheNext) {
  ThreadPool pool(4);
  std::vector<int64_t> values(257, 0);
  for (int64_t round = 0; round < 2000; ++round)
    pool.run(
        int64_t(values.size()),
        [](void *context, int, int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i)
            ++(*static_cast<std::vector<int64_t> *>(context))[size_t(i)];
        },
        &values);
  EXPECT_EQ(std::set<int64_t>(values.begin(), values.end()), std::set<int64_t>{2000});
}

/// More threads than the machine has: those that wait leave the processors to those that work, and launches take microseconds, not
/// as long as the system lets a thread run. Most launches may be disturbed by other programs.
TEST(ThreadPool, takesMoreThreadsThanProcessors) {
  ThreadPool pool(4 * hostThreads());
  std::vector<std::chrono::duration<double, std::micro>> times(400);
  for (auto &time : times) {
    auto start = std::chrono::steady_clock::now();
    pool.run(1000, [](void *, int, int64_t, int64_t) {}, nullptr);
    time = std::chrono::steady_clock::now() - start;
  }
  std::ranges::sort(times);
  EXPECT_LT(times[times.size() / 4].count(), 500);
}
} // namespace
