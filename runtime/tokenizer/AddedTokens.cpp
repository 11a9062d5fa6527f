// Tokens that are cut out of a text before anything else happens to it.
#include "runtime/tokenizer/AddedTokens.h"

#include "runtime/tokenizer/Utf8.h"

#include <algorithm>
#include <utf8proc.h>

using namespace moec::runtime;

void AddedTokens::add(const artifact::AddedToken &token, std::string content) {
  if (!content.empty())
    entries.push_back({std::move(content), token.id(), token.single_word(), token.lstrip(), token.rstrip()});
}

void AddedTokens::prepare() {
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) {
    return a.content.size() != b.content.size() ? a.content.size() > b.content.size() : a.id < b.id;
  });
  for (uint32_t i = 0; i < entries.size(); ++i)
    byFirst[static_cast<unsigned char>(entries[i].content[0])].push_back(i);
}

const AddedTokens::Entry *AddedTokens::longestAt(std::string_view text) const {
  for (uint32_t i : byFirst[static_cast<unsigned char>(text[0])])
    if (text.starts_with(entries[i].content))
      return &entries[i];
  return nullptr;
}

namespace {
bool isSpace(char32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
         c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/// What a regular expression calls \w.
bool isWord(char32_t c) {
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

/// Where the last character of valid `text` starts.
size_t lastStart(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
    --at;
  return at;
}
} // namespace

void AddedTokens::split(std::string_view whole, const std::function<void(std::string_view)> &text,
                        const std::function<void(int32_t)> &token) const {
  size_t done = 0; // everything before has been handed out
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
      if ((!before.empty() && isWord(firstCharacter(before.substr(lastStart(before))).code)) ||
          (!after.empty() && isWord(firstCharacter(after).code)))
        continue;
    }
    if (entry->leftStrip)
      while (begin > done) {
        size_t previous = lastStart(whole.substr(0, begin));
        if (previous < done || !isSpace(firstCharacter(whole.substr(previous)).code))
          break;
        begin = previous;
      }
    if (entry->rightStrip)
      while (end < whole.size()) {
        Utf8Character next = firstCharacter(whole.substr(end));
        if (!isSpace(next.code))
          break;
        end += next.length;
      }
    if (begin < done)
      continue; // inside what the token before has swallowed
    if (begin > done)
      text(whole.substr(done, begin - done));
    token(entry->id);
    done = end;
    at = std::max(at, end);
  }
  if (done < whole.size())
    text(whole.substr(done));
}
