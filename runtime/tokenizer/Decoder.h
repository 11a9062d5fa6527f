// Token ids to text, at once or as they come.
#ifndef MOEC_RUNTIME_TOKENIZER_DECODER_H
#define MOEC_RUNTIME_TOKENIZER_DECODER_H

#include "runtime/Status.h"
#include "runtime/schema/Tokenizer_generated.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moec::runtime {

/// Every id's text, and what happens where texts join.
class Decoder {
public:
  /// `tokenizer` is verified and outlives this.
  static Result<Decoder> create(const artifact::Tokenizer &tokenizer);

  /// Gives a token (whose id exists) another name than the vocabulary's.
  void rename(int32_t id, std::string name);

  /// Writes text that grows by one id after the other.
  class Stream {
  public:
    /// `beginsText`: nothing was written before it, so that what a text loses at its start is lost here.
    Stream(const Decoder &decoder, bool beginsText)
        : decoder(decoder), isFirst(beginsText), toStrip(beginsText ? decoder.stripCount : 0) {}
    /// Appends what `id` completes: whole characters only.
    void next(int32_t id, std::string &text);
    /// Appends what is held back at the end, broken as it is.
    void finish(std::string &text);

  private:
    void append(std::string_view piece, std::string &text);
    void endRun(std::string &text);

    const Decoder &decoder;
    bool isFirst;
    int32_t toStrip;
    std::string held; ///< the start of a character; with byte fallback, the whole run of bytes, whose end decides what it means
  };

private:
  std::string withReplacements(std::string token) const;
  /// Nothing for an id without a token.
  std::string_view nameOf(int32_t id) const;

  bool byteLevel = true, byteFallback = false, brokenBytes = false;
  const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>> *tokens = nullptr;
  std::unordered_map<int32_t, std::string> names;
  std::vector<std::pair<std::string, std::string>> replacements;
  std::vector<std::string> texts; ///< by id, the names after their replacements; empty where there are none
  std::string firstLoses, strip;
  int32_t stripCount = 0;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_DECODER_H
