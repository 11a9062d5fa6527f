// Fields of a message: a key of number and type, then the value.
#include "importers/protobuf/Wire.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/Endian.h"

using namespace moec::importers::protobuf;
using llvm::StringRef;
using llvm::Twine;

void Message::stop(const Twine &why) {
  if (problem.empty())
    problem = why.str();
  rest = {};
}

std::optional<uint64_t> Message::takeVarint() {
  uint64_t result = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (rest.empty()) {
      stop("a varint is cut off: the bytes are truncated");
      return std::nullopt;
    }
    auto byte = static_cast<unsigned char>(rest.front());
    rest = rest.drop_front();
    if (shift == 63 && byte > 1)
      break;
    result |= uint64_t(byte & 0x7f) << shift;
    if (byte < 0x80)
      return result;
  }
  stop("a varint has more than 64 bits");
  return std::nullopt;
}

StringRef Message::take(uint64_t count) {
  if (count > rest.size()) {
    stop("field " + Twine(number) + " has a length of " + Twine(count) + " bytes, but " + Twine(rest.size()) +
         " are left: the bytes are truncated or damaged");
    return {};
  }
  StringRef taken = rest.take_front(count);
  rest = rest.drop_front(count);
  return taken;
}

bool Message::next() {
  if (rest.empty() || !problem.empty())
    return false;
  std::optional<uint64_t> key = takeVarint();
  if (!key)
    return false;
  number = static_cast<uint32_t>(*key >> 3);
  kind = static_cast<Kind>(*key & 7);
  if (*key >> 3 == 0 || *key >> 3 > 0x1fffffff)
    stop("expected a field's number from 1 to 536870911, got " + Twine(*key >> 3));
  else if (kind == Kind::varint)
    integer = takeVarint().value_or(0);
  else if (kind == Kind::fixed64)
    value = take(8);
  else if (kind == Kind::fixed32)
    value = take(4);
  else if (kind == Kind::bytes)
    value = take(takeVarint().value_or(0));
  else
    stop("field " + Twine(number) + " is of wire type " + Twine(*key & 7) + ", which is not supported");
  return problem.empty();
}

bool Message::expect(Kind expected, StringRef name) {
  if (kind == expected)
    return true;
  stop("field " + Twine(number) + ": expected " + name + ", got wire type " + Twine(static_cast<int>(kind)));
  return false;
}

uint64_t Message::varint() { return expect(Kind::varint, "an integer") ? integer : 0; }

float Message::float32() {
  return expect(Kind::fixed32, "a number of 32 bits") ? llvm::bit_cast<float>(llvm::support::endian::read32le(value.data())) : 0.0f;
}

StringRef Message::bytes() { return expect(Kind::bytes, "bytes") ? value : StringRef(); }

void Message::varints(llvm::function_ref<void(uint64_t)> each) {
  if (kind == Kind::varint)
    return each(integer);
  Message run(bytes(), problem);
  while (!run.rest.empty())
    if (std::optional<uint64_t> taken = run.takeVarint())
      each(*taken);
}

StringRef Message::fixed(unsigned width) {
  if (kind == (width == 4 ? Kind::fixed32 : Kind::fixed64))
    return value;
  StringRef run = bytes();
  if (run.size() % width)
    stop("field " + Twine(number) + ": expected numbers of " + Twine(width) + " bytes, got " + Twine(run.size()) + " bytes");
  return run;
}
