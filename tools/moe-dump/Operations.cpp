// Reads the lines that MLIR prints, as far as telling operations apart needs it: a line that looks otherwise is an operation of
// that name, without attributes.
#include "tools/moe-dump/Operations.h"

#include <algorithm>

using namespace moec::dump;

namespace {
constexpr std::string_view blanks = " \t";

std::string_view trimmed(std::string_view text) {
  size_t begin = text.find_first_not_of(blanks), end = text.find_last_not_of(blanks);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

/// How deep within brackets or quotes the text is behind `c`.
class Nesting {
public:
  void step(char c) {
    if (c == '"')
      quoted = !quoted;
    else if (!quoted)
      depth += c == '<' || c == '[' || c == '{' || c == '('                        ? 1
               : (c == '>' && previous != '-') || c == ']' || c == '}' || c == ')' ? -1
                                                                                   : 0;
    previous = c;
  }
  bool outside() const { return depth <= 0 && !quoted; }

private:
  int depth = 0;
  bool quoted = false;
  char previous = 0;
};

/// The parts of `text` between commas that no bracket encloses.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  Nesting nesting;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' && nesting.outside()) {
      parts.push_back(trimmed(text.substr(begin, i - begin)));
      begin = i + 1;
    }
    nesting.step(text[i]);
  }
  if (std::string_view last = trimmed(text.substr(begin)); !last.empty())
    parts.push_back(last);
  return parts;
}

/// Adds `name = value`, or what stands in the brackets of #moe.something<...> in its place.
void addAttribute(const std::string &name, std::string_view value, Operation &operation, int depth = 0) {
  size_t open = value.find('<');
  bool hasParts =
      value.ends_with('>') && (value.starts_with('#') || open == 0) && depth < 8 && value.find('=') != std::string_view::npos;
  if (!hasParts) {
    operation.attributes.emplace_back(name, value);
    return;
  }
  for (std::string_view part : split(value.substr(open + 1, value.size() - open - 2))) {
    size_t equals = part.find(" = ");
    if (equals == std::string_view::npos)
      addAttribute(name, part, operation, depth + 1);
    else
      addAttribute(name + "." + std::string(part.substr(0, equals)), part.substr(equals + 3), operation, depth + 1);
  }
}

/// Reads "{a = 1 : i64, b}": a number's type is left out.
void addAttributes(std::string_view dictionary, Operation &operation) {
  for (std::string_view entry : split(dictionary)) {
    size_t equals = entry.find(" = ");
    if (equals == std::string_view::npos) {
      operation.attributes.emplace_back(entry, "true");
      continue;
    }
    std::string_view value = entry.substr(equals + 3);
    if (size_t type = value.rfind(" : "); type != std::string_view::npos && !value.ends_with('>'))
      value = value.substr(0, type);
    addAttribute(std::string(entry.substr(0, equals)), value, operation);
  }
}

Operation read(std::string_view line) {
  if (line.starts_with('%'))
    if (size_t equals = line.find(" = "); equals != std::string_view::npos)
      line = line.substr(equals + 3);
  Operation operation;
  operation.name = line.substr(0, line.find_first_of(" ({"));
  Nesting nesting;
  for (size_t i = operation.name.size(); i < line.size(); ++i) {
    if (line[i] == '{' && nesting.outside()) {
      size_t end = i;
      Nesting within;
      do
        within.step(line[end++]);
      while (end < line.size() && !within.outside());
      addAttributes(line.substr(i + 1, end - i - 2), operation);
      i = end - 1;
      continue;
    }
    if (line.substr(i).starts_with(" : ") && nesting.outside()) {
      operation.types = line.substr(i + 3);
      break;
    }
    nesting.step(line[i]);
  }
  return operation;
}

/// Whether the line is an operation: no label, no end of a region, not what gives a region's results, no declaration of a cache,
/// and no group, whose operations follow.
bool isOperation(std::string_view line) {
  return !line.empty() && !line.starts_with('^') && !line.starts_with('}') && !line.starts_with("moe.yield") &&
         !line.starts_with("moe.cache") && line.find("moe.rowwise(") == std::string_view::npos;
}
} // namespace

std::vector<Operation> moec::dump::operationsOf(std::string_view ir) {
  std::vector<Operation> operations;
  while (!ir.empty()) {
    size_t end = std::min(ir.find('\n'), ir.size());
    std::string_view line = trimmed(ir.substr(0, end));
    if (isOperation(line))
      operations.push_back(read(line));
    ir.remove_prefix(std::min(end + 1, ir.size()));
  }
  return operations;
}
