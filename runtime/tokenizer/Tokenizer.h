// Text to token ids and back, as an artifact's tokenizer says.
#ifndef MOEC_RUNTIME_TOKENIZER_TOKENIZER_H
#define MOEC_RUNTIME_TOKENIZER_TOKENIZER_H

#include "runtime/Status.h"
#include "runtime/tokenizer/AddedTokens.h"
#include "runtime/tokenizer/Bpe.h"
#include "runtime/tokenizer/Decoder.h"
#include "runtime/tokenizer/Normalizer.h"
#include "runtime/tokenizer/PreTokenizer.h"
#include "runtime/tokenizer/Unigram.h"

#include <memory>
#include <span>
#include <variant>

namespace moec::runtime {

/// BPE over bytes or characters, or a cut by scores, behind normalizers and pre-tokenizers, as the library that the tokenizer comes
/// from computes it. Not thread-safe.
class Tokenizer {
public:
  /// From the section "tokenizer", which is untrusted: verified here. The bytes must outlive the result.
  static Result<std::unique_ptr<Tokenizer>> create(std::span<const std::byte> section);

  /// The ids of `text` (broken UTF-8 is replaced by U+FFFD first). With `special`, what the post-processor puts around a text is
  /// added.
  Result<std::vector<int32_t>> encode(std::string_view text, bool special) const;

  /// Number of ids, used or not.
  size_t size() const { return model.tokens()->size(); }
  /// What the vocabulary says an id is, in bytes; none for an id that is not in use or out of range.
  std::string_view bytesOf(int32_t id) const;
  bool isSpecial(int32_t id) const;
  /// The text of `ids`, broken UTF-8 replaced by U+FFFD.
  std::string decode(std::span<const int32_t> ids, bool skipSpecial) const;

private:
  friend class StreamDecoder;
  Tokenizer(const artifact::Tokenizer &model, Normalizer normalizer, PreTokenizer preTokenizer, Decoder decoder);
  Status readAddedTokens();
  /// Encodes text between added tokens. `beginsText`: nothing stands before it.
  Status encodeSegment(std::string text, bool beginsText, const Deadline &deadline, std::vector<int32_t> &ids) const;

  const artifact::Tokenizer &model;
  Normalizer normalizer;
  PreTokenizer preTokenizer;
  std::variant<Bpe, Unigram> pieceEncoder;
  Decoder decoder;
  AddedTokens rawTokens, normalizedTokens, insideTokens;
  std::vector<bool> special; ///< by id
};

/// Turns ids into text as they come: gives out whole characters only, the same text in all as Tokenizer::decode.
class StreamDecoder {
public:
  /// `beginsText`: the text that comes goes on behind nothing.
  explicit StreamDecoder(const Tokenizer &tokenizer, bool beginsText = true)
      : tokenizer(tokenizer), stream(tokenizer.decoder, beginsText) {}
  /// The text that `id` completes; it may be empty. Special tokens give none.
  std::string next(int32_t id);
  /// What is held back at the end, broken as it is.
  std::string finish();

private:
  const Tokenizer &tokenizer;
  Decoder::Stream stream;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_TOKENIZER_TOKENIZER_H
