// What happens to a text before it is cut: Unicode normal forms, lower case, replacements.
#include "runtime/tokenizer/Normalizer.h"

#include "runtime/tokenizer/UnicodeForms.h"
#include "runtime/tokenizer/Utf8.h"

using namespace moec;
using namespace moec::runtime;
using artifact::NormalizerKind;

Result<Normalizer> Normalizer::create(const artifact::Tokenizer &tokenizer) {
  Normalizer normalizer;
  if (!tokenizer.normalizers())
    return normalizer;
  for (const artifact::Normalizer *stored : *tokenizer.normalizers()) {
    if (stored->kind() > NormalizerKind::MAX)
      return Status::invalidData("unknown normalizer");
    Step &step = normalizer.steps.emplace_back(Step{stored->kind(), std::nullopt, {}});
    if (stored->content())
      step.content = stored->content()->str();
    if (!isUtf8(step.content))
      return Status::invalidData("a normalizer adds what is no text");
    if (step.kind != NormalizerKind::replace)
      continue;
    Result<Pattern> pattern = Pattern::compile(stored->pattern() ? stored->pattern()->string_view() : std::string_view());
    if (!pattern.ok())
      return pattern.status();
    step.pattern = std::move(*pattern);
  }
  return normalizer;
}

Status Normalizer::apply(std::string &text, const Deadline &deadline) const {
  for (const Step &step : steps)
    switch (step.kind) {
    case NormalizerKind::nfc:
      text = normalForm(text, {.compose = true, .compatible = false});
      break;
    case NormalizerKind::nfd:
      text = normalForm(text, {.compose = false, .compatible = false});
      break;
    case NormalizerKind::nfkc:
      text = normalForm(text, {.compose = true, .compatible = true});
      break;
    case NormalizerKind::nfkd:
      text = normalForm(text, {.compose = false, .compatible = true});
      break;
    case NormalizerKind::lowercase:
      text = lowerCase(text);
      break;
    case NormalizerKind::replace:
      MOEC_RETURN_IF_ERROR(step.pattern->replaceAll(text, step.content, deadline));
      break;
    case NormalizerKind::prepend:
      if (!text.empty())
        text.insert(0, step.content);
      break;
    }
  return text.size() <= maxTextBytes
             ? Status()
             : Status::resourceExhausted("normalizing makes a text of more than " + std::to_string(maxTextBytes) + " bytes");
}
