// A model's chat template: messages to the text that the model expects.
#include "runtime/chat/ChatTemplate.h"

#include "runtime/chat/Interpreter.h"

using namespace moec::runtime;
using namespace moec::runtime::chat;

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  constexpr size_t maxBytes = 1 << 20;
  if (source.size() > maxBytes)
    return Status::invalidData("chat template: " + std::to_string(source.size()) + " bytes, expected at most " +
                               std::to_string(maxBytes));
  Result<std::vector<Statement>> statements = parseTemplate(source);
  if (!statements.ok())
    return statements.status();
  return ChatTemplate(std::move(*statements));
}

Result<std::string> ChatTemplate::render(std::span<const Message> messages, const ChatContext &context) const {
  List list;
  for (const Message &message : messages)
    list.push_back(Value::of(Dictionary{{"role", Value::of(message.role)}, {"content", Value::of(message.content)}}));
  return render({{"messages", Value::of(std::move(list))},
                 {"tools", Value::none()},
                 {"documents", Value::none()},
                 {"bos_token", Value::of(context.bosToken)},
                 {"eos_token", Value::of(context.eosToken)},
                 {"add_generation_prompt", Value::of(context.addGenerationPrompt)}});
}

Result<std::string> ChatTemplate::render(Dictionary variables) const {
  return Interpreter(std::move(variables)).render(statements);
}
