// The one signature of every kernel, generated or not.
#ifndef MOEC_RUNTIME_KERNELS_KERNEL_H
#define MOEC_RUNTIME_KERNELS_KERNEL_H

#include <cstdint>

namespace moec::runtime {

/// The numbers of one step, read by kernels by position.
struct StepNumbers {
  int64_t tokens;    ///< new tokens, all sequences together
  int64_t outputs;   ///< tokens whose result is wanted
  int64_t sequences; ///< sequences of the step
  int64_t maxPages;  ///< row length of the page table

  bool operator==(const StepNumbers &) const = default;
};

/// How the token of an output is to be chosen from its logits. What comes of it is said in full by the compiler's op moe.sample.
struct SamplingWords {
  enum Choice : int32_t { nothing, largest, draw };
  int32_t choice;
  float scale;      ///< log2(e) / temperature
  int32_t mostKept; ///< of the likeliest ids; 0 for all
  uint32_t share;   ///< of their weight that the likeliest of these must have to be kept, in units of 2^-32; 0 for all
  uint32_t random;
};

/// Computes items [begin, end) of a launch. `buffers` are the launch's buffers in order (for a weight: the address of the array of
/// its parts' addresses); `scratch` is memory of the calling thread alone, 64-byte aligned, as large as the kernel asks for.
/// Never allocates, never calls out; the result does not depend on how the items are split.
using KernelFunction = void (*)(void *const *buffers, const StepNumbers *numbers, void *scratch, int64_t begin, int64_t end);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_KERNELS_KERNEL_H
