// Takes the time of every kernel.
#ifndef MOEC_TOOLS_MOE_BENCH_KERNELTIMES_H
#define MOEC_TOOLS_MOE_BENCH_KERNELTIMES_H

#include "tools/moe-bench/Measure.h"

namespace moec::bench {

/// What a kernel takes in a run: of a prompt all of it, of decoding one step.
struct KernelRow {
  std::string test;   ///< "prefill 512", "decode 128"
  int64_t batch;      ///< sequences decoded together
  int threads;        ///< of the host
  std::string kernel; ///< several with '+' between where they are one launch
  size_t launches;    ///< of it in a step; a long prompt takes several
  double seconds;     ///< all launches together, the mean of the repetitions
  double share;       ///< of the seconds of all kernels
  double flops;       ///< a second
  double readBytes;   ///< a second, in decode steps of one sequence; else 0, as experts are chosen when it runs
};

/// Runs what measure() does on a device that takes times; appends the kernels of each test, longest first.
runtime::Status timeKernels(const runtime::Artifact &artifact, Workload workload, std::vector<KernelRow> &rows);

} // namespace moec::bench

#endif // MOEC_TOOLS_MOE_BENCH_KERNELTIMES_H
