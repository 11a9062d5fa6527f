// Which pairs of tokens merge, and into what.
#ifndef MOEC_RUNTIME_TOKENIZER_MERGERULES_H
#define MOEC_RUNTIME_TOKENIZER_MERGERULES_H

#include "runtime/schema/Tokenizer_generated.h"

#include <bit>
#include <cstdint>
#include <vector>

namespace moec::runtime {

/// A hash table with open addressing: encoding is mostly looking up here.
class MergeRules {
public:
  /// `ranks` is null where the merges are in the order of their ranks.
  MergeRules(const flatbuffers::Vector<const artifact::Merge *> &merges, const flatbuffers::Vector<uint32_t> *ranks)
      : slots(std::bit_ceil(size_t(merges.size()) * 2 + 1)) {
    for (uint32_t i = 0; i < merges.size(); ++i) {
      const artifact::Merge *merge = merges.Get(i);
      slots[slotOf(merge->left(), merge->right())] = {merge->left(), merge->right(), ranks ? ranks->Get(i) : i, merge->result()};
    }
  }

  struct Rule {
    int32_t left = -1, right = -1;
    uint32_t rank = 0;
    int32_t result = -1;
  };
  /// Null when the two do not merge. Of rules for one pair the last counts, as in the reference.
  const Rule *find(int32_t left, int32_t right) const {
    const Rule &rule = slots[slotOf(left, right)];
    return rule.left < 0 ? nullptr : &rule;
  }

private:
  /// Where the pair is, or the free place where it would be.
  size_t slotOf(int32_t left, int32_t right) const {
    uint64_t hash = (uint64_t(uint32_t(left)) << 32 | uint32_t(right)) * 0x9e3779b97f4a7c15u;
    size_t slot = (hash ^ hash >> 32) & (slots.size() - 1);
    while (slots[slot].left >= 0 && (slots[slot].left != left || slots[slot].right != right))
      slot = (slot + 1) & (slots.size() - 1);
    return slot;
  }
  std::vector<Rule> slots;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_MERGERULES_H
