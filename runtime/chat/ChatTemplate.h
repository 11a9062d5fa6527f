// A model's chat template: messages to the text that the model expects.
#ifndef MOEC_RUNTIME_CHAT_CHATTEMPLATE_H
#define MOEC_RUNTIME_CHAT_CHATTEMPLATE_H

#include "runtime/Status.h"
#include "runtime/chat/Syntax.h"

#include <span>

namespace moec::runtime {

struct Message {
  std::string role; ///< "system", "user" or "assistant"
  std::string content;
};

struct ChatContext {
  std::string bosToken, eosToken;
  bool addGenerationPrompt = true;
};

/// The subset of Jinja that released templates use: output, if, for, set, with, macros, namespace, filters, tests, methods. What it
/// does not know is refused by name; a template is untrusted, so steps, depth and output are bounded.
class ChatTemplate {
public:
  static Result<ChatTemplate> parse(std::string_view source);
  Result<std::string> render(std::span<const Message> messages, const ChatContext &context) const;
  /// With any variables.
  Result<std::string> render(chat::Dictionary variables) const;

private:
  explicit ChatTemplate(std::vector<chat::Statement> statements) : statements(std::move(statements)) {}
  std::vector<chat::Statement> statements;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_CHAT_CHATTEMPLATE_H
