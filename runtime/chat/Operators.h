// Operators of a chat template, as Python has them.
#ifndef MOEC_RUNTIME_CHAT_OPERATORS_H
#define MOEC_RUNTIME_CHAT_OPERATORS_H

#include "runtime/Status.h"
#include "runtime/chat/Value.h"

namespace moec::runtime::chat {

/// "+", "-", "*", "/", "//", "%", "~"; refuses what the kinds of the operands do not have.
Result<Value> applyOperator(const std::string &operation, const Value &left, const Value &right, Budget &budget);
/// "==", "!=", "<", "<=", ">", ">=", "in", "not in".
Result<bool> compare(const std::string &operation, const Value &left, const Value &right, Budget &budget);
/// object[key].
Result<Value> itemOf(const Value &object, const Value &key, Budget &budget);
/// object[begin:end:step], where none is what was left out.
Result<Value> sliceOf(const Value &object, const Value &begin, const Value &end, const Value &step, Budget &budget);
/// What a loop goes through: elements, keys or characters; nothing of an undefined value. Every one costs a step.
Result<List> elementsOf(const Value &value, Budget &budget);

} // namespace moec::runtime::chat

#endif // MOEC_RUNTIME_CHAT_OPERATORS_H
