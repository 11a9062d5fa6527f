// Where a step's numbers and inputs lie in the memory that is copied to a device before the step.
#ifndef MOEC_RUNTIME_DEVICES_GPU_STEPLAYOUT_H
#define MOEC_RUNTIME_DEVICES_GPU_STEPLAYOUT_H

#include "runtime/Status.h"
#include "runtime/devices/StepInput.h"

#include <cstddef>

namespace moec::runtime::gpu {

/// The numbers first, then each input with room for the program's largest step, the page table last: the bytes of a step are a
/// prefix.
class StepLayout {
public:
  /// Of a verified program; a sequence has `pagesPerSequence` pages at most.
  StepLayout(const artifact::Program &program, uint64_t pagesPerSequence);

  uint64_t bytes() const { return size; }
  uint64_t offsetOfNumbers() const { return 0; }
  uint64_t offsetOf(artifact::BufferKind input) const;
  /// Of a step with these numbers.
  uint64_t bytesOf(const StepNumbers &numbers) const;

  /// Writes a step's numbers and inputs to memory of `bytes()`; refused when they exceed what was planned.
  Status write(const StepInput &input, std::byte *memory) const;

private:
  static constexpr size_t inputs = 7;
  uint64_t offsets[inputs], capacities[inputs]; ///< in bytes, in the order of BufferKind but for the pages
  uint64_t size;
};

} // namespace moec::runtime::gpu

#endif // MOEC_RUNTIME_DEVICES_GPU_STEPLAYOUT_H
