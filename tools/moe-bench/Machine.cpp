// What this machine can do at best, measured beside the model.
#include "tools/moe-bench/Machine.h"

#include "runtime/ThreadPool.h"
#include "runtime/devices/cpu/HostMemory.h"
#include "runtime/devices/cpu/Processor.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <immintrin.h>
#include <memory>
#include <unistd.h>

using namespace moec::bench;
using namespace moec::runtime;

namespace {
constexpr int repetitions = 3;                               // of arithmetic, the fastest of which counts
constexpr uint64_t leastBytesPerThread = uint64_t(32) << 20; // beyond the caches that a thread has for itself
constexpr int64_t rounds = 2'000'000;                        // some 10 ms: far longer than threads take to wake

using Range = std::pair<const std::byte *, const std::byte *>;

__attribute__((target("avx2"))) void readStreams(Range range, int streams) {
  __m256i sum = _mm256_setzero_si256();
  size_t part = size_t(range.second - range.first) / size_t(streams) / 64 * 64;
  for (size_t at = 0; at < part; at += 64)
    for (int stream = 0; stream < streams; ++stream) {
      auto *line = reinterpret_cast<const __m256i *>(range.first + size_t(stream) * part + at);
      sum = _mm256_xor_si256(sum, _mm256_xor_si256(_mm256_load_si256(line), _mm256_load_si256(line + 1)));
    }
  asm volatile("" : : "x"(sum)); // so that the result is used
}

__attribute__((target("avx512f"))) void readStreamsWide(Range range, int streams) {
  __m512i sum = _mm512_setzero_si512();
  size_t part = size_t(range.second - range.first) / size_t(streams) / 64 * 64;
  for (size_t at = 0; at < part; at += 64)
    for (int stream = 0; stream < streams; ++stream)
      sum = _mm512_xor_si512(sum, _mm512_load_si512(range.first + size_t(stream) * part + at));
  asm volatile("" : : "v"(sum));
}

__attribute__((target("avx2,fma"))) void multiplyF32() {
  __m256 sums[12], factor = _mm256_set1_ps(1.0f);
  for (__m256 &sum : sums)
    sum = _mm256_set1_ps(0.0f);
  for (int64_t round = 0; round < rounds; ++round)
    _Pragma("clang loop unroll(full)") // the sums stay in registers
        for (__m256 &sum : sums) {
      sum = _mm256_fmadd_ps(factor, factor, sum);
      asm volatile("" : "+x"(sum));
    }
  for (__m256 sum : sums)
    asm volatile("" : : "v"(sum));
}

__attribute__((target("avx512f"))) void multiplyF32Wide() {
  __m512 sums[24], factor = _mm512_set1_ps(1.0f);
  for (__m512 &sum : sums)
    sum = _mm512_set1_ps(0.0f);
  for (int64_t round = 0; round < rounds; ++round)
    _Pragma("clang loop unroll(full)") // the sums stay in registers
        for (__m512 &sum : sums) {
      sum = _mm512_fmadd_ps(factor, factor, sum);
      asm volatile("" : "+v"(sum));
    }
  for (__m512 sum : sums)
    asm volatile("" : : "v"(sum));
}

__attribute__((target("avx512f,avx512bf16"))) void multiplyBf16() {
  __m512 sums[24];
  for (__m512 &sum : sums)
    sum = _mm512_set1_ps(0.0f);
  __m512i ones = _mm512_set1_epi32(0x3f803f80);
  __m512bh factor;
  std::memcpy(&factor, &ones, sizeof factor);
  for (int64_t round = 0; round < rounds; ++round)
    _Pragma("clang loop unroll(full)") // the sums stay in registers
        for (__m512 &sum : sums) {
      sum = _mm512_dpbf16_ps(sum, factor, factor);
      asm volatile("" : "+v"(sum));
    }
  for (__m512 sum : sums)
    asm volatile("" : : "v"(sum));
}

/// Four times the last cache, so that little of what one reading leaves there serves the next, and enough to take some 20 ms.
uint64_t bytesToRead() {
  int64_t cache = std::max(sysconf(_SC_LEVEL3_CACHE_SIZE), sysconf(_SC_LEVEL4_CACHE_SIZE)); // <= 0 where it is not known
  return std::clamp(uint64_t(std::max<int64_t>(cache, 0)) * 4, uint64_t(384) << 20, uint64_t(1) << 30);
}

/// Threads of its own, and the memory that they read.
class Host {
public:
  explicit Host(int threads) : pool(threads) {}

  Status prepare() {
    bytesPerThread = std::max(bytesToRead() / uint64_t(pool.threads()) / 4096 * 4096, leastBytesPerThread);
    MOEC_RETURN_IF_ERROR(take(memory, HostMemory::allocate(bytesPerThread * uint64_t(pool.threads()), "measuring bandwidth")));
    seconds([&](int64_t thread) { std::memset(memory.data() + uint64_t(thread) * bytesPerThread, 1, bytesPerThread); });
    streams = readBytes(8) > readBytes(1) ? 8 : 1;
    return {};
  }

  Limits measure() {
    double threads = pool.threads();
    Limits limits{.machine = std::to_string(pool.threads()) + (pool.threads() == 1 ? " thread" : " threads")};
    limits.readBytes = readBytes(streams);
    double took = fastest([&](int64_t) { wide ? multiplyF32Wide() : multiplyF32(); });
    limits.f32Flops = double(rounds) * (wide ? 24 * 32 : 12 * 16) * threads / took;
    if (processorHas("avx512_bf16"))
      limits.bf16Flops = double(rounds) * 24 * 64 * threads / fastest([](int64_t) { multiplyBf16(); });
    return limits;
  }

private:
  /// A second, from memory, by so many streams a thread.
  double readBytes(int streams) {
    double took = seconds([&](int64_t thread) {
      const std::byte *begin = memory.data() + uint64_t(thread) * bytesPerThread;
      wide ? readStreamsWide({begin, begin + bytesPerThread}, streams) : readStreams({begin, begin + bytesPerThread}, streams);
    });
    return double(bytesPerThread) * pool.threads() / took;
  }

  /// Of `body` on every thread.
  template <typename Body> double seconds(Body body) {
    auto start = std::chrono::steady_clock::now();
    pool.run(pool.threads(), [](void *context, int, int64_t begin, int64_t) { (*static_cast<Body *>(context))(begin); }, &body);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  template <typename Body> double fastest(Body body) {
    double best = seconds(body);
    for (int i = 1; i < repetitions; ++i)
      best = std::min(best, seconds(body));
    return best;
  }

  ThreadPool pool;
  HostMemory memory;
  uint64_t bytesPerThread = 0;
  int streams = 1; ///< a thread: as many as are faster
  bool wide = processorHas("avx512f");
};
} // namespace

Limits moec::bench::meanOf(std::span<const Limits> measured) {
  Limits mean{.machine = measured.front().machine};
  for (const Limits &limits : measured) {
    mean.readBytes += limits.readBytes / double(measured.size());
    mean.f32Flops += limits.f32Flops / double(measured.size());
    mean.bf16Flops += limits.bf16Flops / double(measured.size());
  }
  return mean;
}

Result<Gauge> moec::bench::gaugeHost(int threads) {
  auto host = std::make_shared<Host>(threads);
  MOEC_RETURN_IF_ERROR(host->prepare());
  return Gauge([host] { return host->measure(); });
}
