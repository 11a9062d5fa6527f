// Python's functions of strings.
#include "runtime/chat/Text.h"

#include "runtime/tokenizer/UnicodeForms.h"
#include "runtime/tokenizer/Utf8.h"

#include <algorithm>
#include <utf8proc.h>

using namespace moec::runtime;

namespace {
/// Whether the first character is one of str.isspace: separators of fields and lines, too.
bool isSpaceAt(std::string_view text) {
  Utf8Character character = firstCharacter(text);
  return character.valid && (isWhiteSpace(character.code) || (character.code >= 0x1c && character.code <= 0x1f));
}
bool isLetterAt(std::string_view text) {
  Utf8Character character = firstCharacter(text);
  utf8proc_category_t category = utf8proc_category(utf8proc_int32_t(character.code));
  return character.valid &&
         (category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT);
}
} // namespace

std::string chat::strip(std::string_view text, const std::optional<std::string> &characters, bool left, bool right) {
  auto goes = [&](std::string_view character) {
    return characters ? characters->find(character) != std::string::npos : isSpaceAt(character);
  };
  while (left && !text.empty()) {
    size_t size = firstCharacter(text).length;
    if (!goes(text.substr(0, size)))
      break;
    text.remove_prefix(size);
  }
  while (right && !text.empty()) {
    std::string_view last = text.substr(lastCharacterStart(text));
    if (!goes(last))
      break;
    text.remove_suffix(last.size());
  }
  return std::string(text);
}

std::string chat::lower(std::string_view text) { return lowerCase(text); }

std::string chat::upper(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    Utf8Character character = firstCharacter(text);
    if (character.code == 0xdf) // the commonest of those whose upper case has two characters
      result += "SS";
    else if (character.valid)
      appendCharacter(char32_t(utf8proc_toupper(utf8proc_int32_t(character.code))), result);
    else
      result += text.substr(0, character.length);
    text.remove_prefix(character.length);
  }
  return result;
}

std::string chat::capitalize(std::string_view text) {
  size_t first = text.empty() ? 0 : firstCharacter(text).length;
  return upper(text.substr(0, first)) + lower(text.substr(first));
}

/// Capitalizes words; a character of which `goesOn` holds is followed by one of the same word.
static std::string capitalizeWords(std::string_view text, bool (*goesOn)(std::string_view character)) {
  std::string result;
  bool inWord = false;
  while (!text.empty()) {
    std::string_view one = text.substr(0, firstCharacter(text).length);
    result += inWord ? lowerCase(one) : chat::upper(one);
    inWord = goesOn(one);
    text.remove_prefix(one.size());
  }
  return result;
}

std::string chat::title(std::string_view text) { return capitalizeWords(text, isLetterAt); }

std::string chat::titleWords(std::string_view text) {
  return capitalizeWords(text,
                         [](std::string_view one) { return !isSpaceAt(one) && std::string_view("-({[<").find(one) == one.npos; });
}

std::string chat::replace(std::string_view text, std::string_view from, std::string_view to, int64_t count) {
  std::string result;
  if (from.empty()) { // before every character and at the end
    while (count-- != 0) {
      result += to;
      if (text.empty())
        return result;
      size_t size = firstCharacter(text).length;
      result += text.substr(0, size);
      text.remove_prefix(size);
    }
    return result.append(text);
  }
  size_t at = 0;
  for (size_t found; count != 0 && (found = text.find(from, at)) != std::string_view::npos; at = found + from.size(), --count)
    result.append(text, at, found - at).append(to);
  return result.append(text, at);
}

std::vector<std::string> chat::split(std::string_view text, const std::optional<std::string> &separator, int64_t count,
                                     bool fromRight) {
  std::vector<std::string> pieces;
  auto cutFromRight = [&] {
    for (size_t found; count-- != 0 && (found = text.rfind(*separator)) != std::string_view::npos; text = text.substr(0, found))
      pieces.emplace_back(text.substr(found + separator->size()));
    pieces.emplace_back(text);
    std::ranges::reverse(pieces);
  };
  if (separator && fromRight) {
    cutFromRight();
    return pieces;
  }
  if (separator) {
    for (size_t found; count-- != 0 && (found = text.find(*separator)) != std::string_view::npos;
         text.remove_prefix(found + separator->size()))
      pieces.emplace_back(text.substr(0, found));
    pieces.emplace_back(text);
    return pieces;
  }
  while (!text.empty()) {
    if (isSpaceAt(text)) {
      text.remove_prefix(firstCharacter(text).length);
      continue;
    }
    if (count-- == 0) {
      pieces.push_back(strip(text, std::nullopt, false, true));
      break;
    }
    size_t size = 0;
    while (size < text.size() && !isSpaceAt(text.substr(size)))
      size += firstCharacter(text.substr(size)).length;
    pieces.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return pieces;
}

std::vector<std::string> chat::splitLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    size_t end = std::min(text.find_first_of("\n\r"), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + (text.substr(end).starts_with("\r\n") ? 2 : 1), text.size()));
  }
  return lines;
}

size_t chat::length(std::string_view text) {
  return size_t(std::ranges::count_if(text, [](char c) { return !isContinuation(c); }));
}
