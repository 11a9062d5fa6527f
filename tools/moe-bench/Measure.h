// Runs a model's phases and takes the time.
#ifndef MOEC_TOOLS_MOE_BENCH_MEASURE_H
#define MOEC_TOOLS_MOE_BENCH_MEASURE_H

#include "runtime/Session.h"
#include "tools/moe-bench/Machine.h"

#include <span>
#include <string>
#include <vector>

namespace moec::bench {

/// What is run, and on what.
struct Workload {
  int64_t prefill = 512, decode = 128; ///< tokens; 0 to leave out
  std::vector<int64_t> batches = {1};  ///< sequences decoded together
  int repetitions = 5;                 ///< after one run that warms up
  runtime::DeviceOptions device = {};
  runtime::DeviceFactory createDevice = runtime::createCpuDevice;

  /// Those that are decoded; none where decoding is left out.
  std::span<const int64_t> decodedBatches() const { return decode ? std::span(batches) : std::span<const int64_t>(); }
};

struct Statistics {
  double mean = 0, deviation = 0; ///< sample deviation
};

/// One line of the report.
struct Row {
  std::string test = {}; ///< "prefill 512", "decode 128", "first token"
  int64_t batch = 1;
  int threads = 1;
  Statistics rate = {};   ///< tokens per second, all sequences together; of "first token": seconds
  double share = 0;       ///< of the limit, the mean of all repetitions; 0 where there is none
  std::string limit = {}; ///< what limits it: "read", "f32", "bf16"
  double limitRate = 0;   ///< the rate at the limit
};

/// Prefills one sequence, decodes each batch, and takes the time to a first token; appends a row for each. Measures the machine
/// between the repetitions, each of which is compared with what the gauge gave just before and after; `limits` is their mean.
runtime::Status measure(const runtime::Artifact &artifact, const Workload &workload, const Gauge &gauge, Limits &limits,
                        std::vector<Row> &rows);

/// Does the same work once, without taking the time, and gives what the device has counted.
runtime::Result<std::string> count(const runtime::Artifact &artifact, const Workload &workload);

} // namespace moec::bench

#endif // MOEC_TOOLS_MOE_BENCH_MEASURE_H
