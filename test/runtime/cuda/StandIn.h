// How tests steer the driver that stands in for libcuda.so.1, and ask what was done with it.
#ifndef MOEC_TEST_RUNTIME_CUDA_STANDIN_H
#define MOEC_TEST_RUNTIME_CUDA_STANDIN_H

#include <cstddef>
#include <cstdint>

/// The machine that it shows.
struct StandInMachine {
  int devices = 1;
  int capability = 80; ///< 10 x major + minor
  int sharedBytes = 163 << 10;
  bool isCooperative = true;
  int multiprocessors = 4, blocksOfMultiprocessor = 2; ///< of each, whatever the kernel
  size_t freeBytes = size_t(1) << 30;
  bool loadsAssembled = false; ///< accept code for a chip, which is then not executed; else refuse it as of another chip
};

// Exported by the library, beside the driver's functions.
extern "C" {
/// As after loading, with another machine.
void standInReset(const StandInMachine *machine);
/// The call with this number (from 0, of all since the reset) fails with `code`; codes from 700 on stay, as faults of kernels do.
void standInFail(uint64_t call, int code);
/// Calls of a function since the reset; of all when `name` is null.
uint64_t standInCalls(const char *name);
/// What was done against the driver's rules or wrong in a kernel, and what is still held: a line each.
const char *standInComplaints();
}

#endif // MOEC_TEST_RUNTIME_CUDA_STANDIN_H
