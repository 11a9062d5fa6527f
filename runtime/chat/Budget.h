// The bounds of one rendering of a chat template.
#ifndef MOEC_RUNTIME_CHAT_BUDGET_H
#define MOEC_RUNTIME_CHAT_BUDGET_H

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace moec::runtime::chat {

/// What a template may still do: steps of interpreting and bytes of text made. One step is worth `bytesPerStep` bytes.
class Budget {
public:
  static constexpr int64_t maxSteps = 4'000'000;
  static constexpr size_t bytesPerStep = 64, maxText = 16 << 20;
  /// False when nothing is left.
  bool spend(size_t count = 1) {
    left -= std::min(int64_t(count), left);
    return left > 0;
  }
  bool spendBytes(size_t bytes) { return spend(bytes / bytesPerStep); }
  bool isSpent() const { return left <= 0; }

private:
  int64_t left = maxSteps;
};

} // namespace moec::runtime::chat

#endif // MOEC_RUNTIME_CHAT_BUDGET_H
