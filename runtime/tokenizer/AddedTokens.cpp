// Tokens that are cut out of a text before anything else happens to it.
#include "runtime/tokenizer/AddedTokens.h"

#include "runtime/tokenizer/UnicodeForms.h"
#include "runtime/tokenizer/Utf8.h"

#include <algorithm>
#include <span>
#include <tuple>
#include <utf8proc.h>

using namespace moec::runtime;

void AddedTokens::add(const artifact::AddedToken &token, std::string content) {
  if (!content.empty())
    entries.push_back(
        {std::move(content), entries.size(), token.id(), token.special(), token.single_word(), token.lstrip(), token.rstrip()});
}

void AddedTokens::prepare() {
  std::ranges::sort(entries, {},
                    [](const Entry &entry) { return std::tuple(std::string_view(entry.content), !entry.special, entry.order); });
  for (size_t i = 0; i < entries.size(); ++i) {
    Range &range = byFirst[static_cast<unsigned char>(entries[i].content[0])];
    range = {range.end ? range.begin : i, i + 1};
  }
}

const AddedTokens::Entry *AddedTokens::longestAt(std::string_view text) const {
  auto byteAt = [](size_t depth) {
    return [depth](const Entry &entry) {
      return depth < entry.content.size() ? static_cast<unsigned char>(entry.content[depth]) : -1;
    };
  };
  const Entry *longest = nullptr;
  Range first = byFirst[static_cast<unsigned char>(text[0])];
  std::span<const Entry> candidates(entries.data() + first.begin,
                                    first.end - first.begin); // begin as the text does, to `depth` bytes
  for (size_t depth = 1; !candidates.empty(); ++depth) {
    if (candidates.front().content.size() == depth)
      longest = &candidates.front();
    if (depth == text.size())
      break;
    auto next = std::ranges::equal_range(candidates, int(static_cast<unsigned char>(text[depth])), {}, byteAt(depth));
    candidates = {next.begin(), next.end()};
  }
  return longest;
}

namespace {
/// What a regular expression of Rust calls \w: letters, marks, digits, connectors, joiners, and the letters in circles and squares.
bool isWord(char32_t c) {
  if (c == 0x200c || c == 0x200d || (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
      (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189))
    return true;
  switch (utf8proc_category(utf8proc_int32_t(c))) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_PC:
    return true;
  default:
    return false;
  }
}
} // namespace

void AddedTokens::split(std::string_view whole, const std::function<void(std::string_view)> &text,
                        const std::function<void(int32_t)> &token) const {
  size_t spacesEnd = 0; // of the spaces that were stripped last
  size_t done = 0;      // where the text begins that has not been handed out
  for (size_t at = 0; !entries.empty() && at < whole.size();) {
    const Entry *entry = longestAt(whole.substr(at));
    if (!entry) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + entry->content.size();
    at = end;
    if (entry->singleWord) {
      std::string_view before = whole.substr(0, begin), after = whole.substr(end);
      if ((!before.empty() && isWord(firstCharacter(before.substr(lastCharacterStart(before))).code)) ||
          (!after.empty() && isWord(firstCharacter(after).code)))
        continue;
    }
    if (entry->leftStrip) {
      while (begin > done) {
        size_t previous = lastCharacterStart(whole.substr(0, begin));
        if (!isWhiteSpace(firstCharacter(whole.substr(previous)).code))
          break;
        begin = previous;
      }
      begin = std::max(begin, done);
    }
    if (entry->rightStrip) {
      end = std::max(end, spacesEnd);
      while (end < whole.size()) {
        Utf8Character next = firstCharacter(whole.substr(end));
        if (!isWhiteSpace(next.code))
          break;
        end += next.length;
      }
      spacesEnd = end;
    }
    if (begin > done)
      text(whole.substr(done, begin - done));
    token(entry->id);
    done = end; // a token of spaces behind one that strips them is found all the same, as in the reference
  }
  if (done < whole.size())
    text(whole.substr(done));
}
