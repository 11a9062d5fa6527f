// A kernel that chooses tokens, as a plan's text, and how they are to be chosen, as its argument.
#ifndef MOEC_TEST_LOWERING_KERNEL_SAMPLEDTOKENS_H
#define MOEC_TEST_LOWERING_KERNEL_SAMPLEDTOKENS_H

#include "KernelRun.h"

#include "runtime/kernels/Kernel.h"
#include "llvm/Support/FormatVariadic.h"

#include <array>
#include <bit>

namespace moec::test {

inline std::string sampledTokens(size_t vocabulary) {
  return llvm::formatv("plan.kernel @k items 1 per outputs rows outputs parts [array<i64>, array<i64>] {{\n"
                       "^bb0(%l: tensor<?x{0}xf32>, %s: tensor<?x5xi32>):\n"
                       "  %t = moe.sample %l by %s : tensor<?x{0}xf32>\n"
                       "  plan.return %t : tensor<?x1xi32>\n}\n",
                       vocabulary);
}

inline Tensor tensorOf(const std::vector<runtime::SamplingWords> &settings) {
  Tensor words({int64_t(settings.size()), 5});
  for (size_t i = 0; i < settings.size(); ++i) {
    auto bits = std::bit_cast<std::array<int32_t, 5>>(settings[i]);
    std::copy(bits.begin(), bits.end(), words.row(int64_t(i)).begin());
  }
  return words;
}

} // namespace moec::test

#endif // MOEC_TEST_LOWERING_KERNEL_SAMPLEDTOKENS_H
