// What an op costs: arithmetic, memory traffic, launches. The one place where the passes' cost models get their numbers.
#ifndef MOEC_PASSES_COST_H
#define MOEC_PASSES_COST_H

#include "dialects/moe/MoE.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace moec::passes {

/// One sequence's step: `tokens` new tokens, the last of which sees `context` positions.
struct Workload {
  int64_t tokens, context;
};
/// What a step of each phase typically looks like: the default of every cost model.
constexpr Workload typicalPrefill = {512, 512}, typicalDecode = {1, 1024};
/// FLOP that a processor does while it reads a byte from memory, and bytes it reads while a launch starts and ends: about those of
/// two cores with AVX-512 (230 GFLOP/s and 31 GB/s in bf16) and a thread pool that takes 2 microseconds.
constexpr double typicalFlopPerByte = 8;
constexpr int64_t typicalLaunchBytes = 64 * 1024;

/// The workload of `function` by its phase; a function that is not specialised counts as decode.
Workload typicalWorkload(mlir::func::FuncOp function);

/// FLOP, bytes that must move at least once, and launches of one step. Activations are what enters and leaves kernels.
struct Cost {
  double flop = 0, weightBytes = 0, cacheBytes = 0, activationBytes = 0;
  int64_t launches = 0;

  double bytes() const { return weightBytes + cacheBytes + activationBytes; }
  Cost &operator+=(const Cost &other);
};

/// The time of `cost` on a machine that does `flopPerByte` FLOP while it moves a byte, in bytes' time.
double roofline(const Cost &cost, double flopPerByte);

/// The cost of one op when it has `rows` rows, a token's or an output's each. `symbols` remembers where caches are declared.
Cost costOf(mlir::Operation *op, Workload workload, int64_t rows, mlir::SymbolTableCollection &symbols);
/// The cost of all ops of a function.
Cost costOf(mlir::func::FuncOp function, Workload workload);

/// The two forms of a latent attention, whichever `op` is: it is a moe.latent_attention or a moe.absorbed_attention.
Cost expandedAttentionCost(mlir::Operation *op, Workload workload, mlir::SymbolTableCollection &symbols);
Cost absorbedAttentionCost(mlir::Operation *op, Workload workload, mlir::SymbolTableCollection &symbols);

/// Whether `op` is not work of a step: weights and constants are where they are before it starts.
bool isFree(mlir::Operation *op);

} // namespace moec::passes

#endif // MOEC_PASSES_COST_H
