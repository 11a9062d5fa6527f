// Normal forms and lower case of Unicode text, as the reference computes them.
#include "runtime/tokenizer/UnicodeForms.h"

#include "runtime/tokenizer/Utf8.h"

#include <algorithm>
#include <utf8proc.h>
#include <vector>

using namespace moec::runtime;

namespace {
/// Characters of utf8proc's Unicode 15 that Unicode 9 does not know and that would change or move under normalization: they have a
/// decomposition or a combining class.
constexpr struct {
  char32_t first, last;
} newer[] = {{0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},     {0xc3c, 0xc3c},     {0xd3b, 0xd3c},
             {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},   {0x32ff, 0x32ff},   {0xa7f2, 0xa7f4},
             {0xa82c, 0xa82c},   {0xab69, 0xab69},   {0x10781, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba}, {0x10d24, 0x10d27},
             {0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b},
             {0x1145e, 0x1145e}, {0x11839, 0x1183a}, {0x11938, 0x11938}, {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0},
             {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42}, {0x11d44, 0x11d45}, {0x11d97, 0x11d97},
             {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1}, {0x1e030, 0x1e06d}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae},
             {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}, {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9}};

bool isNewer(char32_t code) {
  return std::ranges::any_of(newer, [&](const auto &range) { return code >= range.first && code <= range.last; });
}

int combiningClass(utf8proc_int32_t code) { return isNewer(char32_t(code)) ? 0 : utf8proc_get_property(code)->combining_class; }

/// Appends what `code` decomposes into.
void decompose(char32_t code, bool compatible, std::vector<utf8proc_int32_t> &codes) {
  if (code < 0x80 || isNewer(code)) {
    codes.push_back(utf8proc_int32_t(code));
    return;
  }
  utf8proc_int32_t parts[32]; // the longest decomposition, of U+FDFA, has 18
  int lastClass = UTF8PROC_BOUNDCLASS_START;
  int options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
  utf8proc_ssize_t count =
      utf8proc_decompose_char(utf8proc_int32_t(code), parts, std::size(parts), utf8proc_option_t(options), &lastClass);
  codes.insert(codes.end(), parts, parts + std::clamp<utf8proc_ssize_t>(count, 0, std::ssize(parts)));
}

/// The canonical ordering: combining marks by class, those of one class as they stand.
void orderMarks(std::vector<utf8proc_int32_t> &codes) {
  std::vector<uint64_t> marks; // class, place and code of each, to be sorted as one number
  for (size_t begin = 0; begin < codes.size();) {
    marks.clear();
    size_t end = begin;
    for (; end < codes.size(); ++end) {
      uint64_t combining = uint64_t(combiningClass(codes[end]));
      if (combining == 0)
        break;
      marks.push_back(combining << 56 | uint64_t(end - begin) << 24 | uint64_t(codes[end]));
    }
    std::ranges::sort(marks);
    for (uint64_t mark : marks)
      codes[begin++] = utf8proc_int32_t(mark & 0xffffff);
    begin = end + 1;
  }
}

std::string encoded(const std::vector<utf8proc_int32_t> &codes) {
  std::string text;
  for (utf8proc_int32_t code : codes)
    appendCharacter(char32_t(code), text);
  return text;
}
} // namespace

std::string moec::runtime::normalForm(std::string_view text, NormalForm form) {
  std::vector<utf8proc_int32_t> codes;
  codes.reserve(text.size());
  while (!text.empty()) {
    Utf8Character character = firstCharacter(text);
    decompose(character.code, form.compatible, codes);
    text.remove_prefix(character.length);
  }
  orderMarks(codes);
  if (form.compose) {
    utf8proc_ssize_t length =
        utf8proc_normalize_utf32(codes.data(), std::ssize(codes), utf8proc_option_t(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    codes.resize(size_t(std::max<utf8proc_ssize_t>(length, 0)));
  }
  return encoded(codes);
}

/// Lower cases that are newer than utf8proc's tables, as distances.
constexpr struct {
  char32_t first, last;
  int distance;
} newerLowerCases[] = {
    {0x1c89, 0x1c89, 1},      {0xa7cb, 0xa7cb, 0x264 - 0xa7cb},
    {0xa7cc, 0xa7cc, 1},      {0xa7ce, 0xa7ce, 1},
    {0xa7d2, 0xa7d2, 1},      {0xa7d4, 0xa7d4, 1},
    {0xa7da, 0xa7da, 1},      {0xa7dc, 0xa7dc, 0x19b - 0xa7dc},
    {0x10d50, 0x10d65, 0x20}, {0x16ea0, 0x16eb8, 0x1b},
};

static char32_t lowerCase(char32_t code) {
  for (const auto &[first, last, distance] : newerLowerCases)
    if (code >= first && code <= last)
      return char32_t(int(code) + distance);
  return char32_t(utf8proc_tolower(utf8proc_int32_t(code)));
}

bool moec::runtime::isWhiteSpace(char32_t code) {
  return (code >= 9 && code <= 13) || code == 0x20 || code == 0x85 || code == 0xa0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f ||
         code == 0x3000;
}

std::string moec::runtime::lowerCase(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    Utf8Character character = firstCharacter(text);
    if (character.code == 0x130) // the one character whose lower case has two
      result += "i\u0307";
    else
      appendCharacter(::lowerCase(character.code), result);
    text.remove_prefix(character.length);
  }
  return result;
}
