// The kinds of mistakes, each a function from an instruction to the wrong one.
#include "Mutation.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

using namespace moec::test;

namespace {
/// An instruction as it is written, `@%p1 add.s32 %r1, %r2, 1;`.
struct Statement {
  std::string guard, opcode; ///< the guard without @, perhaps with !
  std::vector<std::string> operands;
  bool isLast = false;     ///< nothing but the end follows
  bool isBounded = false;  ///< the guard says that something is less or greater than something
  bool givesFloat = false; ///< the result is computed with as a float, or as two
  bool entersLoop = false; ///< a branch around a loop, by the condition that the loop goes on by

  bool starts(std::string_view prefix) const { return opcode.starts_with(prefix); }
  bool has(std::string_view part) const { return opcode.find(part) != std::string::npos; }

  std::string text() const {
    std::string text = guard.empty() ? opcode : "@" + guard + " " + opcode;
    for (size_t k = 0; k < operands.size(); ++k)
      text += (k ? ", " : " ") + operands[k];
    return text + ";";
  }
};

constexpr std::string_view blanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  size_t first = text.find_first_not_of(blanks);
  return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(blanks) + 1 - first);
}

/// Of a text that ends with its semicolon; nothing for directives and the like.
std::optional<Statement> parse(std::string_view line) {
  line = trimmed(line);
  if (line.empty() || line.back() != ';' || line[0] == '.')
    return std::nullopt;
  line.remove_suffix(1);
  auto takeWord = [&] {
    size_t end = std::min(line.find_first_of(blanks), line.size());
    std::string word(line.substr(0, end));
    line = trimmed(line.substr(end));
    return word;
  };
  Statement statement;
  if (line[0] == '@')
    statement.guard = takeWord().substr(1);
  statement.opcode = takeWord();
  for (int depth = 0; !line.empty();) {
    size_t end = 0;
    for (; end < line.size() && (depth || line[end] != ','); ++end)
      depth += (line[end] == '{' || line[end] == '[') - (line[end] == '}' || line[end] == ']');
    statement.operands.emplace_back(trimmed(line.substr(0, end)));
    line = trimmed(line.substr(std::min(end + 1, line.size())));
  }
  return statement;
}

std::optional<int64_t> integer(std::string_view text) {
  int64_t value = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// Replaces the first part of the opcode that is one of these by its partner.
bool substitute(Statement &s, std::initializer_list<std::pair<std::string_view, std::string_view>> partners) {
  for (auto [from, to] : partners)
    if (size_t at = s.opcode.find(from); at != std::string::npos) {
      s.opcode.replace(at, from.size(), to);
      return true;
    }
  return false;
}

/// Swaps elements `a` and `b` of a vector operand.
bool swapElements(std::string &vector, size_t a, size_t b) {
  if (vector.empty() || vector[0] != '{')
    return false;
  std::vector<std::string> elements;
  for (std::string_view rest = std::string_view(vector).substr(1, vector.size() - 2); !rest.empty();) {
    size_t end = std::min(rest.find(','), rest.size());
    elements.emplace_back(trimmed(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (elements.size() <= std::max(a, b))
    return false;
  std::swap(elements[a], elements[b]);
  vector = "{";
  for (size_t k = 0; k < elements.size(); ++k)
    vector += (k ? ", " : "") + elements[k];
  vector += "}";
  return true;
}

bool isMemoryAccess(const Statement &s) {
  bool accesses =
      s.starts("ld.") || s.starts("st.") || s.starts("atom.") || s.starts("red.") || s.starts("cp.async.c") || s.starts("ldmatrix");
  return accesses && !s.has(".param");
}

/// Bytes of the elements that an access counts in.
int64_t bytesOfAccess(const Statement &s) {
  if (s.starts("cp.async") || s.starts("ldmatrix"))
    return 16;
  int64_t count = s.has(".v4") ? 4 : s.has(".v2") ? 2 : 1;
  return count * (s.has("64") ? 8 : s.has("32") ? 4 : s.has("16") ? 2 : 1);
}

// What is gone. An empty opcode is no instruction.
bool drop(Statement &s, bool applies) {
  s.opcode.clear();
  return applies;
}
bool dropBarrier(Statement &s) { return drop(s, !s.isLast && (s.starts("bar.") || s.starts("barrier."))); }
bool dropWait(Statement &s) { return drop(s, s.starts("cp.async.wait")); }
bool dropCommit(Statement &s) { return drop(s, s.starts("cp.async.commit")); }
bool dropFence(Statement &s) { return drop(s, s.starts("fence.") || s.starts("membar.")); }
bool dropStore(Statement &s) { return drop(s, s.starts("st.") && !s.has(".param")); }

bool waitForLess(Statement &s) {
  if (!s.starts("cp.async.wait_group") || s.operands.empty())
    return false;
  s.operands[0] = std::to_string(integer(s.operands[0]).value_or(0) + 1);
  return true;
}
bool orderLess(Statement &s) {
  return substitute(s, {{".acq_rel", ".relaxed"}, {".acquire", ".relaxed"}, {".release", ".relaxed"}});
}

bool nextElement(Statement &s) {
  if (!isMemoryAccess(s))
    return false;
  auto address = std::ranges::find_if(s.operands, [](const std::string &operand) { return operand[0] == '['; });
  if (address == s.operands.end())
    return false;
  size_t plus = address->find('+'), end = plus == std::string::npos ? address->size() - 1 : plus;
  int64_t offset =
      plus == std::string::npos ? 0 : integer(trimmed(address->substr(plus + 1, address->size() - plus - 2))).value_or(0);
  *address = address->substr(0, end) + "+" + std::to_string(offset + bytesOfAccess(s)) + "]";
  return true;
}

bool wrongSwizzle(Statement &s) { return s.starts("xor.b") && substitute(s, {{"xor", "or"}}); }
/// Of a product the rows g and g + 8 of A, of a load of matrices the first two.
bool swapRows(Statement &s) {
  if (s.starts("mma."))
    return s.operands.size() == 4 && swapElements(s.operands[1], 0, 1);
  return s.starts("ldmatrix") && swapElements(s.operands[0], 0, 1);
}
bool swapResultRows(Statement &s) {
  return s.starts("mma.") && s.operands.size() == 4 && swapElements(s.operands[0], 0, 2) && swapElements(s.operands[3], 0, 2);
}

bool isOrdering(const Statement &s) {
  return s.starts("setp.") && !s.has("f32") && (s.has(".lt.") || s.has(".le.") || s.has(".gt.") || s.has(".ge."));
}
/// The check of a bound; of a branch: it is never taken. Not the copy of a loop's condition that LLVM puts in front of it: who
/// forgets a condition forgets all copies.
bool dropPredicate(Statement &s) {
  if (!s.isBounded || s.entersLoop)
    return false;
  s.guard.clear();
  if (s.starts("bra"))
    s.opcode.clear();
  return true;
}
bool negatePredicate(Statement &s) {
  if (!s.isBounded)
    return false;
  s.guard = s.guard[0] == '!' ? s.guard.substr(1) : "!" + s.guard;
  return true;
}

bool isCollective(const Statement &s) {
  return s.starts("shfl.sync") || s.starts("vote.sync") || s.starts("redux.sync") || s.starts("match.") || s.starts("bar.warp");
}
bool wrongMembers(Statement &s) {
  if (!isCollective(s) || s.operands.empty() || !integer(s.operands.back()))
    return false;
  s.operands.back() = std::to_string(*integer(s.operands.back()) & 0xffff);
  return true;
}
bool wrongLane(Statement &s) {
  if (!s.starts("shfl.sync") || s.operands.size() != 5 || !integer(s.operands[2]))
    return false;
  // Of a butterfly a distance that another of its steps has; one that is new would only change the order of its sum.
  int64_t lane = *integer(s.operands[2]);
  s.operands[2] = std::to_string(!s.has(".bfly") ? lane ^ 1 : lane > 1 ? lane / 2 : 2);
  return true;
}

/// Where a number gets fewer bits; elsewhere the last place is nobody's business.
bool wrongRounding(Statement &s) {
  bool narrows = s.starts("cvt.") && (s.has("bf16.f32") || s.has(".f16.f32") || s.has("bf16x2.f32") || s.has("f16x2.f32"));
  return narrows && substitute(s, {{".rn", ".rz"}});
}

bool wrongOperation(Statement &s) {
  if (std::ranges::find(s.operands, "0f00000000") != s.operands.end())
    return false; // what adds nothing subtracts nothing
  bool isFloat = s.opcode.ends_with("f32");
  if (isFloat && (s.starts("add.") || s.starts("sub.") || s.starts("mul.")))
    return substitute(s, {{"add.", "sub."}, {"sub.", "add."}, {"mul.", "add."}});
  return (s.starts("min.") || s.starts("max.")) && substitute(s, {{"min.", "max."}, {"max.", "min."}});
}
bool swapOperands(Statement &s) {
  bool matters = s.starts("sub.") || s.starts("div.") || s.starts("selp.") || s.starts("shl.") || s.starts("shr.");
  if (!matters || s.operands.size() < 3 || s.operands[2][0] != '%')
    return false;
  std::swap(s.operands[1], s.operands[2]);
  return true;
}

bool nextInteger(Statement &s) {
  if (s.givesFloat && s.starts("mov."))
    return false; // its last bit
  bool isArithmetic = s.starts("add.") || s.starts("sub.") || s.starts("mul.") || s.starts("mad.") || s.starts("shl.") ||
                      s.starts("mov.b") || s.starts("mov.u") || s.starts("rem.") || s.starts("div.");
  if (!isArithmetic)
    return false;
  constexpr int64_t largestIndex = 4096; // beyond it are bits of floats and the like
  for (std::string &operand : s.operands)
    if (auto value = integer(operand); value && std::abs(*value) <= largestIndex) {
      operand = std::to_string(*value + 1);
      return true;
    }
  return false;
}
/// Of arithmetic: choices and comparisons have bounds that hardly any data meet.
bool otherFloat(Statement &s) {
  if (!s.starts("add.") && !s.starts("mul.") && !s.starts("fma.") && !s.starts("mov."))
    return false;
  constexpr uint32_t smallestExponent = 127 - 4; // below are the last terms of series, which bf16 does not tell apart
  if (s.givesFloat && s.starts("mov.b32") && s.operands.size() == 2 && s.operands[1] == "0") {
    s.operands[1] = std::to_string(0x3f803f80); // one, in f32 or twice in bf16
    return true;
  }
  for (std::string &operand : s.operands)
    if (operand.starts_with("0f") && operand.size() == 10) {
      uint32_t bits = 0;
      std::from_chars(operand.data() + 2, operand.data() + operand.size(), bits, 16);
      if (uint32_t exponent = bits >> 23 & 255; exponent > 0 && exponent < smallestExponent)
        continue;
      bits = bits << 1 == 0 ? 0x3f800000 : bits + 0x00800000; // one for zero, twice for others
      operand.resize(2);
      for (int digit = 7; digit >= 0; --digit)
        operand += "0123456789ABCDEF"[bits >> 4 * digit & 15];
      return true;
    }
  return false;
}

struct Kind {
  std::string_view name;
  bool (*change)(Statement &statement); ///< false where the statement offers no such mistake
};

constexpr Kind kinds[] = {
    {"barrier dropped", dropBarrier},
    {"wait dropped", dropWait},
    {"wait for one group less", waitForLess},
    {"commit dropped", dropCommit},
    {"fence dropped", dropFence},
    {"memory order relaxed", orderLess},
    {"store dropped", dropStore},
    {"address off by one element", nextElement},
    {"wrong swizzle", wrongSwizzle},
    {"rows of a fragment swapped", swapRows},
    {"rows of a result swapped", swapResultRows},
    {"predicate missing", dropPredicate},
    {"predicate negated", negatePredicate},
    {"wrong lane mask", wrongMembers},
    {"wrong lane", wrongLane},
    {"wrong rounding", wrongRounding},
    {"wrong operation", wrongOperation},
    {"operands swapped", swapOperands},
    {"integer off by one", nextInteger},
    {"wrong constant", otherFloat},
};

/// Calls `body` with the number of each line and the line, without its comment.
template <class Body> void forEachLine(std::string_view text, Body body) {
  for (size_t line = 0; !text.empty(); ++line) {
    size_t end = std::min(text.find('\n'), text.size());
    body(line, text.substr(0, std::min(end, text.find("//"))));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

struct Place {
  size_t line, lines;
  Statement statement;
};

/// Calls `body` with each register that a statement reads.
template <class Body> void forEachRead(const Statement &s, Body body) {
  for (size_t k = 1; k < s.operands.size(); ++k)
    for (std::string_view rest = s.operands[k]; rest.find('%') != std::string_view::npos;) {
      rest.remove_prefix(rest.find('%'));
      size_t end = std::min(rest.find_first_of(",}] +"), rest.size());
      body(std::string(rest.substr(0, end)));
      rest.remove_prefix(end);
    }
}

/// The statement that each label stands before.
using Labels = std::map<std::string, size_t>;

/// What a branch compares to be taken.
std::vector<std::string> comparedFor(const std::vector<Place> &places, size_t branch) {
  std::string_view guard = places[branch].statement.guard;
  guard = guard.substr(guard.starts_with('!'));
  for (size_t at = branch; at-- > 0;)
    if (const Statement &s = places[at].statement; s.starts("setp.") && s.operands.size() == 3 && s.operands[0] == guard)
      return {s.operands[1], s.operands[2]};
  return {};
}

/// Whether a branch leads to where a loop behind it ends that goes on by comparing one of the same registers.
bool entersLoop(const std::vector<Place> &places, const Labels &labels, size_t branch) {
  const std::string &exit = places[branch].statement.operands[0];
  const std::vector<std::string> compared = comparedFor(places, branch);
  for (size_t at = branch + 1; at + 1 < places.size(); ++at) {
    const Statement &s = places[at].statement, &next = places[at + 1].statement;
    if (!s.starts("bra") || s.guard.empty())
      continue;
    auto header = labels.find(s.operands[0]), end = labels.find(exit);
    bool endsThere = (end != labels.end() && end->second == at + 1) || (next.starts("bra.uni") && next.operands[0] == exit);
    // The end of a loop may stand in front of it.
    bool goesBack = header != labels.end() && header->second > branch && (header->second <= at || header->second == at + 2);
    if (goesBack && endsThere)
      for (const std::string &operand : comparedFor(places, at))
        if (operand[0] == '%' && std::ranges::find(compared, operand) != compared.end())
          return true;
  }
  return false;
}

/// The statements of the text; one may go over several lines.
std::vector<Place> statementsOf(std::string_view text) {
  std::vector<Place> places;
  std::map<std::string, bool> isBound; // by predicate
  Labels labels;
  std::string pending;
  size_t first = 0;
  forEachLine(text, [&](size_t line, std::string_view content) {
    content = trimmed(content);
    bool isWhole = pending.empty() && (content.empty() || content.ends_with(':') || content == "{" || content == "}");
    if (isWhole && content.ends_with(':'))
      labels[std::string(content.substr(0, content.size() - 1))] = places.size();
    if (isWhole)
      return;
    if (pending.empty())
      first = line;
    pending.append(content).append(" ");
    if (!content.ends_with(';') && !content.ends_with(')'))
      return;
    std::optional<Statement> statement = parse(std::exchange(pending, ""));
    if (!statement)
      return;
    if (statement->starts("setp.") && !statement->operands.empty())
      isBound[statement->operands[0]] = isOrdering(*statement);
    std::string_view guard = statement->guard;
    statement->isBounded = isBound[std::string(guard.substr(guard.starts_with('!')))];
    if (statement->starts("ret") && !places.empty())
      places.back().statement.isLast = true;
    places.push_back({first, line + 1 - first, *statement});
  });
  std::set<std::string> floats; // registers
  for (const auto &[at, lines, statement] : places)
    if (!statement.starts("cvt.") && (statement.has("f32") || statement.has("f16")))
      forEachRead(statement, [&](std::string name) { floats.insert(std::move(name)); });
  for (size_t at = 0; at < places.size(); ++at) {
    Statement &s = places[at].statement;
    s.givesFloat = !s.operands.empty() && floats.contains(s.operands[0]);
    s.entersLoop = s.isBounded && s.starts("bra") && entersLoop(places, labels, at);
  }
  return places;
}
} // namespace

std::vector<Mutation> moec::test::mutationsOf(std::string_view text) {
  std::vector<Mutation> mutations;
  std::vector<Place> places = statementsOf(text);
  for (const Kind &kind : kinds)
    for (const Place &place : places) {
      Statement changed = place.statement;
      if (kind.change(changed))
        mutations.push_back(
            {kind.name, place.line, place.lines, place.statement.text(), changed.opcode.empty() ? "" : changed.text()});
    }
  return mutations;
}

std::vector<Mutation> moec::test::chooseMutations(std::string_view text, size_t share, uint64_t seed) {
  std::vector<Mutation> all = mutationsOf(text);
  const size_t count = all.size() / share;
  for (char c : text) // FNV-1a
    seed = (seed ^ uint8_t(c)) * 0x100000001b3;
  std::mt19937_64 random(seed);
  for (size_t k = all.size(); k > 1; --k) // as std::shuffle, but the same with every library
    std::swap(all[k - 1], all[random() % k]);
  // The first of each kind, then the others as they come.
  std::vector<std::string_view> taken;
  for (size_t k = 0; k < all.size(); ++k)
    if (std::ranges::find(taken, all[k].kind) == taken.end()) {
      std::swap(all[k], all[taken.size()]);
      taken.push_back(all[taken.size()].kind);
    }
  all.resize(count);
  return all;
}

/// The text with something else in place of a statement.
static std::string replaced(std::string_view text, const Mutation &mutation, std::string_view by) {
  std::string result;
  forEachLine(text, [&](size_t line, std::string_view content) {
    if (line == mutation.line)
      result += by;
    else if (line < mutation.line || line >= mutation.line + mutation.lines)
      result += content;
    result += '\n';
  });
  return result;
}

std::string moec::test::mutated(std::string_view text, const Mutation &mutation) {
  return replaced(text, mutation, mutation.changed);
}

// A trap proper would end the kernel there, and paths that part would meet elsewhere.
std::string moec::test::trapped(std::string_view text, const Mutation &mutation) {
  return replaced(text, mutation, "st.global.b32 [0], 0;");
}
