// Text to token ids and back, as an artifact's tokenizer says.
#ifndef MOEC_RUNTIME_TOKENIZER_TOKENIZER_H
#define MOEC_RUNTIME_TOKENIZER_TOKENIZER_H

#include "runtime/Status.h"
#include "runtime/tokenizer/AddedTokens.h"
#include "runtime/tokenizer/Bpe.h"
#include "runtime/tokenizer/Pattern.h"

#include <memory>
#include <span>

namespace moec::runtime {

/// Byte-level BPE behind pre-tokenizers, as the Hugging Face library `tokenizers` computes it. Not thread-safe.
class Tokenizer {
public:
  /// From the section "tokenizer", which is untrusted: verified here. The bytes must outlive the result.
  static Result<std::unique_ptr<Tokenizer>> create(std::span<const std::byte> section);

  /// The ids of `text` (broken UTF-8 is replaced by U+FFFD first). With `special`, what the post-processor puts around a text is
  /// added.
  Result<std::vector<int32_t>> encode(std::string_view text, bool special) const;

  /// Number of ids, used or not.
  size_t size() const { return tokens->size(); }
  /// The bytes that an id stands for; none for an id that is not in use or out of range.
  std::string_view bytesOf(int32_t id) const;
  bool isSpecial(int32_t id) const;
  /// The text of `ids`, broken UTF-8 replaced by U+FFFD.
  std::string decode(std::span<const int32_t> ids, bool skipSpecial) const;

private:
  explicit Tokenizer(const artifact::Tokenizer &model);
  Status encodeSegment(std::string_view text, std::vector<int32_t> &ids) const;

  struct Split {
    Pattern pattern;
    artifact::SplitBehavior behavior;
    bool invert;
  };

  const artifact::Tokenizer &model;
  const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>> *tokens;
  Bpe bpe;
  AddedTokens rawTokens, normalizedTokens;
  std::vector<Split> splits;
  std::vector<bool> special; ///< by id
};

/// Turns ids into text as they come: holds back the bytes of a character until it is whole.
class StreamDecoder {
public:
  explicit StreamDecoder(const Tokenizer &tokenizer) : tokenizer(tokenizer) {}
  /// The text that `id` completes; it may be empty. Special tokens give none.
  std::string next(int32_t id);
  /// What is held back at the end, broken as it is.
  std::string finish();

private:
  const Tokenizer &tokenizer;
  std::string held;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_TOKENIZER_H
