// moe-bench: measures a compiled model against what the machine can do.
#include "tools/CommandLine.h"
#include "tools/moe-bench/GpuMachine.h"
#include "tools/moe-bench/KernelTimes.h"
#include "tools/moe-bench/Options.h"
#include "tools/moe-bench/Report.h"

#include <iostream>

using namespace moec;
using namespace moec::bench;
using namespace moec::runtime;

/// What the machine and the model do with each number of threads.
static Status measureAll(const Options &options, const Artifact &artifact, Workload workload) {
  std::map<int, Limits> limits;
  std::vector<Row> rows;
  for (int threads : options.threads) {
    Gauge gauge;
    MOEC_RETURN_IF_ERROR(take(gauge, options.device == "cuda" ? gaugeGpu(options.gpu) : gaugeHost(threads)));
    workload.device.threads = threads;
    MOEC_RETURN_IF_ERROR(measure(artifact, workload, gauge, limits[threads], rows));
  }
  std::cout << report(options.format, options.artifact, limits, rows);
  return {};
}

/// What each kernel takes with each number of threads.
static Status timeAllKernels(const Options &options, const Artifact &artifact, Workload workload) {
  std::vector<KernelRow> rows;
  for (int threads : options.threads) {
    workload.device.threads = threads;
    MOEC_RETURN_IF_ERROR(timeKernels(artifact, workload, rows));
  }
  std::cout << reportKernels(options.format, options.artifact, rows);
  return {};
}

/// What the emulator counts is the same with any number of threads.
static Status countAll(const Options &options, const Artifact &artifact, Workload workload) {
  workload.device.threads = options.threads.back();
  std::string table;
  MOEC_RETURN_IF_ERROR(take(table, count(artifact, workload)));
  std::cout << table;
  return {};
}

static Status run(Options &options) {
  std::unique_ptr<Artifact> artifact;
  MOEC_RETURN_IF_ERROR(take(artifact, Artifact::open(options.artifact, {false, options.weights})));
  MOEC_RETURN_IF_ERROR(options.fitTo(*artifact->manifest().model()));
  Workload workload = options.workload();
  MOEC_RETURN_IF_ERROR(take(workload.createDevice, deviceNamed(options.device)));
  auto *work = options.device == "emulator" ? countAll : options.kernels ? timeAllKernels : measureAll;
  return work(options, *artifact, workload);
}

int main(int argc, char **argv) {
  Options options;
  if (std::optional<int> code = parseOptions(argc, argv, options))
    return *code;
  Status status = run(options);
  return tools::finishOutput(status.ok() ? 0 : tools::complain(status));
}
