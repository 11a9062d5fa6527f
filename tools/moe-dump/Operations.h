// The operations of a kernel, read from its text.
#ifndef MOEC_TOOLS_MOE_DUMP_OPERATIONS_H
#define MOEC_TOOLS_MOE_DUMP_OPERATIONS_H

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moec::dump {

/// An operation by what it is, not by where its operands come from.
struct Operation {
  std::string name;
  /// An attribute with parts of its own is given by its parts: "rotary.theta".
  std::vector<std::pair<std::string, std::string>> attributes;
  /// Of operands and results.
  std::string types;
};

/// The operations in a kernel's `ir`, in its order; those within a group of operations stand for the group.
std::vector<Operation> operationsOf(std::string_view ir);

} // namespace moec::dump

#endif // MOEC_TOOLS_MOE_DUMP_OPERATIONS_H
