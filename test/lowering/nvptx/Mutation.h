// Mistakes that are built into PTX: each changes one statement as a slip of whoever wrote the kernel would.
#ifndef MOEC_TEST_LOWERING_NVPTX_MUTATION_H
#define MOEC_TEST_LOWERING_NVPTX_MUTATION_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moec::test {

struct Mutation {
  std::string_view kind;
  size_t line, lines;   ///< of the statement, from 0
  std::string original; ///< the statement
  std::string changed;  ///< what stands there instead; empty for one that is gone
};

/// Every mistake that the text of a module offers, kind after kind.
std::vector<Mutation> mutationsOf(std::string_view text);

/// One of every `share` of the mistakes, and of each kind if there are enough, chosen by the text and a seed alone.
std::vector<Mutation> chooseMutations(std::string_view text, size_t share, uint64_t seed);

/// The text with the mistake.
std::string mutated(std::string_view text, const Mutation &mutation);
/// The text with what is always reported in its place, which tells whether the statement is ever executed.
std::string trapped(std::string_view text, const Mutation &mutation);

} // namespace moec::test

#endif // MOEC_TEST_LOWERING_NVPTX_MUTATION_H
