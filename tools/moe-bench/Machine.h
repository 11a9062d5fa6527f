// What this machine can do at best, measured beside the model.
#ifndef MOEC_TOOLS_MOE_BENCH_MACHINE_H
#define MOEC_TOOLS_MOE_BENCH_MACHINE_H

#include "runtime/Status.h"

#include <functional>
#include <span>
#include <string>

namespace moec::bench {

struct Limits {
  std::string machine;  ///< what was measured: "2 threads", or the name of a GPU
  double readBytes = 0; ///< bytes per second read from memory: one stream a thread or eight, whichever is faster
  double f32Flops = 0;  ///< f32 multiply-adds in the widest vectors, two operations each
  double bf16Flops = 0; ///< bf16 dot products; 0 where there is no such instruction
};

/// Of one machine, at different times; at least one.
Limits meanOf(std::span<const Limits> measured);

/// Measures what a machine can do at the moment: on one that others share this changes from one second to the next.
using Gauge = std::function<runtime::Result<Limits>()>;

/// Of the host, with all of `threads` at once.
runtime::Result<Gauge> gaugeHost(int threads);

} // namespace moec::bench

#endif // MOEC_TOOLS_MOE_BENCH_MACHINE_H
