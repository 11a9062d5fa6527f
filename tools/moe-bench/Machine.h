// What this machine can do at best, measured beside the model.
#ifndef MOEC_TOOLS_MOE_BENCH_MACHINE_H
#define MOEC_TOOLS_MOE_BENCH_MACHINE_H

#include <string>

namespace moec::bench {

/// Best of several short runs.
struct Limits {
  std::string machine;  ///< what was measured: "2 threads", or the name of a GPU
  double readBytes = 0; ///< bytes per second read from memory: one stream a thread or eight, whichever is faster
  double f32Flops = 0;  ///< f32 multiply-adds in the widest vectors, two operations each
  double bf16Flops = 0; ///< bf16 dot products; 0 where there is no such instruction
};

/// Of the host, with all of `threads` at once.
Limits measureLimits(int threads);

} // namespace moec::bench

#endif // MOEC_TOOLS_MOE_BENCH_MACHINE_H
