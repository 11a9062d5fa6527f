// Kernels with a mistake, which the checks of the kernels' tests should catch.
#ifndef MOEC_TEST_LOWERING_NVPTX_MUTANTKERNEL_H
#define MOEC_TEST_LOWERING_NVPTX_MUTANTKERNEL_H

#include "Mutation.h"

#include <optional>
#include <string>
#include <vector>

namespace moec::test {

/// What became of a mutant that was checked.
struct Verdict {
  enum Outcome { reported, wrongNumbers, survived, notReached } outcome;
  std::string test, target;
  Mutation mutation;
};

/// One of how many mistakes that a kernel offers is made, and which: of `share` if somebody asked for that.
struct MutantChoice {
  size_t usualShare = 25;
  std::optional<size_t> share = {};
  uint64_t seed = 1;
};
extern MutantChoice mutantChoice;

/// Of all mutants that have been checked so far.
std::vector<Verdict> &verdicts();

} // namespace moec::test

#endif // MOEC_TEST_LOWERING_NVPTX_MUTANTKERNEL_H
