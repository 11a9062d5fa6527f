// Cuts a chat template into text, and tags into tokens.
#ifndef MOEC_RUNTIME_CHAT_LEXER_H
#define MOEC_RUNTIME_CHAT_LEXER_H

#include "runtime/Status.h"

#include <string>
#include <string_view>
#include <vector>

namespace moec::runtime::chat {

struct Token {
  enum class Kind { text, beginOutput, endOutput, beginTag, endTag, name, string, integer, fraction, symbol, end };
  Kind kind = Kind::end;
  std::string text;
  int line = 1;
};

/// What went wrong, and where; nothing is added to what says so already.
Status atLine(int line, const Status &status);

/// Comments are gone, and whitespace around tags is cut as `-`, trim_blocks and lstrip_blocks say.
Result<std::vector<Token>> tokenizeTemplate(std::string_view source);

} // namespace moec::runtime::chat

#endif // MOEC_RUNTIME_CHAT_LEXER_H
