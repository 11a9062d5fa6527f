// Kernels with a mistake, which the checks of the kernels' tests should catch.
#ifndef MOEC_TEST_LOWERING_NVPTX_MUTANTKERNEL_H
#define MOEC_TEST_LOWERING_NVPTX_MUTANTKERNEL_H

#include "Mutation.h"

#include <string>
#include <vector>

namespace moec::test {

/// What became of a mutant that was checked.
struct Verdict {
  enum Outcome { reported, wrongNumbers, survived, notReached } outcome;
  std::string test, target;
  Mutation mutation;
};

/// One of how many mistakes that a kernel offers is made, and which.
struct MutantChoice {
  size_t share = 25;
  uint64_t seed = 1;
};
extern MutantChoice mutantChoice;

/// Of all mutants that have been checked so far.
std::vector<Verdict> &verdicts();

} // namespace moec::test

#endif // MOEC_TEST_LOWERING_NVPTX_MUTANTKERNEL_H
