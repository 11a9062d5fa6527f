// Cuts a text into the pieces that are encoded each for itself.
#include "runtime/tokenizer/PreTokenizer.h"

#include "runtime/tokenizer/Utf8.h"

using namespace moec;
using namespace moec::runtime;
using artifact::PreTokenizerKind;
using artifact::SplitBehavior;

Result<PreTokenizer> PreTokenizer::create(const artifact::Tokenizer &tokenizer) {
  PreTokenizer result;
  if (!tokenizer.pre_tokenizers())
    return result;
  for (const artifact::PreTokenizer *stored : *tokenizer.pre_tokenizers()) {
    if (stored->kind() > PreTokenizerKind::MAX || stored->behavior() > SplitBehavior::MAX)
      return Status::invalidData("unknown pre-tokenizer");
    Step &step = result.steps.emplace_back(
        Step{stored->kind(), std::nullopt, stored->behavior(), stored->invert(), stored->only_first(), {}});
    if (stored->content())
      step.content = stored->content()->str();
    if (!isUtf8(step.content))
      return Status::invalidData("a pre-tokenizer adds what is no text");
    if (step.kind == PreTokenizerKind::prepend)
      continue;
    Result<Pattern> pattern = Pattern::compile(stored->pattern() ? stored->pattern()->string_view() : std::string_view());
    if (!pattern.ok())
      return pattern.status();
    step.pattern = std::move(*pattern);
  }
  return result;
}

/// Cuts [0, size) at the matches, joins neighbours as `behavior` says, and appends that, `offset` further on.
static void appendPieces(size_t offset, size_t size, const std::vector<Range> &matches, SplitBehavior behavior, bool invert,
                         std::vector<Range> &pieces) {
  size_t first = pieces.size();
  bool previousIsMatch = false;
  auto add = [&](size_t begin, size_t end, bool isMatch) {
    bool join = false; // with the piece before
    switch (behavior) {
    case SplitBehavior::isolated:
      break;
    case SplitBehavior::removed:
      if (isMatch)
        return;
      break;
    case SplitBehavior::contiguous:
      join = isMatch == previousIsMatch;
      break;
    case SplitBehavior::merged_with_previous:
      join = isMatch && !previousIsMatch;
      break;
    case SplitBehavior::merged_with_next:
      join = !isMatch && previousIsMatch;
      break;
    }
    if (join && pieces.size() > first)
      pieces.back().end = offset + end;
    else
      pieces.push_back({offset + begin, offset + end});
    previousIsMatch = isMatch;
  };
  size_t done = 0;
  for (const Range &match : matches) {
    if (match.begin > done)
      add(done, match.begin, invert);
    add(match.begin, match.end, !invert);
    done = match.end;
  }
  if (done < size)
    add(done, size, invert);
}

static void eraseEmpty(std::vector<Range> &pieces) {
  std::erase_if(pieces, [](const Range &piece) { return piece.begin == piece.end; });
}

Status PreTokenizer::split(const Step &step, std::string_view text, const Deadline &deadline, std::vector<Range> &pieces) {
  std::vector<Range> before, matches;
  before.swap(pieces);
  for (const Range &piece : before) {
    matches.clear();
    MOEC_RETURN_IF_ERROR(step.pattern->findAll(text.substr(piece.begin, piece.end - piece.begin), deadline, matches));
    appendPieces(piece.begin, piece.end - piece.begin, matches, step.behavior, step.invert, pieces);
  }
  eraseEmpty(pieces);
  return {};
}

Status PreTokenizer::rewrite(const Step &step, std::string &text, bool beginsText, const Deadline &deadline,
                             std::vector<Range> &pieces) {
  std::string result;
  for (Range &piece : pieces) {
    std::string part = text.substr(piece.begin, piece.end - piece.begin);
    if (step.kind == PreTokenizerKind::replace)
      MOEC_RETURN_IF_ERROR(step.pattern->replaceAll(part, step.content, deadline));
    else if (!part.starts_with(step.content) && (!step.onlyFirst || (beginsText && piece.begin == 0)))
      part.insert(0, step.content);
    piece = {result.size(), result.size() + part.size()};
    result += part;
    if (result.size() > maxTextBytes)
      return Status::resourceExhausted("cutting makes a text of more than " + std::to_string(maxTextBytes) + " bytes");
  }
  eraseEmpty(pieces);
  text = std::move(result);
  return {};
}

Status PreTokenizer::cut(std::string &text, bool beginsText, const Deadline &deadline, std::vector<Range> &pieces) const {
  pieces.clear();
  if (!text.empty())
    pieces.push_back({0, text.size()});
  for (const Step &step : steps) {
    if (step.kind == PreTokenizerKind::split)
      MOEC_RETURN_IF_ERROR(split(step, text, deadline, pieces));
    else
      MOEC_RETURN_IF_ERROR(rewrite(step, text, beginsText, deadline, pieces));
  }
  return {};
}
