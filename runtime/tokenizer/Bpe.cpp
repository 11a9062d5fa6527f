// Byte-pair encoding of one piece of text (arXiv 1508.07909), over bytes or characters.
#include "runtime/tokenizer/Bpe.h"

#include "runtime/tokenizer/Utf8.h"

#include <algorithm>
#include <utility>

using namespace moec::runtime;

Bpe::Bpe(const artifact::Tokenizer &tokenizer)
    : tokenizer(tokenizer), rules(*tokenizer.merges(), tokenizer.merge_ranks()), queue(tokenizer.merges()->size()) {
  bytes.fill(-1);
  for (int32_t id : *tokenizer.vocabulary()) {
    std::string_view token = tokenizer.tokens()->Get(uint32_t(id))->string_view();
    if (token.empty())
      continue;
    if (token.size() == 1)
      bytes[static_cast<unsigned char>(token[0])] = id;
    else if (!tokenizer.byte_level() && firstCharacter(token).length == token.size())
      characters.emplace(token, id);
    if (tokenizer.ignore_merges())
      wholeTokens.emplace(token, id);
  }
}

std::vector<Bpe::Symbol> Bpe::spell(std::string_view piece) const {
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  auto add = [&](int32_t id) { symbols.push_back({id, int32_t(symbols.size()) - 1, int32_t(symbols.size()) + 1}); };
  auto tokenOf = [&](std::string_view character) {
    if (character.size() == 1)
      return bytes[static_cast<unsigned char>(character[0])];
    auto found = characters.find(character);
    return found == characters.end() ? -1 : found->second;
  };
  const flatbuffers::Vector<int32_t> *fallback = tokenizer.fallback_tokens();
  auto fallbackOf = [&](char byte) { return fallback->Get(static_cast<unsigned char>(byte)); };

  bool unknown = false; // one is yet to be added
  while (!piece.empty()) {
    std::string_view character = piece.substr(0, tokenizer.byte_level() ? 1 : firstCharacter(piece).length);
    piece.remove_prefix(character.size());
    if (int32_t id = tokenOf(character); id >= 0) {
      if (std::exchange(unknown, false))
        add(tokenizer.unknown_token());
      add(id);
    } else if (fallback && std::ranges::none_of(character, [&](char byte) { return fallbackOf(byte) < 0; })) {
      for (char byte : character) // before an unknown one that is yet to be added: as the reference does it
        add(fallbackOf(byte));
    } else if (tokenizer.unknown_token() >= 0) {
      if (unknown && !tokenizer.fuse_unknown())
        add(tokenizer.unknown_token());
      unknown = true;
    }
  }
  if (unknown)
    add(tokenizer.unknown_token());
  if (!symbols.empty())
    symbols.back().next = -1;
  return symbols;
}

void Bpe::merge(std::vector<Symbol> &symbols) const {
  auto ruleAt = [&](int32_t left) -> const MergeRules::Rule * {
    if (left < 0 || symbols[size_t(left)].id < 0 || symbols[size_t(left)].next < 0)
      return nullptr;
    return rules.find(symbols[size_t(left)].id, symbols[size_t(symbols[size_t(left)].next)].id);
  };
  auto consider = [&](int32_t left) {
    if (const MergeRules::Rule *rule = ruleAt(left))
      queue.push(rule->rank, left);
  };
  for (int32_t i = 0; i + 1 < int32_t(symbols.size()); ++i)
    consider(i);
  while (!queue.empty()) {
    auto [rank, place] = queue.pop();
    // The symbols may have changed since. The reference still merges them when they now give the same token by another rule, which
    // where rules share ranks has the same one.
    const MergeRules::Rule *rule = ruleAt(place);
    bool stays = rule && (tokenizer.merge_ranks() ? rule->rank == rank : rule->result == tokenizer.merges()->Get(rank)->result());
    if (!stays)
      continue;
    Symbol &left = symbols[size_t(place)], &right = symbols[size_t(left.next)];
    left.id = rule->result;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0)
      symbols[size_t(left.next)].previous = place;
    consider(left.previous);
    consider(place);
  }
}

void Bpe::encode(std::string_view piece, std::vector<int32_t> &ids) const {
  if (auto whole = wholeTokens.find(piece); whole != wholeTokens.end()) {
    ids.push_back(whole->second);
    return;
  }
  std::vector<Symbol> symbols = spell(piece);
  if (symbols.empty())
    return;
  merge(symbols);
  for (int32_t at = 0; at >= 0; at = symbols[size_t(at)].next)
    ids.push_back(symbols[size_t(at)].id);
}
