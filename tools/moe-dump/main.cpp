// moe-dump: shows what is in a compiled model.
#include "tools/CommandLine.h"
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
  std::string path, section, weights;
  bool verify = false, json = false;
  app.add_option("artifact", path, "compiled model (.moec)")->type_name("FILE")->required();
  app.add_flag("--verify", verify,
               "check every section's hash, however large, and the weight files; exit code 1 when one does not hold");
  app.add_flag("--json", json, "print as JSON");
  app.add_option("--section", section, "write one section alone: manifest (as text), ptx, code/ISA, tokenizer, ...")
      ->type_name("NAME");
  app.add_option("--weights", weights, "where external weight files are")->type_name("FOLDER");
  if (std::optional<int> code = tools::parseCommandLine(app, argc, argv))
    return *code;
  Result<std::unique_ptr<Artifact>> artifact =
      Artifact::open(path, {.verifyAll = verify, .weightFolder = weights, .openWeights = verify});
  if (!artifact.ok()) {
    complain(artifact.status());
    return verify && artifact.status().code() == StatusCode::invalidData ? 1 : 2;
  }
  if (!section.empty())
    return writeSection(**artifact, section);
  nlohmann::ordered_json description = describe(**artifact);
  if (verify)
    std::cerr << "moe-dump: every section has the hash that the manifest gives\n";
  // Names are whatever bytes the artifact has, which JSON escapes; a terminal must not obey them.
  if (json)
    return write(description.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  std::string text = page(description);
  std::ranges::replace_if(text, [](unsigned char c) { return (c < 0x20 && c != '\n') || c == 0x7f; }, '?');
  return write(text);
}
