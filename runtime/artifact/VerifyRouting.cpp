// That what a manifest says of routing agrees with itself and with the steps.
#include "runtime/artifact/VerifyRouting.h"

#include <charconv>
#include <cmath>
#include <map>

using namespace moec::runtime;
using namespace moec::artifact;

namespace {
/// Why a record's numbers are not those of a routing; empty when they are.
std::string problemOf(const RoutingRecord &record) {
  if (record.k() == 0 || record.k() > record.experts())
    return "chooses " + std::to_string(record.k()) + " of " + std::to_string(record.experts()) + " experts";
  const RoutingSemantics *semantics = record.semantics();
  if (!semantics)
    return "";
  if (semantics->score() > Score::MAX || semantics->group_score() > GroupScore::MAX || semantics->mask_fill() > MaskFill::MAX)
    return "has scores of an unknown kind";
  uint64_t groups = semantics->groups(), kept = semantics->kept_groups();
  if (groups == 0 || record.experts() % groups || kept == 0 || kept > groups || kept * (record.experts() / groups) < record.k())
    return "chooses " + std::to_string(record.k()) + " of " + std::to_string(record.experts()) + " experts in " +
           std::to_string(kept) + " of " + std::to_string(groups) + " groups";
  auto isEpsilon = [](double value) { return std::isfinite(value) && value >= 0; };
  if (!isEpsilon(semantics->epsilon()) || !isEpsilon(semantics->jitter_epsilon()) || !std::isfinite(semantics->scale()) ||
      semantics->scale() <= 0)
    return "has a scale or an epsilon that is none";
  return "";
}

/// The layer of an output "routing.L".
std::optional<uint32_t> layerOf(std::string_view output) {
  constexpr std::string_view prefix = "routing.";
  uint32_t layer = 0;
  if (!output.starts_with(prefix))
    return std::nullopt;
  const char *begin = output.data() + prefix.size(), *end = output.data() + output.size();
  auto [parsed, error] = std::from_chars(begin, end, layer);
  return error == std::errc() && parsed == end ? std::optional(layer) : std::nullopt;
}
} // namespace

Status moec::runtime::verifyRouting(const Manifest &manifest, const std::string &path) {
  auto refuse = [&](const std::string &why) { return Status::invalidData(path + ": section 'manifest': " + why); };
  std::map<uint32_t, uint32_t> choices; // k by layer
  if (manifest.routing())
    for (const RoutingRecord *record : *manifest.routing()) {
      std::string layer = "routing of layer " + std::to_string(record->layer());
      if (std::string problem = problemOf(*record); !problem.empty())
        return refuse(layer + " " + problem);
      if (!choices.emplace(record->layer(), record->k()).second)
        return refuse(layer + " is recorded twice");
    }
  for (const Program *program : *manifest.programs()) {
    size_t given = 0;
    for (const Output *output : *program->outputs()) {
      std::optional<uint32_t> layer = layerOf(output->name()->string_view());
      if (!layer)
        continue;
      auto found = choices.find(*layer);
      uint64_t width = manifest.buffers()->Get(output->buffer())->width();
      if (found == choices.end() || found->second != width)
        return refuse("program '" + program->name()->str() + "': output '" + output->name()->str() + "' holds " +
                      std::to_string(width) + " experts, but " +
                      (found == choices.end() ? "no record says how its layer routes"
                                              : "its layer's record says " + std::to_string(found->second)));
      ++given;
    }
    if (given != choices.size())
      return refuse("program '" + program->name()->str() + "': expected outputs of " + std::to_string(choices.size()) +
                    " layers that route, got " + std::to_string(given));
  }
  return {};
}
