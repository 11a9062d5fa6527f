// The syntax tree of a chat template.
#ifndef MOEC_RUNTIME_CHAT_SYNTAX_H
#define MOEC_RUNTIME_CHAT_SYNTAX_H

#include "runtime/Status.h"
#include "runtime/chat/Value.h"

namespace moec::runtime::chat {

struct Expression {
  enum class Kind {
    constant,    ///< value
    name,        ///< text
    list,        ///< operands
    dictionary,  ///< operands: key, value, key, value
    attribute,   ///< operands[0].text
    item,        ///< operands[0][operands[1]]
    slice,       ///< operands[0][operands[1]:operands[2]:operands[3]]; a part that is left out is a constant none
    call,        ///< operands[0](operands[1...]) with keywords
    filter,      ///< operands[0] | text(operands[1...])
    test,        ///< operands[0] is text(operands[1...])
    comparison,  ///< operands, each compared to the next by the operation of the same number in `keywords`
    unary,       ///< text operands[0]: "not", "-", "+"
    binary,      ///< operands[0] text operands[1]
    conditional, ///< operands[0] if operands[1] else operands[2]
  };
  Kind kind = Kind::constant;
  int line = 0;
  std::string text;
  Value value;
  std::vector<Expression> operands;
  /// Names of keyword arguments, which are the last operands of a call or filter; a comparison's operations.
  std::vector<std::string> keywords;
};

struct Statement {
  enum class Kind {
    text,   ///< text
    output, ///< expression
    branch, ///< if expression: body, else: otherwise
    loop,   ///< for names in expression (if condition): body, else: otherwise
    set,    ///< names (.attribute) = expression; or body as text when there is no expression
    filter, ///< expression over body as text, which it finds under names[0]
    with,   ///< body, in which names are expressions
    macro,  ///< text(names): body; expressions are the values of the last names when they are not given
    stop,   ///< break
    next,   ///< continue
  };
  Kind kind = Kind::text;
  int line = 0;
  std::string text;
  std::vector<std::string> names;
  std::string attribute;
  std::vector<Expression> expressions; ///< the expression, then a loop's condition when it has one
  std::vector<Statement> body, otherwise;
};

/// Parses a template with Hugging Face's settings (trim_blocks and lstrip_blocks). Errors name the line and the construct.
Result<std::vector<Statement>> parseTemplate(std::string_view source);

} // namespace moec::runtime::chat

#endif // MOEC_RUNTIME_CHAT_SYNTAX_H
