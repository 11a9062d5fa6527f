// tokenizer.json's `decoder`.
#include "importers/tokenizer/Sections.h"

using namespace llvm;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::tokenizer;

namespace {
/// The steps come in the order Replace, ByteFallback, Fuse, Strip, each of which may be missing.
enum Stage { replacing, fallback, fused, stripped };

class Reader {
public:
  explicit Reader(artifact::DecoderT &into) : into(into) {}

  void read(const Node &node) {
    StringRef type = node.type();
    if (!node.ok())
      return;
    if (type == "Sequence") {
      node.onlyKnown({"type", "decoders"});
      for (const Node &each : node.items("decoders"))
        read(each);
    } else if (type == "Replace") {
      reach(replacing, node);
      replace(node);
    } else if (type == "ByteFallback") {
      node.onlyKnown({"type"});
      reach(fallback, node);
      into.byte_fallback = true;
    } else if (type == "Fuse") {
      node.onlyKnown({"type"});
      reach(fused, node);
    } else if (type == "Strip") {
      strip(node);
    } else if (type == "Metaspace") {
      metaspace(node);
    } else {
      node.refuse("decoder '" + type + "' is not supported");
    }
  }

private:
  void reach(Stage stage, const Node &node) {
    if (stage < reached)
      node.refuse("'" + node.type() + "' is not supported here: expected Replace, ByteFallback, Fuse, Strip in this order");
    reached = std::max(reached, stage);
  }

  void add(StringRef from, StringRef to, const Node &node) {
    if (from.empty() || to.size() > from.size())
      return node.refuse("expected a content that is no longer than the pattern");
    auto replacement = std::make_unique<artifact::ReplacementT>();
    replacement->from = from.str();
    replacement->to = to.str();
    into.replacements.push_back(std::move(replacement));
  }

  void replace(const Node &node) {
    node.onlyKnown({"type", "pattern", "content"});
    Node pattern = node.member("pattern");
    if (!pattern.member("String").json())
      return pattern.refuse("expected {\"String\": ...}");
    add(pattern.text("String"), node.text("content"), node);
  }

  void strip(const Node &node) {
    node.onlyKnown({"type", "content", "start", "stop"});
    if (reached != fused)
      node.refuse("Strip is supported behind Fuse only");
    reached = stripped;
    if (node.member("stop").integer(0, INT32_MAX) != 0)
      node.member("stop").refuse("expected 0: stripping the end is not supported");
    into.strip = node.text("content").str();
    into.strip_count = int32_t(node.member("start").integer(0, INT32_MAX));
    if (into.strip.empty())
      node.member("content").refuse("expected a character");
  }

  void metaspace(const Node &node) {
    node.onlyKnown({"type", "replacement", "add_prefix_space", "str_rep", "prepend_scheme", "split"});
    reach(replacing, node);
    if (!into.replacements.empty())
      node.refuse("Metaspace behind other decoders is not supported");
    StringRef replacement = node.text("replacement");
    Node scheme = node.member("prepend_scheme");
    bool never = scheme.json() ? scheme.text() == "never" : !node.flag("add_prefix_space", true);
    if (!never)
      into.first_loses = replacement.str();
    add(replacement, " ", node);
  }

  artifact::DecoderT &into;
  Stage reached = replacing;
};
} // namespace

void moec::importers::tokenizer::readDecoder(const Node &decoder, artifact::TokenizerT &into) {
  if (decoder.isNull())
    return decoder.refuse("expected one: without it, the reference puts spaces between tokens");
  if (into.byte_level) {
    if (decoder.type() != "ByteLevel")
      decoder.refuse("expected ByteLevel for a byte-level vocabulary, got '" + decoder.type() + "'");
    return;
  }
  into.decoder = std::make_unique<artifact::DecoderT>();
  Reader(*into.decoder).read(decoder);
}
