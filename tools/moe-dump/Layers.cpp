// A launch belongs to the layer whose weights or caches it uses.
#include "tools/moe-dump/Layers.h"

#include <charconv>
#include <map>
#include <optional>

using namespace moec;
using namespace moec::dump;

namespace {
/// The layer in a name like "model.layers.3.self_attn.o_proj.weight".
std::optional<uint32_t> layerIn(std::string_view name) {
  constexpr std::string_view part = "layers.";
  size_t at = name.find(part);
  uint32_t layer = 0;
  if (at == std::string_view::npos ||
      std::from_chars(name.data() + at + part.size(), name.data() + name.size(), layer).ec != std::errc())
    return std::nullopt;
  return layer;
}

/// Where a launch belongs as far as its own buffers say.
struct Place {
  bool known = false;
  std::optional<uint32_t> layer; ///< none: outside of all layers
};

Place placeOf(const artifact::Manifest &manifest, const artifact::Launch &launch) {
  Place place;
  for (uint32_t index : *launch.buffers()) {
    const artifact::Buffer &buffer = *manifest.buffers()->Get(index);
    if (buffer.kind() != artifact::BufferKind::weight && buffer.kind() != artifact::BufferKind::cache)
      continue;
    place.known = true;
    if (!place.layer)
      place.layer = layerIn(buffer.name()->string_view());
  }
  return place;
}

/// The layers of a program's launches. One that uses neither weights nor caches belongs where the launch before it does, unless
/// what follows is outside of all layers.
std::vector<std::optional<uint32_t>> layersOf(const artifact::Manifest &manifest, const artifact::Program &program) {
  std::vector<Place> places;
  for (const artifact::Launch *launch : *program.launches())
    places.push_back(placeOf(manifest, *launch));
  std::vector<std::optional<uint32_t>> layers(places.size());
  std::optional<uint32_t> after;
  for (size_t i = places.size(); i-- > 0;) {
    after = places[i].known ? places[i].layer : after;
    layers[i] = after;
  }
  for (size_t i = 1; i < places.size(); ++i)
    if (!places[i].known && layers[i])
      layers[i] = layers[i - 1] ? layers[i - 1] : layers[i];
  return layers;
}
} // namespace

std::vector<LayerKind> moec::dump::layerKinds(const artifact::Manifest &manifest, std::string_view name) {
  std::map<uint32_t, std::vector<uint32_t>> kernels; // of each layer
  for (const artifact::Program *program : *manifest.programs()) {
    if (program->name()->string_view() != name)
      continue;
    std::vector<std::optional<uint32_t>> layers = layersOf(manifest, *program);
    for (uint32_t i = 0; i < layers.size(); ++i)
      if (layers[i])
        kernels[*layers[i]].push_back(program->launches()->Get(i)->kernel());
  }
  std::map<std::vector<uint32_t>, size_t> seen;
  std::vector<LayerKind> kinds;
  for (const auto &[layer, own] : kernels) {
    auto [found, isNew] = seen.emplace(own, kinds.size());
    if (isNew) {
      kinds.emplace_back();
      for (uint32_t kernel : own)
        if (const flatbuffers::String *ir = manifest.kernels()->Get(kernel)->ir())
          for (Operation &operation : operationsOf(ir->string_view()))
            kinds.back().operations.push_back(std::move(operation));
    }
    kinds[found->second].layers.push_back(layer);
  }
  return kinds;
}

std::string moec::dump::rangesOf(const std::vector<uint32_t> &layers) {
  std::string text;
  for (size_t begin = 0, end; begin < layers.size(); begin = end) {
    for (end = begin + 1; end < layers.size() && layers[end] == layers[end - 1] + 1; ++end)
      continue;
    text +=
        (text.empty() ? "" : ", ") + std::to_string(layers[begin]) + (end - begin > 1 ? "-" + std::to_string(layers[end - 1]) : "");
  }
  return text;
}
