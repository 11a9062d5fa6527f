// Cuts PTX text into tokens.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_LEXER_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_LEXER_H

#include "runtime/Status.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace moec::runtime::emulator {

/// Words are names, directives, opcodes with their modifiers, and numbers; all else is one character of punctuation.
struct Token {
  enum class Kind : uint8_t { word, string, punctuation, end };
  Kind kind = Kind::end;
  std::string_view text; ///< of a string, without its quotes
  uint32_t line = 1;

  bool is(std::string_view wanted) const { return kind != Kind::string && text == wanted; }
};

/// The tokens of `text`, which they point into; the last one is `end`. `name` is for messages.
Result<std::vector<Token>> tokenize(std::string_view text, std::string_view name);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_LEXER_H
