// What a GPU can do at best, measured beside the model.
#include "tools/moe-bench/GpuMachine.h"

#include "runtime/devices/cuda/Kernels.h"
#include "tools/moe-bench/GpuKernels.h"

#include <algorithm>
#include <chrono>

using namespace moec::bench;
using namespace moec::runtime;
using namespace moec::runtime::cuda;

namespace {
constexpr int repetitions = 5;
/// So long that launching and waiting do not count, and that what was read before is no longer in a cache.
constexpr double enoughSeconds = 2e-3;

/// Measures kernels on one GPU.
class GpuGauge {
public:
  explicit GpuGauge(const Driver &driver) : driver(driver) {}
  ~GpuGauge() {
    if (context.get())
      (void)driver.contextPush(context.get()); // what it has goes within its context, and then that
  }

  Status prepare(int number) {
    MOEC_RETURN_IF_ERROR(take(gpu, Gpu::find(driver, number)));
    MOEC_RETURN_IF_ERROR(createContext(context, driver, gpu.ordinal));
    Current current(driver, context.get());
    MOEC_RETURN_IF_ERROR(current.status());
    MOEC_RETURN_IF_ERROR(acquire(stream, driver.streamCreate, driver.streamDestroy, nonBlocking));
    return acquire(result, driver.memoryAllocate, driver.memoryFree, 256);
  }

  const Gpu &which() const { return gpu; }

  /// Work per second, from a number of blocks that keeps the GPU busy for long enough.
  Result<double> rateOf(const GpuKernel &kernel) {
    Current current(driver, context.get());
    MOEC_RETURN_IF_ERROR(current.status());
    Owned<Module> module;
    Function function{};
    MOEC_RETURN_IF_ERROR(acquire(module, driver.moduleLoad, driver.moduleUnload, kernel.text.c_str(), 0, nullptr, nullptr));
    MOEC_RETURN_IF_ERROR(driver.moduleGetFunction(&function, module.get(), "measure"));
    size_t free = 0, all = 0;
    MOEC_RETURN_IF_ERROR(driver.memoryGetInfo(&free, &all));
    for (uint32_t blocks = 4;; blocks *= 2) {
      Result<double> seconds = secondsOf(kernel, function, blocks);
      if (!seconds.ok())
        return seconds.status();
      bool isLast = *seconds >= enoughSeconds || blocks >= 1u << 24 || uint64_t(blocks) * 2 * kernel.bytesPerBlock > free / 2;
      if (isLast)
        return double(kernel.workPerBlock) * blocks / *seconds;
    }
  }

private:
  /// The shortest of several launches.
  Result<double> secondsOf(const GpuKernel &kernel, Function function, uint32_t blocks) {
    Owned<Address> source;
    if (uint64_t bytes = blocks * kernel.bytesPerBlock) {
      MOEC_RETURN_IF_ERROR(acquire(source, driver.memoryAllocate, driver.memoryFree, bytes));
      MOEC_RETURN_IF_ERROR(driver.fill(source.get(), 0, bytes, stream.get()));
    }
    Address addresses[] = {source.get(), result.get()};
    void *parameters[] = {&addresses[0], &addresses[1]};
    double best = 0;
    for (int run = 0; run <= repetitions; ++run) { // the first warms up
      MOEC_RETURN_IF_ERROR(driver.streamSynchronize(stream.get()));
      auto start = std::chrono::steady_clock::now();
      MOEC_RETURN_IF_ERROR(driver.launchKernel(function, blocks, 1, 1, kernel.threads, 1, 1, 0, stream.get(), parameters, nullptr));
      MOEC_RETURN_IF_ERROR(driver.streamSynchronize(stream.get()));
      std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      best = run < 2 ? took.count() : std::min(best, took.count());
    }
    return best;
  }

  const Driver &driver;
  Gpu gpu;
  Owned<Context> context;
  Owned<Stream> stream;
  Owned<Address> result;
};
} // namespace

Result<Gauge> moec::bench::gaugeGpu(int gpu) {
  std::unique_ptr<Driver> driver;
  MOEC_RETURN_IF_ERROR(take(driver, Driver::load("")));
  GpuGauge gauge(*driver);
  MOEC_RETURN_IF_ERROR(gauge.prepare(gpu));
  Limits limits{.machine = gauge.which().name};
  struct Measured {
    GpuKernel kernel;
    double &rate;
  };
  for (const Measured &measured :
       {Measured{readKernel(), limits.readBytes}, {multiplyF32Kernel(), limits.f32Flops}, {multiplyBf16Kernel(), limits.bf16Flops}})
    if (gauge.which().capability >= measured.kernel.capability)
      MOEC_RETURN_IF_ERROR(take(measured.rate, gauge.rateOf(measured.kernel)));
  return Gauge([limits]() -> Result<Limits> { return limits; });
}
