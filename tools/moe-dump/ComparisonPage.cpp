// A comparison as a page of two columns.
#include "tools/moe-dump/Compare.h"
#include "tools/moe-dump/GpuCode.h"

#include <algorithm>

using namespace moec::dump;
using Json = nlohmann::ordered_json;

namespace {
std::string padded(std::string text, size_t width) {
  text += std::string(text.size() < width ? width - text.size() : 1, ' ');
  return text;
}

std::string shown(const Json &value) { return value.is_null() ? "-" : plain(value); }

/// A pair of values; one for both where they are alike.
std::string row(const Json &pair) {
  std::string text = "  " + padded(plain(pair["name"]), 26) + padded(shown(pair["a"]), 24);
  return text + (pair["alike"] ? "the same" : shown(pair["b"])) + "\n";
}

/// Tensors by their sizes: what is in `tensor<...>`, without the sign that a number of tokens has.
std::string brief(std::string types) {
  for (std::string_view part : {"tensor<?x", "tensor<"})
    for (size_t at; (at = types.find(part)) != std::string::npos;) {
      types.erase(at, part.size());
      types.erase(std::min(types.find('>', at), types.size()), 1);
    }
  return types;
}

/// Equal lines once, with how often each was there.
std::string counted(const std::vector<std::string> &lines) {
  std::vector<std::pair<std::string, size_t>> found;
  for (const std::string &line : lines) {
    auto same = std::find_if(found.begin(), found.end(), [&](const auto &one) { return one.first == line; });
    if (same == found.end())
      found.emplace_back(line, 1);
    else
      ++same->second;
  }
  std::string text;
  for (const auto &[line, count] : found)
    text += "    " + (count > 1 ? std::to_string(count) + " x " : "") + line + "\n";
  return text;
}

std::string operationsOnlyIn(const char *where, const Json &operations) {
  std::vector<std::string> lines;
  for (const Json &operation : operations)
    lines.push_back(std::string(where) + ": " + plain(operation["operation"]) + "  " + brief(plain(operation["types"])));
  return counted(lines);
}

std::string layers(const Json &kind) {
  std::string a = plain(kind["a"]), b = plain(kind["b"]);
  size_t alike = kind["alike"].size();
  std::string text = "\nlayers " + (a.empty() ? "-" : a) + " | " + (b.empty() ? "-" : b) + ": " + std::to_string(alike) +
                     (alike == 1 ? " operation" : " operations") + " alike\n";
  std::vector<std::string> different;
  for (const Json &one : kind["different"]) {
    bool types = one["attribute"] == "types";
    auto side = [&](const char *name) { return types ? brief(plain(one[name])) : shown(one[name]); };
    different.push_back(plain(one["operation"]) + " " + plain(one["attribute"]) + ": " + side("a") + " | " + side("b"));
  }
  return text + counted(different) + operationsOnlyIn("only A", kind["only_a"]) + operationsOnlyIn("only B", kind["only_b"]);
}
} // namespace

std::string moec::dump::comparisonPage(const Json &comparison) {
  std::string text = "model\n";
  for (const Json &pair : comparison["model"])
    text += row(pair);
  for (const Json &routing : comparison["routing"]) {
    text += "\nrouting\n";
    for (const Json &pair : routing)
      text += row(pair);
  }
  for (const Json &kind : comparison["layers"])
    text += layers(kind);
  const Json &kernels = comparison["kernels"];
  text += "\nkernels of a step that decodes: " + std::to_string(kernels["alike"].size()) + " alike, " +
          std::to_string(kernels["only_a"].size()) + " only in A, " + std::to_string(kernels["only_b"].size()) + " only in B\n";
  return text;
}
