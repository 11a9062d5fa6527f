// The report of a benchmark: Markdown, CSV or JSON.
#ifndef MOEC_TOOLS_MOE_BENCH_REPORT_H
#define MOEC_TOOLS_MOE_BENCH_REPORT_H

#include "tools/moe-bench/KernelTimes.h"

#include <map>

namespace moec::bench {

/// `format`: "md", "csv" or "json". `limits` by number of threads.
std::string report(const std::string &format, const std::string &model, const std::map<int, Limits> &limits,
                   const std::vector<Row> &rows);

/// The same of kernels' times.
std::string reportKernels(const std::string &format, const std::string &model, const std::vector<KernelRow> &rows);

} // namespace moec::bench

#endif // MOEC_TOOLS_MOE_BENCH_REPORT_H
