// Where a step's numbers and inputs lie in the memory that is copied to a device before the step.
#include "runtime/devices/gpu/StepLayout.h"

#include <cstring>

using namespace moec::runtime;
using namespace moec::runtime::gpu;
using moec::artifact::BufferKind;
using moec::artifact::Program;

namespace {
constexpr uint64_t alignment = 64;

/// In the order in which they lie; the pages, by far the largest, are last.
constexpr BufferKind order[] = {BufferKind::token_ids,     BufferKind::positions, BufferKind::token_sequence, BufferKind::starts,
                                BufferKind::output_tokens, BufferKind::sampling,  BufferKind::pages};
constexpr uint64_t samplingWords = sizeof(SamplingWords) / sizeof(int32_t);

size_t indexOf(BufferKind input) {
  size_t index = 0;
  while (order[index] != input)
    ++index;
  return index;
}
} // namespace

StepLayout::StepLayout(const Program &program, uint64_t pagesPerSequence) : size(sizeof(StepNumbers)) {
  uint64_t tokens = program.max_tokens(), sequences = program.max_sequences();
  uint64_t outputs = program.max_outputs();
  uint64_t counts[inputs] = {tokens, tokens, tokens, sequences + 1, outputs, outputs * samplingWords, sequences * pagesPerSequence};
  for (size_t i = 0; i < inputs; ++i) {
    offsets[i] = (size + alignment - 1) / alignment * alignment;
    capacities[i] = counts[i] * sizeof(int32_t);
    size = offsets[i] + capacities[i];
  }
}

uint64_t StepLayout::offsetOf(BufferKind input) const { return offsets[indexOf(input)]; }

uint64_t StepLayout::bytesOf(const StepNumbers &numbers) const {
  return offsets[inputs - 1] + uint64_t(numbers.sequences * numbers.maxPages) * sizeof(int32_t);
}

Status StepLayout::write(const StepInput &input, std::byte *memory) const {
  for (size_t i = 0; i < inputs; ++i) {
    std::span<const int32_t> values = input.of(order[i]);
    if (values.size_bytes() > capacities[i])
      return Status::invalidArgument("expected at most " + std::to_string(capacities[i] / sizeof(int32_t)) + " " +
                                     EnumNameBufferKind(order[i]) + " in a step, got " + std::to_string(values.size()));
    if (!values.empty())
      std::memcpy(memory + offsets[i], values.data(), values.size_bytes());
  }
  StepNumbers numbers = input.numbers();
  std::memcpy(memory + offsetOfNumbers(), &numbers, sizeof numbers);
  return {};
}
