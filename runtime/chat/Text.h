// Python's functions of strings.
#ifndef MOEC_RUNTIME_CHAT_TEXT_H
#define MOEC_RUNTIME_CHAT_TEXT_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moec::runtime::chat {

/// Without the characters of `characters` (whitespace when there are none given) at either end.
std::string strip(std::string_view text, const std::optional<std::string> &characters, bool left, bool right);
std::string lower(std::string_view text);
std::string upper(std::string_view text);
/// The first character in upper case, the others in lower case.
std::string capitalize(std::string_view text);
/// Every word capitalized, where a word is a run of letters.
std::string title(std::string_view text);
/// Every word capitalized, where a word begins behind whitespace, a hyphen or an opening bracket: Jinja's filter.
std::string titleWords(std::string_view text);
/// At most `count` replacements; all when it is negative.
std::string replace(std::string_view text, std::string_view from, std::string_view to, int64_t count);
/// Pieces between separators (none of them empty), or words between whitespace; at most `count` cuts unless it is negative, from
/// the right when `fromRight`.
std::vector<std::string> split(std::string_view text, const std::optional<std::string> &separator, int64_t count, bool fromRight);
std::vector<std::string> splitLines(std::string_view text);
/// In characters.
size_t length(std::string_view text);

} // namespace moec::runtime::chat

#endif // MOEC_RUNTIME_CHAT_TEXT_H
