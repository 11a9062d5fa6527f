// tokenizer.json's `normalizer`.
#include "importers/tokenizer/Patterns.h"
#include "importers/tokenizer/Sections.h"

#include "llvm/ADT/StringSwitch.h"

using namespace llvm;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::tokenizer;
using artifact::NormalizerKind;

void moec::importers::tokenizer::readNormalizer(const Node &normalizer, artifact::TokenizerT &into) {
  if (normalizer.isNull())
    return;
  StringRef type = normalizer.type();
  if (!normalizer.ok())
    return;
  if (type == "Sequence") {
    normalizer.onlyKnown({"type", "normalizers"});
    for (const Node &each : normalizer.items("normalizers"))
      readNormalizer(each, into);
    return;
  }
  auto kind = StringSwitch<std::optional<NormalizerKind>>(type)
                  .Case("NFC", NormalizerKind::nfc)
                  .Case("NFD", NormalizerKind::nfd)
                  .Case("NFKC", NormalizerKind::nfkc)
                  .Case("NFKD", NormalizerKind::nfkd)
                  .Case("Lowercase", NormalizerKind::lowercase)
                  .Case("Replace", NormalizerKind::replace)
                  .Case("Prepend", NormalizerKind::prepend)
                  .Default(std::nullopt);
  if (!kind)
    return normalizer.refuse("normalizer '" + type + "' is not supported");
  auto step = std::make_unique<artifact::NormalizerT>();
  step->kind = *kind;
  if (*kind == NormalizerKind::replace) {
    normalizer.onlyKnown({"type", "pattern", "content"});
    step->pattern = readPattern(normalizer.member("pattern"));
    step->content = normalizer.text("content").str();
  } else if (*kind == NormalizerKind::prepend) {
    normalizer.onlyKnown({"type", "prepend"});
    step->content = normalizer.text("prepend").str();
  } else {
    normalizer.onlyKnown({"type"});
  }
  into.normalizers.push_back(std::move(step));
}
