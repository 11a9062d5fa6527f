// What sizes and launches come to in a step, within bounds that no model reaches.
#include "runtime/artifact/Bounds.h"

using namespace moec;
using namespace moec::artifact;

std::optional<uint64_t> runtime::product(std::initializer_list<uint64_t> factors) {
  uint64_t result = 1;
  for (uint64_t factor : factors)
    if (__builtin_mul_overflow(result, factor, &result) || result > maxBytes)
      return std::nullopt;
  return result;
}

uint64_t runtime::bytesOf(ElementType type) {
  switch (type) {
  case ElementType::u8:
  case ElementType::i8:
  case ElementType::boolean:
    return 1;
  case ElementType::f16:
  case ElementType::bf16:
  case ElementType::i16:
  case ElementType::u16:
    return 2;
  case ElementType::f32:
  case ElementType::i32:
  case ElementType::u32:
    return 4;
  case ElementType::i64:
  case ElementType::u64:
  case ElementType::f64:
    return 8;
  }
  return 0;
}

uint64_t runtime::pagesFor(const Model &model, uint64_t positions) {
  return (positions + model.page_size() - 1) / model.page_size();
}

std::optional<uint64_t> runtime::bytesOf(const Cache &cache, const Model &model, uint64_t pages) {
  uint64_t rows = (model.page_size() - 1) / cache.block() + 1;
  return product({pages, rows, cache.width(), bytesOf(cache.element())});
}

runtime::StepNumbers runtime::largestStep(const Program &program) {
  return {program.max_tokens(), program.max_outputs(), program.max_sequences(), 0};
}

uint64_t runtime::unitsOf(Extent extent, const StepNumbers &numbers) {
  switch (extent) {
  case Extent::constant:
    return 1;
  case Extent::tokens:
    return uint64_t(numbers.tokens);
  case Extent::outputs:
    return uint64_t(numbers.outputs);
  case Extent::sequences:
    return uint64_t(numbers.sequences);
  }
  return 0;
}

std::optional<uint64_t> runtime::valueOf(const LaunchDimension &dimension, const StepNumbers &numbers) {
  uint64_t units = unitsOf(dimension.extent(), numbers), divisor = dimension.divisor();
  std::optional<uint64_t> grown = product({units / divisor + (units % divisor != 0), dimension.factor()});
  if (!grown || dimension.addend() > maxBytes - *grown)
    return std::nullopt;
  return *grown + dimension.addend();
}

std::optional<uint64_t> runtime::bytesOf(const Buffer &buffer, const StepNumbers &numbers) {
  return product({unitsOf(buffer.extent(), numbers), buffer.rows_per_unit(), buffer.width(), bytesOf(buffer.element())});
}

std::map<uint32_t, std::vector<const Program *>> runtime::launchers(const Manifest &manifest) {
  std::map<uint32_t, std::vector<const Program *>> programsOf;
  for (const Program *program : *manifest.programs())
    for (const Launch *launch : *program->launches())
      if (std::vector<const Program *> &programs = programsOf[launch->kernel()]; programs.empty() || programs.back() != program)
        programs.push_back(program);
  return programsOf;
}

const Buffer &runtime::outputOf(const Manifest &manifest, size_t program, size_t output) {
  const Output *found = manifest.programs()->Get(uint32_t(program))->outputs()->Get(uint32_t(output));
  return *manifest.buffers()->Get(found->buffer());
}
