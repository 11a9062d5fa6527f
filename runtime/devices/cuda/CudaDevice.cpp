// An NVIDIA GPU as a device: memory planned and filled once, prefill launched kernel by kernel, decode replayed as recorded graphs.
#include "runtime/artifact/Bounds.h"
#include "runtime/devices/Device.h"
#include "runtime/devices/cuda/GraphCache.h"
#include "runtime/devices/cuda/Kernels.h"
#include "runtime/devices/cuda/LaunchTimer.h"
#include "runtime/devices/cuda/Upload.h"
#include "runtime/devices/gpu/Launches.h"

#include <algorithm>

using namespace moec::runtime;
using namespace moec::runtime::cuda;
using moec::artifact::Buffer;
using moec::artifact::GpuCode;
using moec::artifact::Manifest;
using moec::artifact::Program;

namespace {
/// Graphs of so many different steps are kept: every size of a batch that is likely to come again.
constexpr size_t keptGraphs = 64;

/// A launch as the driver takes it.
struct PreparedLaunch {
  const LoadedEntry *loaded;
  size_t first, count; ///< as in gpu::Launch
  std::vector<uint64_t> arguments;
  std::vector<void *> places; ///< of the arguments
};

struct PreparedProgram {
  bool isRecorded; ///< once for every kind of step, and then replayed: steps of decode, of which there are few kinds
  std::vector<PreparedLaunch> launches;
  std::vector<uint64_t> outputOffsets; ///< in the memory of the results
};

class CudaDevice : public Device {
public:
  static Result<std::unique_ptr<Device>> create(const Artifact &artifact, const DeviceOptions &options);
  ~CudaDevice() override;

  Status run(size_t program, const StepInput &input) override;
  std::span<const std::byte> output(size_t program, size_t output) override;
  std::string description() const override { return gpu.name + ", " + kernels.description(); }
  std::span<const LaunchTime> launchTimes(size_t program) const override { return timer.times(program); }

private:
  CudaDevice(const Artifact &artifact, std::unique_ptr<Driver> loaded)
      : artifact(artifact), manifest(artifact.manifest()), driver(std::move(loaded)), kernels(*driver), timer(*driver),
        graphs(keptGraphs) {}
  Status prepare(const DeviceOptions &options);
  Status planMemory(uint64_t pages);
  Status allocate();
  Status fillMemory(const std::function<void(uint64_t, uint64_t)> &progress);
  void preparePrograms();
  Status prepareTimer();

  Status step(size_t program, const StepNumbers &numbers, int64_t unread);
  Status enqueue(size_t program, const StepNumbers &numbers, int64_t unread);
  Status enqueue(PreparedLaunch &launch, const StepNumbers &numbers);
  Result<GraphExec> record(size_t program, const StepNumbers &numbers, int64_t unread);

  const Artifact &artifact;
  const Manifest &manifest;
  // Given back in the opposite order: the context last.
  std::unique_ptr<Driver> driver;
  Gpu gpu;
  const GpuCode *code = nullptr;
  Owned<Context> context;
  Kernels kernels;
  Owned<Stream> stream;
  gpu::MemoryPlan memory;
  std::vector<Owned<Address>> allocations;
  Owned<void *> staging; ///< a step's numbers and inputs
  Owned<void *> results; ///< the outputs of the program that ran last
  std::vector<PreparedProgram> programs;
  LaunchTimer timer;
  GraphCache graphs;
  StepNumbers last{};
  Status fault; ///< what ended the context
};

Result<std::unique_ptr<Device>> CudaDevice::create(const Artifact &artifact, const DeviceOptions &options) {
  std::unique_ptr<Driver> driver;
  MOEC_RETURN_IF_ERROR(take(driver, Driver::load(options.driver)));
  std::unique_ptr<CudaDevice> device(new CudaDevice(artifact, std::move(driver)));
  MOEC_RETURN_IF_ERROR(device->prepare(options));
  return std::unique_ptr<Device>(std::move(device));
}

CudaDevice::~CudaDevice() {
  // Everything is given back within its context; that goes last, and leaves the thread as it does.
  if (context.get())
    (void)driver->contextPush(context.get());
}

Status CudaDevice::prepare(const DeviceOptions &options) {
  MOEC_RETURN_IF_ERROR(take(gpu, Gpu::find(*driver, options.gpu)));
  MOEC_RETURN_IF_ERROR(take(code, gpu::chooseGpuCode(artifact, options.isa, gpu.capability, gpu.name)));
  MOEC_RETURN_IF_ERROR(createContext(context, *driver, gpu.ordinal));
  Current current(*driver, context.get());
  MOEC_RETURN_IF_ERROR(current.status());
  MOEC_RETURN_IF_ERROR(kernels.load(artifact, *code, gpu));
  MOEC_RETURN_IF_ERROR(planMemory(options.pages));
  MOEC_RETURN_IF_ERROR(acquire(stream, driver->streamCreate, driver->streamDestroy, nonBlocking));
  MOEC_RETURN_IF_ERROR(allocate());
  preparePrograms();
  if (options.timesLaunches)
    MOEC_RETURN_IF_ERROR(prepareTimer());
  return fillMemory(options.progress);
}

Status CudaDevice::planMemory(uint64_t pages) {
  MOEC_RETURN_IF_ERROR(take(memory, gpu::MemoryPlan::create(artifact, *code, pages)));
  size_t free = 0, all = 0;
  MOEC_RETURN_IF_ERROR(driver->memoryGetInfo(&free, &all));
  if (memory.total() > free)
    return Status::resourceExhausted(
        artifact.path() + " needs " + std::to_string((memory.total() >> 20) + 1) + " MiB of memory (" + memory.describe() + "), " +
        gpu.name + " has " + std::to_string(free >> 20) +
        " MiB free; end other programs on it, or compile with a smaller --max-sequence or --max-batch");
  return {};
}

Status CudaDevice::allocate() {
  for (gpu::Region &region : memory.regions) {
    if (region.bytes == 0)
      continue;
    MOEC_RETURN_IF_ERROR(acquire(allocations.emplace_back(), driver->memoryAllocate, driver->memoryFree, region.bytes));
    region.address = allocations.back().get();
  }
  MOEC_RETURN_IF_ERROR(acquire(staging, driver->pinnedAllocate, driver->pinnedFree, memory.only(gpu::Purpose::step).bytes));
  uint64_t resultBytes = 1;
  for (uint32_t i = 0; i < manifest.programs()->size(); ++i) {
    const Program &program = *manifest.programs()->Get(i);
    PreparedProgram &prepared = programs.emplace_back();
    uint64_t end = 0;
    for (uint32_t output = 0; output < program.outputs()->size(); ++output) {
      prepared.outputOffsets.push_back(end);
      end += (*bytesOf(outputOf(manifest, i, output), largestStep(program)) + 63) / 64 * 64;
    }
    resultBytes = std::max(resultBytes, end);
  }
  return acquire(results, driver->pinnedAllocate, driver->pinnedFree, resultBytes);
}

Status CudaDevice::fillMemory(const std::function<void(uint64_t, uint64_t)> &progress) {
  uint64_t total = memory.only(gpu::Purpose::weights).bytes, done = 0;
  Upload upload(*driver, stream.get());
  MOEC_RETURN_IF_ERROR(upload.begin(total));
  for (const gpu::PlacedPart &part : memory.parts)
    // In pieces, so that the progress of a large part can be seen.
    for (uint64_t at = 0; at < part.bytes;) {
      uint64_t count = std::min<uint64_t>(part.bytes - at, 64 << 20);
      MOEC_RETURN_IF_ERROR(upload.write(memory.only(gpu::Purpose::weights).address + part.offset + at, {part.source + at, count}));
      at += count;
      done += count;
      if (progress)
        progress(done, total);
    }
  std::vector<uint64_t> tables = memory.tables();
  MOEC_RETURN_IF_ERROR(upload.write(memory.only(gpu::Purpose::tables).address, std::as_bytes(std::span(tables))));
  for (const gpu::Region &region : memory.regions)
    if (region.purpose == gpu::Purpose::constants)
      MOEC_RETURN_IF_ERROR(upload.write(region.address, *artifact.section("constants")));
    else if (region.bytes && region.purpose != gpu::Purpose::weights && region.purpose != gpu::Purpose::tables)
      MOEC_RETURN_IF_ERROR(driver->fill(region.address, 0, region.bytes, stream.get()));
  MOEC_RETURN_IF_ERROR(upload.finish());
  if (progress)
    progress(total, total);
  return {};
}

void CudaDevice::preparePrograms() {
  std::vector<std::vector<gpu::Launch>> resolved = gpu::resolveLaunches(manifest, *code, memory, kernels.canChain());
  for (size_t i = 0; i < programs.size(); ++i) {
    programs[i].isRecorded = manifest.programs()->Get(uint32_t(i))->name()->string_view() == "decode";
    for (gpu::Launch &launch : resolved[i]) {
      PreparedLaunch &ready = programs[i].launches.emplace_back();
      ready.loaded = &kernels[launch.entry];
      ready.first = launch.first;
      ready.count = launch.count;
      ready.arguments = std::move(launch.arguments);
      for (uint64_t &argument : ready.arguments)
        ready.places.push_back(&argument);
    }
  }
}

Status CudaDevice::prepareTimer() {
  std::vector<std::vector<LaunchTime>> launches;
  for (const PreparedProgram &program : programs) {
    std::vector<LaunchTime> &each = launches.emplace_back();
    for (const PreparedLaunch &launch : program.launches)
      each.push_back({launch.first, launch.count, 0});
  }
  return timer.prepare(std::move(launches));
}

Status CudaDevice::run(size_t program, const StepInput &input) {
  MOEC_RETURN_IF_ERROR(fault);
  MOEC_RETURN_IF_ERROR(memory.steps[program].write(input, static_cast<std::byte *>(staging.get())));
  Current current(*driver, context.get());
  last = input.numbers();
  Status status = current.status().ok() ? step(program, last, input.unread) : current.status();
  // What still stands after a wait ended the context; anything else concerned this step alone.
  if (!status.ok() && (!current.status().ok() || !driver->streamSynchronize(stream.get()).ok()))
    fault = status;
  return status;
}

Status CudaDevice::step(size_t program, const StepNumbers &numbers, int64_t unread) {
  if (programs[program].isRecorded) {
    GraphExec graph = graphs.find(program, numbers, unread);
    if (!graph)
      MOEC_RETURN_IF_ERROR(take(graph, record(program, numbers, unread)));
    MOEC_RETURN_IF_ERROR(driver->graphLaunch(graph, stream.get()));
  } else {
    MOEC_RETURN_IF_ERROR(enqueue(program, numbers, unread));
  }
  MOEC_RETURN_IF_ERROR(driver->streamSynchronize(stream.get()));
  return timer.add(program);
}

/// Inputs to the device, launches, outputs to the host.
Status CudaDevice::enqueue(size_t program, const StepNumbers &numbers, int64_t unread) {
  MOEC_RETURN_IF_ERROR(driver->copyToDevice(memory.only(gpu::Purpose::step).address, staging.get(),
                                            memory.steps[program].bytesOf(numbers), stream.get()));
  RecordFlags flags = programs[program].isRecorded ? passedByGraph : passedByStream;
  MOEC_RETURN_IF_ERROR(timer.mark(stream.get(), 0, flags));
  for (size_t i = 0; i < programs[program].launches.size(); ++i) {
    MOEC_RETURN_IF_ERROR(enqueue(programs[program].launches[i], numbers));
    MOEC_RETURN_IF_ERROR(timer.mark(stream.get(), i + 1, flags));
  }
  const std::vector<uint64_t> &offsets = programs[program].outputOffsets;
  for (size_t i = 0; i < offsets.size(); ++i) {
    if (int64_t(i) == unread)
      continue;
    const Buffer &buffer = outputOf(manifest, program, i);
    if (uint64_t bytes = *bytesOf(buffer, numbers))
      MOEC_RETURN_IF_ERROR(driver->copyToHost(static_cast<std::byte *>(results.get()) + offsets[i],
                                              memory.only(gpu::Purpose::arena).address + buffer.offset(), bytes, stream.get()));
  }
  return {};
}

Status CudaDevice::enqueue(PreparedLaunch &launch, const StepNumbers &numbers) {
  const auto &[entry, function, residentBlocks] = *launch.loaded;
  std::optional<gpu::Grid> grid = entry.gridOf(*code, numbers, residentBlocks);
  if (!grid)
    return {};
  auto [x, y, z] = *grid;
  if (entry.isChain)
    return driver->launchCooperativeKernel(function, x, y, z, entry.threads, 1, 1, entry.sharedBytes, stream.get(),
                                           launch.places.data());
  return driver->launchKernel(function, x, y, z, entry.threads, 1, 1, entry.sharedBytes, stream.get(), launch.places.data(),
                              nullptr);
}

Result<GraphExec> CudaDevice::record(size_t program, const StepNumbers &numbers, int64_t unread) {
  MOEC_RETURN_IF_ERROR(driver->beginCapture(stream.get(), threadLocal));
  Status enqueued = enqueue(program, numbers, unread);
  Graph recorded{};
  Status ended = driver->endCapture(stream.get(), &recorded); // whatever happened: the stream is needed again
  Owned<Graph> graph;
  if (ended.ok())
    graph = Owned<Graph>(recorded, driver->graphDestroy);
  MOEC_RETURN_IF_ERROR(enqueued);
  MOEC_RETURN_IF_ERROR(ended);
  Owned<GraphExec> executable;
  MOEC_RETURN_IF_ERROR(acquire(executable, driver->graphInstantiate, driver->graphExecDestroy, graph.get(), 0));
  GraphExec handle = executable.get();
  graphs.keep(program, numbers, unread, std::move(executable));
  return handle;
}

std::span<const std::byte> CudaDevice::output(size_t program, size_t output) {
  return {static_cast<const std::byte *>(results.get()) + programs[program].outputOffsets[output],
          *bytesOf(outputOf(manifest, program, output), last)};
}
} // namespace

Result<std::unique_ptr<Device>> moec::runtime::createCudaDevice(const Artifact &artifact, const DeviceOptions &options) {
  return CudaDevice::create(artifact, options);
}
