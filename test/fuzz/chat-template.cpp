// Fuzzes chat templates: each is refused, or renders a conversation with tools within its bounds.
#include "runtime/chat/ChatTemplate.h"

#include <cstdlib>

using namespace moec::runtime;
using namespace moec::runtime::chat;

static Value text(const char *value) { return Value::of(std::string(value)); }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const Value messages =
      Value::of(List{Value::of(Dictionary{{"role", text("system")}, {"content", text(" Be kind.\n")}}),
                     Value::of(Dictionary{{"role", text("user")}, {"content", text("H\u00e9llo \U0001F642")}}),
                     Value::of(Dictionary{{"role", text("assistant")}, {"content", Value::none()}})});
  static const Value tools =
      Value::of(List{Value::of(Dictionary{{"type", text("function")},
                                          {"strict", Value::of(true)},
                                          {"weights", Value::of(List{Value::of(int64_t(3)), Value::of(2.5)})}})});
  Result<ChatTemplate> chatTemplate = ChatTemplate::parse({reinterpret_cast<const char *>(data), size});
  if (!chatTemplate.ok())
    return 0;
  Result<std::string> rendered = chatTemplate->render(
      {{"messages", messages}, {"tools", tools}, {"bos_token", text("<s>")}, {"add_generation_prompt", Value::of(true)}});
  if (rendered.ok() && rendered->size() > Budget::maxText)
    std::abort();
  return 0;
}
