// The one signature of every function: what is run as a whole, with tensors of any shape.
#ifndef MOEC_RUNTIME_KERNELS_FUNCTION_H
#define MOEC_RUNTIME_KERNELS_FUNCTION_H

#include <cstdint>

namespace moec::runtime {

/// A tensor, row-major and contiguous; `shape` has as many entries as the tensor's rank.
struct FunctionTensor {
  void *data;
  int64_t *shape;
};

/// What a function may call, read by position. Neither `allocate` without memory nor `fail` returns: they leave the function.
struct FunctionCalls {
  void *context;
  /// Memory at a multiple of 64 bytes, never null. More bytes than there can be are given as 2^64 - 1.
  void *(*allocate)(void *context, uint64_t bytes);
  void (*release)(void *context, void *memory);
  /// Ends the run: `message`, of `length` bytes, says what does not hold.
  void (*fail)(void *context, const char *message, uint64_t length);
};

/// Reads `arguments`, the inputs and then the weights, and says in `results` where the outputs are: in memory that it was given, or
/// in that of an argument or of the code. The shapes of results are the caller's memory. Calls nothing but `calls`.
using FunctionCode = void (*)(const FunctionCalls *calls, const FunctionTensor *arguments, FunctionTensor *results);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_KERNELS_FUNCTION_H
