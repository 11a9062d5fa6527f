// What a chat template may call: filters, tests and methods, over values alone.
#ifndef MOEC_RUNTIME_CHAT_FUNCTIONS_H
#define MOEC_RUNTIME_CHAT_FUNCTIONS_H

#include "runtime/Status.h"
#include "runtime/chat/Value.h"

namespace moec::runtime::chat {

struct Arguments {
  List positional;
  Dictionary named;

  /// The argument at place `i` or of that name; undefined when it is not given.
  Value get(size_t i, std::string_view name) const;
  /// Refuses more arguments, and names other than these.
  Status expect(size_t most, std::initializer_list<std::string_view> names) const;
};

/// Each refuses a name that it does not know, and arguments of the wrong kind.
Result<Value> applyFilter(const std::string &name, const Value &value, const Arguments &arguments, Budget &budget);
Result<Value> applyTest(const std::string &name, const Value &value, const Arguments &arguments, Budget &budget);
Result<Value> callMethod(const Value &object, const std::string &name, const Arguments &arguments, Budget &budget);

} // namespace moec::runtime::chat

#endif // MOEC_RUNTIME_CHAT_FUNCTIONS_H
