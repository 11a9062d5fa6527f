// The memory of one run of a function, bounded, and the way out of it when something does not hold.
#include "runtime/devices/cpu/FunctionMemory.h"

#include <cstdlib>
#include <new>

using namespace moec::runtime;

static constexpr uint64_t alignment = 64;

FunctionMemory::~FunctionMemory() {
  for (auto [memory, bytes] : blocks)
    std::free(memory);
}

Status FunctionMemory::run(FunctionCode code, const FunctionTensor *arguments, FunctionTensor *results) {
  return enter(code, arguments, results) ? Status() : failure;
}

bool FunctionMemory::enter(FunctionCode code, const FunctionTensor *arguments, FunctionTensor *results) {
  const FunctionCalls calls{
      .context = this,
      .allocate = [](void *context, uint64_t bytes) -> void * {
        auto &memory = *static_cast<FunctionMemory *>(context);
        if (void *block = memory.allocate(bytes))
          return block;
        std::longjmp(memory.exit, 1); // NOLINT(cert-err52-cpp): no destructor is skipped
      },
      .release = [](void *context, void *memory) { static_cast<FunctionMemory *>(context)->release(memory); },
      .fail =
          [](void *context, const char *message, uint64_t length) {
            auto &memory = *static_cast<FunctionMemory *>(context);
            memory.failure = Status::invalidArgument(std::string(message, length));
            std::longjmp(memory.exit, 1); // NOLINT(cert-err52-cpp): no destructor is skipped
          },
  };
  if (setjmp(exit)) // NOLINT(cert-err52-cpp): no destructor is skipped
    return false;
  code(&calls, arguments, results);
  return true;
}

void *FunctionMemory::allocate(uint64_t bytes) noexcept {
  auto refuse = [&](const char *why) {
    failure = Status::resourceExhausted("a tensor of " + (bytes == UINT64_MAX ? "more than 2^64" : std::to_string(bytes)) +
                                        " bytes, with " + std::to_string(used) + " in use, " + why);
    return nullptr;
  };
  if (bytes > limit || used > limit - bytes)
    return refuse(("is more than the " + std::to_string(limit) + " bytes that a run may have").c_str());
  uint64_t rounded = (bytes / alignment + 1) * alignment; // never nothing, so that every address is another
  void *block = std::aligned_alloc(alignment, rounded);
  if (!block)
    return refuse("is more memory than there is");
  try {
    blocks.emplace(block, bytes);
  } catch (const std::bad_alloc &) {
    std::free(block);
    return refuse("is more memory than there is");
  }
  used += bytes;
  return block;
}

void FunctionMemory::release(void *memory) noexcept {
  auto found = blocks.find(memory);
  if (found == blocks.end())
    return;
  used -= found->second;
  blocks.erase(found);
  std::free(memory);
}
