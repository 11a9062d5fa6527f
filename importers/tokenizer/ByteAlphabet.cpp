// The characters by which byte-level vocabularies spell bytes (GPT-2's bytes_to_unicode).
#include "importers/tokenizer/ByteAlphabet.h"

#include <array>

using namespace llvm;

/// Code points by byte.
static const std::array<unsigned, 256> &alphabet() {
  static const std::array<unsigned, 256> table = [] {
    std::array<unsigned, 256> result{};
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
      result[byte] = printable ? byte : next++;
    }
    return result;
  }();
  return table;
}

std::string moec::importers::alphabetOf(unsigned char byte) {
  unsigned code = alphabet()[byte];
  if (code < 0x80)
    return std::string(1, char(code));
  return {char(0xc0 | code >> 6), char(0x80 | (code & 0x3f))};
}

std::optional<std::string> moec::importers::bytesInAlphabet(StringRef token) {
  static const std::array<int, 0x144> bytes = [] {
    std::array<int, 0x144> result;
    result.fill(-1);
    for (unsigned byte = 0; byte < 256; ++byte)
      result[alphabet()[byte]] = int(byte);
    return result;
  }();
  std::string result;
  for (size_t i = 0; i < token.size(); ++i) {
    unsigned code = static_cast<unsigned char>(token[i]);
    if (code >= 0x80) { // the alphabet ends below U+0800: two bytes at most
      if ((code & 0xe0) != 0xc0 || i + 1 == token.size())
        return std::nullopt;
      code = (code & 0x1f) << 6 | (static_cast<unsigned char>(token[++i]) & 0x3f);
    }
    if (code >= bytes.size() || bytes[code] < 0)
      return std::nullopt;
    result += char(bytes[code]);
  }
  return result;
}
