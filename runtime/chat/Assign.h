// Assignment in a dictionary that keeps its order.
#ifndef MOEC_RUNTIME_CHAT_ASSIGN_H
#define MOEC_RUNTIME_CHAT_ASSIGN_H

#include "runtime/chat/Value.h"

namespace moec::runtime::chat {

inline void assign(Dictionary &dictionary, const std::string &name, Value value) {
  auto found = std::ranges::find(dictionary, name, &std::pair<std::string, Value>::first);
  if (found != dictionary.end())
    found->second = std::move(value);
  else
    dictionary.emplace_back(name, std::move(value));
}

} // namespace moec::runtime::chat

#endif // MOEC_RUNTIME_CHAT_ASSIGN_H
