// What two artifacts share and where they differ.
#include "tools/moe-dump/Compare.h"
#include "tools/moe-dump/Describe.h"
#include "tools/moe-dump/Layers.h"

#include <algorithm>
#include <map>
#include <set>

using namespace moec;
using namespace moec::dump;
using namespace moec::runtime;
using Json = nlohmann::ordered_json;

namespace {
constexpr std::string_view step = "decode";

//===- The model ------------------------------------------------------------------------------------------------------------===//

/// A pair of values under a name, and whether they are the same.
Json pair(const std::string &name, const Json &a, const Json &b) { return {{"name", name}, {"a", a}, {"b", b}, {"alike", a == b}}; }

/// What one token costs in a step that decodes: FLOP, bytes of weights, launches.
Json costOf(const Json &description) {
  for (const Json &program : description["programs"])
    if (program["name"] == step)
      return program;
  return {{"flops_per_unit", 0}, {"bytes_per_unit", 0}, {"launches", 0}};
}

Json compareModels(const Json &a, const Json &b) {
  Json rows = Json::array();
  for (const char *key : {"family", "parameters", "layers", "vocabulary", "compute", "cache_bytes_per_position"})
    rows.push_back(pair(key, a["model"][key], b["model"][key]));
  Json costs[] = {costOf(a), costOf(b)};
  rows.push_back(pair("flop_per_token", costs[0]["flops_per_unit"], costs[1]["flops_per_unit"]));
  rows.push_back(pair("weight_bytes_per_token", costs[0]["bytes_per_unit"], costs[1]["bytes_per_unit"]));
  rows.push_back(pair("launches_per_token", costs[0]["launches"], costs[1]["launches"]));
  return rows;
}

//===- Routing --------------------------------------------------------------------------------------------------------------===//

/// The routings of a description, each with the layers that have it.
std::vector<std::pair<Json, std::vector<uint32_t>>> routings(const Json &description) {
  std::vector<std::pair<Json, std::vector<uint32_t>>> found;
  for (Json record : description["routing"]) {
    auto layer = record["layer"].get<uint32_t>();
    record.erase("layer");
    auto same = std::ranges::find_if(found, [&](const auto &one) { return one.first == record; });
    if (same == found.end())
      same = found.emplace(same, record, std::vector<uint32_t>());
    same->second.push_back(layer);
  }
  return found;
}

/// The first routing of the one beside the first of the other, and so on.
Json compareRoutings(const Json &a, const Json &b) {
  auto ofA = routings(a), ofB = routings(b);
  Json result = Json::array();
  for (size_t i = 0; i < std::max(ofA.size(), ofB.size()); ++i) {
    Json rows = Json::array();
    auto value = [&](const auto &all, const std::string &key) { return i < all.size() ? all[i].first.value(key, Json()) : Json(); };
    auto layers = [&](const auto &all) { return i < all.size() ? Json(rangesOf(all[i].second)) : Json(); };
    rows.push_back(pair("layers", layers(ofA), layers(ofB)));
    for (const auto &[key, ignored] : (i < ofA.size() ? ofA : ofB)[i].first.items())
      if (key != "routing") // the others in words
        rows.push_back(pair(key, value(ofA, key), value(ofB, key)));
    result.push_back(rows);
  }
  return result;
}

//===- Layers ---------------------------------------------------------------------------------------------------------------===//

/// Indices of operations of `a` and `b` that are of one name, both ascending: as many as there can be.
std::vector<std::pair<size_t, size_t>> alignment(const std::vector<Operation> &a, const std::vector<Operation> &b) {
  std::vector<std::vector<uint32_t>> longest(a.size() + 1, std::vector<uint32_t>(b.size() + 1));
  for (size_t i = a.size(); i-- > 0;)
    for (size_t j = b.size(); j-- > 0;)
      longest[i][j] = a[i].name == b[j].name ? longest[i + 1][j + 1] + 1 : std::max(longest[i + 1][j], longest[i][j + 1]);
  std::vector<std::pair<size_t, size_t>> pairs;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i].name == b[j].name)
      pairs.emplace_back(i++, j++);
    else
      longest[i + 1][j] >= longest[i][j + 1] ? ++i : ++j;
  }
  return pairs;
}

/// The attributes and types in which two operations of one name differ.
Json differences(const Operation &a, const Operation &b) {
  Json found = Json::array();
  auto value = [](const Operation &operation, const std::string &name) {
    auto at = std::ranges::find(operation.attributes, name, &std::pair<std::string, std::string>::first);
    return at == operation.attributes.end() ? Json() : Json(at->second);
  };
  auto differ = [&](const std::string &name, const Json &ofA, const Json &ofB) {
    if (ofA != ofB)
      found.push_back({{"operation", a.name}, {"attribute", name}, {"a", ofA}, {"b", ofB}});
  };
  for (const auto &[name, ofA] : a.attributes)
    differ(name, ofA, value(b, name));
  for (const auto &[name, ofB] : b.attributes)
    if (value(a, name).is_null())
      differ(name, Json(), ofB);
  differ("types", a.types, b.types);
  return found;
}

Json describe(const Operation &operation) {
  Json attributes = Json::object();
  for (const auto &[name, value] : operation.attributes)
    attributes[name] = value;
  return {{"operation", operation.name}, {"attributes", attributes}, {"types", operation.types}};
}

Json compareKinds(const LayerKind &a, const LayerKind &b) {
  Json alike = Json::array(), different = Json::array(), onlyA = Json::array(), onlyB = Json::array();
  std::set<size_t> pairedA, pairedB;
  for (auto [i, j] : alignment(a.operations, b.operations)) {
    pairedA.insert(i), pairedB.insert(j);
    Json found = differences(a.operations[i], b.operations[j]);
    if (found.empty())
      alike.push_back(describe(a.operations[i]));
    different.insert(different.end(), found.begin(), found.end());
  }
  for (size_t i = 0; i < a.operations.size(); ++i)
    if (!pairedA.contains(i))
      onlyA.push_back(describe(a.operations[i]));
  for (size_t j = 0; j < b.operations.size(); ++j)
    if (!pairedB.contains(j))
      onlyB.push_back(describe(b.operations[j]));
  return {{"a", rangesOf(a.layers)}, {"b", rangesOf(b.layers)}, {"alike", alike},
          {"different", different},  {"only_a", onlyA},         {"only_b", onlyB}};
}

/// Kinds of layers beside those that they are most like, in the order of A's; the rest by themselves.
Json compareLayers(std::vector<LayerKind> a, std::vector<LayerKind> b) {
  std::map<uint32_t, Json> pairs; // by A's first layer
  while (!a.empty() && !b.empty()) {
    size_t bestA = 0, bestB = 0;
    double most = -1;
    for (size_t i = 0; i < a.size(); ++i)
      for (size_t j = 0; j < b.size(); ++j) {
        size_t all = a[i].operations.size() + b[j].operations.size();
        double shared = all ? 2.0 * double(alignment(a[i].operations, b[j].operations).size()) / double(all) : 0;
        if (shared > most)
          most = shared, bestA = i, bestB = j;
      }
    pairs[a[bestA].layers.front()] = compareKinds(a[bestA], b[bestB]);
    a.erase(a.begin() + std::ptrdiff_t(bestA));
    b.erase(b.begin() + std::ptrdiff_t(bestB));
  }
  for (const LayerKind &kind : a)
    pairs[kind.layers.front()] = compareKinds(kind, {});
  Json result = Json::array();
  for (const auto &[layer, pair] : pairs)
    result.push_back(pair);
  for (const LayerKind &kind : b)
    result.push_back(compareKinds({}, kind));
  return result;
}

//===- Kernels --------------------------------------------------------------------------------------------------------------===//

/// What the kernels of a step compute, each once.
std::set<std::string> kernelsOf(const artifact::Manifest &manifest) {
  std::set<std::string> found;
  for (const artifact::Program *program : *manifest.programs())
    if (program->name()->string_view() == step)
      for (const artifact::Launch *launch : *program->launches())
        if (const flatbuffers::String *ir = manifest.kernels()->Get(launch->kernel())->ir())
          found.insert(ir->str());
  return found;
}

Json compareKernels(const std::set<std::string> &a, const std::set<std::string> &b) {
  Json alike = Json::array(), onlyA = Json::array(), onlyB = Json::array();
  for (const std::string &ir : a)
    (b.contains(ir) ? alike : onlyA).push_back(ir);
  for (const std::string &ir : b)
    if (!a.contains(ir))
      onlyB.push_back(ir);
  return {{"alike", alike}, {"only_a", onlyA}, {"only_b", onlyB}};
}
} // namespace

Json moec::dump::compare(const Artifact &a, const Artifact &b) {
  Json descriptions[] = {describe(a), describe(b)};
  return {{"model", compareModels(descriptions[0], descriptions[1])},
          {"routing", compareRoutings(descriptions[0], descriptions[1])},
          {"layers", compareLayers(layerKinds(a.manifest(), step), layerKinds(b.manifest(), step))},
          {"kernels", compareKernels(kernelsOf(a.manifest()), kernelsOf(b.manifest()))}};
}
