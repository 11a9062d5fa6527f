// What a chat template may call: filters, tests and string methods, over values alone.
#ifndef MOEC_RUNTIME_CHAT_FUNCTIONS_H
#define MOEC_RUNTIME_CHAT_FUNCTIONS_H

#include "runtime/Status.h"
#include "runtime/chat/Value.h"

#include <span>

namespace moec::runtime::chat {

/// Each refuses a name that it does not know, and arguments of the wrong kind.
Result<Value> applyFilter(const std::string &name, const Value &value, std::span<const Value> arguments);
Result<Value> applyTest(const std::string &name, const Value &value, std::span<const Value> arguments);
Result<Value> callMethod(const Value &object, const std::string &name, std::span<const Value> arguments);

} // namespace moec::runtime::chat

#endif // MOEC_RUNTIME_CHAT_FUNCTIONS_H
