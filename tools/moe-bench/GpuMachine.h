// What a GPU can do at best, measured beside the model.
#ifndef MOEC_TOOLS_MOE_BENCH_GPUMACHINE_H
#define MOEC_TOOLS_MOE_BENCH_GPUMACHINE_H

#include "runtime/Status.h"
#include "tools/moe-bench/Machine.h"

namespace moec::bench {

/// Of one of the machine's GPUs, from 0: memory read in order by all of it, f32 multiply-adds, and bf16 products by mma.sync.
/// Measured once, before the model takes the memory.
runtime::Result<Gauge> gaugeGpu(int gpu);

} // namespace moec::bench

#endif // MOEC_TOOLS_MOE_BENCH_GPUMACHINE_H
