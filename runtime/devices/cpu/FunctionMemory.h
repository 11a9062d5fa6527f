// The memory of one run of a function, bounded, and the way out of it when something does not hold.
#ifndef MOEC_RUNTIME_DEVICES_CPU_FUNCTIONMEMORY_H
#define MOEC_RUNTIME_DEVICES_CPU_FUNCTIONMEMORY_H

#include "runtime/Status.h"
#include "runtime/kernels/Function.h"

#include <csetjmp>
#include <memory>
#include <unordered_map>

namespace moec::runtime {

class FunctionMemory {
public:
  /// At most `limit` bytes at a time.
  explicit FunctionMemory(uint64_t limit) : limit(limit) {}
  ~FunctionMemory();
  FunctionMemory(const FunctionMemory &) = delete;

  /// Runs `code`. What it allocated and did not release stays as long as this object. Fails with the code's own message, or when it
  /// needs more memory than there may be.
  Status run(FunctionCode code, const FunctionTensor *arguments, FunctionTensor *results);

private:
  bool enter(FunctionCode code, const FunctionTensor *arguments, FunctionTensor *results);
  void *allocate(uint64_t bytes) noexcept;
  void release(void *memory) noexcept;

  const uint64_t limit;
  uint64_t used = 0;
  std::unordered_map<void *, uint64_t> blocks; ///< bytes of each
  Status failure;
  std::jmp_buf exit; ///< code has no frames that unwind: it is left by a jump to here
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_DEVICES_CPU_FUNCTIONMEMORY_H
