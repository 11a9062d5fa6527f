// Questions to a decoded module.
#include "runtime/devices/emulator/Module.h"

#include <algorithm>

using namespace moec::runtime::emulator;

const Function *Module::entry(std::string_view name) const {
  auto found = std::ranges::find_if(functions, [&](const Function &f) { return f.isEntry && f.isDefined && f.name == name; });
  return found == functions.end() ? nullptr : &*found;
}

std::string_view Module::lineText(uint32_t line) const {
  std::string_view rest = text;
  for (; line > 1; --line) {
    size_t end = rest.find('\n');
    if (end == std::string_view::npos)
      return {};
    rest.remove_prefix(end + 1);
  }
  rest = rest.substr(0, rest.find('\n'));
  size_t first = rest.find_first_not_of(" \t\r");
  if (first == std::string_view::npos)
    return {};
  rest = rest.substr(first, rest.find_last_not_of(" \t\r") + 1 - first);
  size_t comment = rest.find(" //");
  return rest.substr(0, comment == std::string_view::npos ? rest.size() : comment);
}
