// The command line of moe-bench.
#ifndef MOEC_TOOLS_MOE_BENCH_OPTIONS_H
#define MOEC_TOOLS_MOE_BENCH_OPTIONS_H

#include "tools/moe-bench/Measure.h"

#include <optional>
#include <string>
#include <vector>

namespace moec::bench {

struct Options {
  std::string artifact, weights, format = "md", device = "cpu", isa;
  int repetitions = 5, gpu = 0;
  bool kernels = false;
  // What is not given becomes what machine and model can do, by fitTo.
  std::optional<int64_t> prefill, decode;
  std::vector<int64_t> batches;
  std::vector<int> threads;

  /// Fills in what was not given, and refuses what was and cannot be.
  runtime::Status fitTo(const artifact::Model &model);
  Workload workload() const;
};

/// Parses the arguments. Returns an exit code when there is nothing left to do.
std::optional<int> parseOptions(int argc, char **argv, Options &options);

} // namespace moec::bench

#endif // MOEC_TOOLS_MOE_BENCH_OPTIONS_H
