// Byte-pair encoding of one piece of text (arXiv 1508.07909), over bytes.
#include "runtime/tokenizer/Bpe.h"

#include <queue>

using namespace moec::runtime;

Bpe::Bpe(const artifact::Tokenizer &tokenizer) : tokenizer(tokenizer) {
  rules.reserve(tokenizer.merges()->size());
  for (uint32_t rank = 0; rank < tokenizer.merges()->size(); ++rank) {
    const artifact::Merge *merge = tokenizer.merges()->Get(rank);
    rules[keyOf(merge->left(), merge->right())] = {rank, merge->result()}; // of equal pairs the last counts, as in the reference
  }
  if (tokenizer.ignore_merges())
    for (uint32_t id = 0; id < tokenizer.tokens()->size(); ++id)
      if (std::string_view bytes = tokenizer.tokens()->Get(id)->string_view(); !bytes.empty())
        wholeTokens.emplace(bytes, int32_t(id));
}

void Bpe::encode(std::string_view piece, std::vector<int32_t> &ids) const {
  if (auto whole = wholeTokens.find(piece); whole != wholeTokens.end()) {
    ids.push_back(whole->second);
    return;
  }
  // A doubly linked list of symbols; a merged right symbol becomes empty.
  struct Symbol {
    int32_t id, previous, next;
  };
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  for (char c : piece)
    if (int32_t id = tokenizer.byte_tokens()->Get(static_cast<unsigned char>(c)); id >= 0)
      symbols.push_back({id, int32_t(symbols.size()) - 1, int32_t(symbols.size()) + 1});
  if (symbols.empty())
    return;
  symbols.back().next = -1;

  struct Candidate {
    uint32_t rank;
    int32_t left;
    int32_t result;
    uint64_t pair; ///< what the symbols were when this was queued: it is stale when they have changed
    bool operator<(const Candidate &other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
  };
  std::priority_queue<Candidate> queue;
  auto consider = [&](int32_t left) {
    if (left < 0 || symbols[size_t(left)].next < 0)
      return;
    uint64_t pair = keyOf(symbols[size_t(left)].id, symbols[size_t(symbols[size_t(left)].next)].id);
    if (auto rule = rules.find(pair); rule != rules.end())
      queue.push({rule->second.rank, left, rule->second.result, pair});
  };
  for (int32_t i = 0; i + 1 < int32_t(symbols.size()); ++i)
    consider(i);
  while (!queue.empty()) {
    Candidate best = queue.top();
    queue.pop();
    Symbol &left = symbols[size_t(best.left)];
    if (left.id < 0 || left.next < 0 || keyOf(left.id, symbols[size_t(left.next)].id) != best.pair)
      continue;
    Symbol &right = symbols[size_t(left.next)];
    left.id = best.result;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0)
      symbols[size_t(left.next)].previous = best.left;
    consider(left.previous);
    consider(best.left);
  }
  for (int32_t at = 0; at >= 0; at = symbols[size_t(at)].next)
    ids.push_back(symbols[size_t(at)].id);
}
