// What this machine can do at best, measured beside the model.
#ifndef MOEC_TOOLS_MOE_BENCH_MACHINE_H
#define MOEC_TOOLS_MOE_BENCH_MACHINE_H

namespace moec::bench {

/// Best of several short runs with all of `threads` at once.
struct Limits {
  double readBytes = 0; ///< bytes per second read from memory: one stream a thread or eight, whichever is faster
  double f32Flops = 0;  ///< f32 multiply-adds in the widest vectors, two operations each
  double bf16Flops = 0; ///< bf16 dot products; 0 where the processor has no such instruction
};

Limits measureLimits(int threads);

} // namespace moec::bench

#endif // MOEC_TOOLS_MOE_BENCH_MACHINE_H
