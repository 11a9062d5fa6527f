// Which of an artifact's code variants runs on this processor.
#include "runtime/devices/cpu/CodeChoice.h"

#include "runtime/devices/cpu/Processor.h"

#include <algorithm>

using namespace moec::runtime;
using moec::artifact::CodeVariant;

static bool supports(const CodeVariant &variant) {
  return std::ranges::all_of(*variant.features(), [](const auto *feature) { return processorHas(feature->string_view()); });
}

Result<std::unique_ptr<CodeModule>> moec::runtime::loadCode(const Artifact &artifact, std::string &isa) {
  const CodeVariant *chosen = nullptr;
  std::string names;
  for (const CodeVariant *variant : *artifact.manifest().code()) { // from the lowest level to the highest
    names += (names.empty() ? "" : ", ") + variant->isa()->str();
    if (isa.empty() ? supports(*variant) : variant->isa()->string_view() == isa)
      chosen = variant;
  }
  if (!chosen)
    return Status::unavailable(artifact.path() + ": " +
                               (isa.empty() ? "no code for this processor" : "no code for --isa '" + isa + "'") +
                               " (the artifact has: " + (names.empty() ? "none" : names) + ")");
  if (!supports(*chosen))
    return Status::unavailable("this processor cannot run code for '" + isa + "'");
  isa = chosen->isa()->str();
  std::span<const std::byte> bytes = artifact.section(*artifact.manifest().sections()->Get(chosen->section()));
  return CodeModule::load(bytes, artifact.path() + ": code '" + isa + "'");
}
