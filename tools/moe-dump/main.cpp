// moe-dump: shows what is in a compiled model.
#include "tools/CommandLine.h"
#include "tools/moe-dump/Compare.h"
#include "tools/moe-dump/Describe.h"

#include <algorithm>
#include <iostream>

using namespace moec;
using namespace moec::dump;
using namespace moec::runtime;
using moec::tools::complain;

namespace {
int write(std::string_view bytes) {
  std::cout.write(bytes.data(), std::streamsize(bytes.size()));
  return tools::finishOutput(0);
}

/// Names are whatever bytes the artifact has, which JSON escapes; a terminal must not obey them.
int writeJson(const nlohmann::ordered_json &json) {
  return write(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}
int writePage(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return (c < 0x20 && c != '\n') || c == 0x7f; }, '?');
  return write(text);
}

/// Compares two artifacts, whose external weights need not be there.
int writeComparison(const std::vector<std::string> &paths, bool json) {
  std::vector<std::unique_ptr<Artifact>> artifacts;
  for (const std::string &path : paths) {
    Result<std::unique_ptr<Artifact>> artifact =
        Artifact::open(path, {.verifyAll = false, .weightFolder = "", .openWeights = false});
    if (!artifact.ok())
      return complain(artifact.status());
    artifacts.push_back(std::move(*artifact));
  }
  nlohmann::ordered_json comparison = compare(*artifacts[0], *artifacts[1]);
  return json ? writeJson(comparison) : writePage(comparisonPage(comparison));
}

/// Writes one section and nothing else. A name like "ptx" will do where only one section "ptx/..." is there.
int writeSection(const Artifact &artifact, const std::string &name) {
  if (name == "manifest")
    return write(textOfManifest(artifact));
  auto writeBytes = [&](const artifact::Section &section) {
    std::span<const std::byte> bytes = artifact.section(section);
    return write({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
  };
  std::vector<const artifact::Section *> within;
  std::string names = "manifest";
  for (const artifact::Section *section : *artifact.manifest().sections()) {
    std::string candidate = section->name()->str();
    if (candidate == name)
      return writeBytes(*section);
    if (candidate.starts_with(name + "/"))
      within.push_back(section);
    names += ", " + candidate;
  }
  if (within.size() == 1)
    return writeBytes(*within.front());
  return complain(
      Status::invalidArgument((within.empty() ? "no" : "more than one") + (" section '" + name) + "'; expected one of " + names));
}
} // namespace

int main(int argc, char **argv) {
  CLI::App app{"Shows what is in a compiled model.", "moe-dump"};
  std::vector<std::string> paths;
  std::string section, weights;
  bool verify = false, json = false, compares = false;
  app.add_option("artifact", paths, "compiled model (.moec); two for --compare")->type_name("FILE")->required()->expected(1, 2);
  app.add_flag("--verify", verify,
               "check every section's hash, however large, and the weight files; exit code 1 when one does not hold");
  app.add_flag("--json", json, "print as JSON");
  app.add_option("--section", section, "write one section alone: manifest (as text), ptx, code/ISA, tokenizer, ...")
      ->type_name("NAME");
  app.add_flag("--compare", compares, "print what two models share and where they differ, layer by layer and in what a token costs")
      ->excludes("--verify")
      ->excludes("--section");
  app.add_option("--weights", weights, "where external weight files are")->type_name("FOLDER");
  if (std::optional<int> code = tools::parseCommandLine(app, argc, argv))
    return *code;
  if (paths.size() != (compares ? 2 : 1))
    return complain(Status::invalidArgument(compares ? "--compare: expected two models, got 1"
                                                     : "expected one model, got 2; --compare takes two"));
  if (compares)
    return writeComparison(paths, json);
  Result<std::unique_ptr<Artifact>> artifact =
      Artifact::open(paths[0], {.verifyAll = verify, .weightFolder = weights, .openWeights = verify});
  if (!artifact.ok()) {
    complain(artifact.status());
    return verify && artifact.status().code() == StatusCode::invalidData ? 1 : 2;
  }
  if (!section.empty())
    return writeSection(**artifact, section);
  nlohmann::ordered_json description = describe(**artifact);
  if (verify)
    std::cerr << "moe-dump: every section has the hash that the manifest gives\n";
  return json ? writeJson(description) : writePage(page(description));
}
