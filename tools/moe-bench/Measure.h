// Runs a model's phases and takes the time.
#ifndef MOEC_TOOLS_MOE_BENCH_MEASURE_H
#define MOEC_TOOLS_MOE_BENCH_MEASURE_H

#include "runtime/Session.h"
#include "tools/moe-bench/Machine.h"

#include <string>

namespace moec::bench {

struct Workload {
  int64_t prefill = 512, decode = 128;
  int repetitions = 5;
  std::string isa;
  runtime::DeviceFactory createDevice = runtime::createCpuDevice;
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
  double share = 0;       ///< of the limit; 0 where it is not known
  std::string limit = {}; ///< what limits it: "read", "f32", "bf16"
  double limitRate = 0;   ///< the rate at the limit
};

/// Prefills one sequence and decodes `batch` of them, with `threads` threads; appends a row for each.
runtime::Status measure(const runtime::Artifact &artifact, const Workload &workload, int64_t batch, int threads,
                        const Limits &limits, std::vector<Row> &rows);

} // namespace moec::bench

#endif // MOEC_TOOLS_MOE_BENCH_MEASURE_H
