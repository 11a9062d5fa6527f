// How every reader says no.
#ifndef MOEC_IMPORTERS_REFUSAL_H
#define MOEC_IMPORTERS_REFUSAL_H

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

namespace moec::importers {

/// An error whose text may quote names from the refused file: control characters are spelt out, so that no terminal obeys them, and
/// of what is longer than any sentence of ours the middle is left out.
inline llvm::Error refuse(const llvm::Twine &why) {
  constexpr size_t longest = 4096;
  std::string whole = why.str(), text;
  if (whole.size() > longest) {
    auto isContinued = [&](size_t at) { return (whole[at] & 0xc0) == 0x80; }; // of a character in UTF-8
    size_t first = longest / 2, last = whole.size() - longest / 2;
    while (isContinued(first))
      --first;
    while (last < whole.size() && isContinued(last))
      ++last;
    whole.replace(first, last - first, " ... ");
  }
  for (unsigned char c : whole) {
    if (c < 0x20 || c == 0x7f)
      text += {'\\', 'x', llvm::hexdigit(c >> 4), llvm::hexdigit(c & 15)};
    else
      text += static_cast<char>(c);
  }
  return llvm::createStringError(llvm::inconvertibleErrorCode(), text);
}

} // namespace moec::importers

#endif // MOEC_IMPORTERS_REFUSAL_H
