// moe-dump: shows what is in a compiled model.
#include "tools/moe-dump/Describe.h"

#include <CLI/CLI.hpp>
#include <iostream>

using namespace moec::dump;
using namespace moec::runtime;

namespace {
int complain(const Status &status) {
  std::cerr << "moe-dump: error: " << status.message() << "\n";
  return 2;
}

/// Writes a section's bytes and nothing else.
int writeSection(const Artifact &artifact, const std::string &name) {
  std::optional<std::span<const std::byte>> bytes = name == "manifest" ? artifact.manifestBytes() : artifact.section(name);
  if (!bytes) {
    std::string names = "manifest";
    for (const auto *section : *artifact.manifest().sections())
      if (section->name()->string_view() != "manifest")
        names += ", " + section->name()->str();
    return complain(Status::invalidArgument("no section '" + name + "'; expected one of " + names));
  }
  std::cout.write(reinterpret_cast<const char *>(bytes->data()), std::streamsize(bytes->size())).flush();
  return std::cout ? 0 : complain(Status::ioError("cannot write to standard output"));
}
} // namespace

int main(int argc, char **argv) {
  CLI::App app{"Shows what is in a compiled model."};
  app.set_version_flag("--version", "moe-dump " MOEC_VERSION);
  std::string path, section, weights;
  bool verify = false, json = false;
  app.add_option("artifact", path, "compiled model (.moec)")->required();
  app.add_flag("--verify", verify, "check the hash of every section, however large");
  app.add_flag("--json", json, "print as JSON");
  app.add_option("--section", section, "write one section's bytes to standard output: manifest, code/ISA, weights, tokenizer, ...");
  app.add_option("--weights", weights, "folder of external weight files");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? 0 : 2;
  }
  Result<std::unique_ptr<Artifact>> artifact = Artifact::open(path, {verify, weights});
  if (!artifact.ok())
    return complain(artifact.status());
  if (!section.empty())
    return writeSection(**artifact, section);
  nlohmann::ordered_json description = describe(**artifact);
  if (verify)
    std::cerr << "moe-dump: every section has the hash that the manifest gives\n";
  std::cout << (json ? description.dump(2) + "\n" : page(description));
  return 0;
}
