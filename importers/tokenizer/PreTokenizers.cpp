// tokenizer.json's `pre_tokenizer`.
#include "importers/tokenizer/Patterns.h"
#include "importers/tokenizer/Sections.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/ConvertUTF.h"

using namespace llvm;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::tokenizer;
using artifact::PreTokenizerKind;
using artifact::SplitBehavior;

namespace {
/// How the reference's ByteLevel cuts text by itself: GPT-2's pattern.
constexpr StringLiteral byteLevelPattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

artifact::PreTokenizerT &addStep(PreTokenizerKind kind, artifact::TokenizerT &into) {
  into.pre_tokenizers.push_back(std::make_unique<artifact::PreTokenizerT>());
  into.pre_tokenizers.back()->kind = kind;
  return *into.pre_tokenizers.back();
}

void addSplit(std::string pattern, SplitBehavior behavior, bool invert, artifact::TokenizerT &into) {
  artifact::PreTokenizerT &step = addStep(PreTokenizerKind::split, into);
  step.pattern = std::move(pattern);
  step.behavior = behavior;
  step.invert = invert;
}

void addPrepend(StringRef content, bool onlyFirst, artifact::TokenizerT &into) {
  artifact::PreTokenizerT &step = addStep(PreTokenizerKind::prepend, into);
  step.content = content.str();
  step.only_first = onlyFirst;
}

void readByteLevel(const Node &node, artifact::TokenizerT &into) {
  node.onlyKnown({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  if (into.byte_level)
    return node.refuse("a second ByteLevel is not supported");
  into.byte_level = true;
  if (node.flag("add_prefix_space", true))
    addPrepend(" ", /*onlyFirst=*/false, into);
  if (node.flag("use_regex", true)) {
    Expected<std::string> pattern = translatePattern(byteLevelPattern);
    addSplit(cantFail(std::move(pattern)), SplitBehavior::isolated, /*invert=*/false, into);
  }
}

void readSplit(const Node &node, artifact::TokenizerT &into) {
  node.onlyKnown({"type", "pattern", "behavior", "invert"});
  Node name = node.member("behavior");
  auto behavior = StringSwitch<std::optional<SplitBehavior>>(name.text())
                      .Case("Isolated", SplitBehavior::isolated)
                      .Case("Removed", SplitBehavior::removed)
                      .Case("MergedWithPrevious", SplitBehavior::merged_with_previous)
                      .Case("MergedWithNext", SplitBehavior::merged_with_next)
                      .Case("Contiguous", SplitBehavior::contiguous)
                      .Default(std::nullopt);
  if (!behavior)
    return name.refuse("expected Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous, got '" + name.text() + "'");
  addSplit(readPattern(node.member("pattern")), *behavior, node.flag("invert", false), into);
}

void readDigits(const Node &node, artifact::TokenizerT &into) {
  node.onlyKnown({"type", "individual_digits"});
  SplitBehavior behavior = node.flag("individual_digits", false) ? SplitBehavior::isolated : SplitBehavior::contiguous;
  addSplit(cantFail(translatePattern(R"(\p{N})")), behavior, /*invert=*/false, into);
}

void readMetaspace(const Node &node, artifact::TokenizerT &into) {
  node.onlyKnown({"type", "replacement", "add_prefix_space", "str_rep", "prepend_scheme", "split"});
  StringRef replacement = node.text("replacement");
  // Older files have add_prefix_space instead of prepend_scheme; where both are, false must be `never`.
  Node scheme = node.member("prepend_scheme");
  bool prefix = node.flag("add_prefix_space", true);
  StringRef when = scheme.json() ? scheme.text() : prefix ? StringRef("always") : StringRef("never");
  if (when != "always" && when != "first" && when != "never")
    return scheme.refuse("expected always, first or never, got '" + when + "'");
  if (!prefix && when != "never")
    return scheme.refuse("expected never beside add_prefix_space false, got '" + when + "'");
  if (when == "first" && !into.pre_tokenizers.empty())
    return scheme.refuse("'first' is not supported behind other pre-tokenizers");
  bool split = node.flag("split", true);
  if (!node.ok())
    return;
  if (replacement.empty() || replacement.size() != size_t(getNumBytesForUTF8(uint8_t(replacement[0]))))
    return node.member("replacement").refuse("expected one character, got '" + replacement + "'");

  artifact::PreTokenizerT &spaces = addStep(PreTokenizerKind::replace, into);
  spaces.pattern = " ";
  spaces.content = replacement.str();
  if (when != "never")
    addPrepend(replacement, when == "first", into);
  if (split)
    addSplit(escapePattern(replacement), SplitBehavior::merged_with_next, /*invert=*/false, into);
}
} // namespace

void moec::importers::tokenizer::readPreTokenizer(const Node &preTokenizer, artifact::TokenizerT &into) {
  if (preTokenizer.isNull())
    return;
  StringRef type = preTokenizer.type();
  if (!preTokenizer.ok())
    return;
  if (type == "Sequence") {
    preTokenizer.onlyKnown({"type", "pretokenizers"});
    for (const Node &each : preTokenizer.items("pretokenizers"))
      readPreTokenizer(each, into);
    return;
  }
  // What comes behind ByteLevel sees the byte alphabet, not the text.
  if (into.byte_level && type != "ByteLevel")
    return preTokenizer.refuse("'" + type + "' behind ByteLevel is not supported");
  if (type == "ByteLevel")
    readByteLevel(preTokenizer, into);
  else if (type == "Split")
    readSplit(preTokenizer, into);
  else if (type == "Digits")
    readDigits(preTokenizer, into);
  else if (type == "Metaspace")
    readMetaspace(preTokenizer, into);
  else
    preTokenizer.refuse("pre-tokenizer '" + type + "' is not supported");
}
