// tokenizer.json's `post_processor`: the ids around a text.
#include "importers/tokenizer/Sections.h"

using namespace llvm;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::tokenizer;

/// The ids of a template's special token.
static std::vector<int32_t> idsOf(StringRef name, const Node &specials, size_t tokens) {
  std::vector<int32_t> ids;
  Node token = specials.member(name);
  if (!token.json()) {
    specials.refuse("expected '" + name + "'");
    return ids;
  }
  for (const Node &id : token.items("ids"))
    ids.push_back(int32_t(id.integer(0, int64_t(tokens) - 1)));
  return ids;
}

static void readTemplate(const Node &processor, artifact::TokenizerT &into) {
  processor.onlyKnown({"type", "single", "pair", "special_tokens"});
  if (!into.prefix_ids.empty() || !into.suffix_ids.empty())
    return processor.refuse("a second TemplateProcessing is not supported");
  bool seenText = false;
  for (const Node &piece : processor.items("single")) {
    if (Node special = piece.member("SpecialToken"); special.json()) {
      for (int32_t id : idsOf(special.text("id"), processor.member("special_tokens"), into.tokens.size()))
        (seenText ? into.suffix_ids : into.prefix_ids).push_back(id);
      continue;
    }
    Node sequence = piece.member("Sequence");
    if (!sequence.json())
      return piece.refuse("expected a SpecialToken or a Sequence");
    if (seenText || sequence.text("id") != "A")
      return piece.refuse("expected the text A once");
    seenText = true;
  }
  if (!seenText)
    processor.member("single").refuse("expected the text A once");
}

void moec::importers::tokenizer::readPostProcessor(const Node &processor, artifact::TokenizerT &into) {
  if (processor.isNull())
    return;
  StringRef type = processor.type();
  if (!processor.ok() || type == "ByteLevel") // ByteLevel moves offsets only
    return;
  if (type == "Sequence") {
    processor.onlyKnown({"type", "processors"});
    for (const Node &each : processor.items("processors"))
      readPostProcessor(each, into);
  } else if (type == "TemplateProcessing") {
    readTemplate(processor, into);
  } else {
    processor.refuse("post-processor '" + type + "' is not supported");
  }
}
