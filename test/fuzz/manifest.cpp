// Fuzzes a manifest in front of sound sections: whatever numbers it holds, opening it and planning a session's memory is bounded
// and never crashes. Only machine code of the sound artifact is loaded, and none of it runs.
#include "runtime/Session.h"
#include "test/runtime/Seal.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

using namespace moec;
using namespace moec::runtime;

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

namespace {
/// The artifact whose sections every input gets.
const Artifact &soundArtifact() {
  static const std::unique_ptr<Artifact> artifact = [] {
    auto opened = Artifact::open(MOEC_TEST_DATA "/fixtures/artifacts/version-" + std::to_string(formatVersion) + ".moec");
    if (!opened.ok())
      std::abort();
    return std::move(*opened);
  }();
  return *artifact;
}

/// The sound artifact's file with another manifest behind it.
std::string fileWith(const uint8_t *manifest, size_t size) {
  static const std::string sound = [] {
    const Artifact &artifact = soundArtifact();
    std::string bytes(headerBytes, '\0');
    for (const artifact::Section *section : *artifact.manifest().sections()) {
      bytes.resize(section->offset());
      bytes.append(reinterpret_cast<const char *>(artifact.section(*section).data()), section->length());
    }
    uint64_t magic = uint64_t(artifact::Layout::magic);
    std::memcpy(bytes.data(), &magic, sizeof magic);
    bytes.resize((bytes.size() + 15) / 16 * 16);
    return bytes;
  }();
  std::string file = sound;
  uint64_t offset = file.size(), length = size;
  std::memcpy(file.data() + 16, &offset, 8);
  std::memcpy(file.data() + 24, &length, 8);
  return file.append(reinterpret_cast<const char *>(manifest), size);
}

/// Whether all that would be loaded as code is code of the sound artifact.
bool hasSoundCode(const Artifact &artifact) {
  const Artifact &sound = soundArtifact();
  return std::ranges::all_of(*artifact.manifest().code(), [&](const artifact::CodeVariant *variant) {
    auto bytes = artifact.section(*artifact.manifest().sections()->Get(variant->section()));
    return std::ranges::any_of(*sound.manifest().code(), [&](const artifact::CodeVariant *known) {
      return std::ranges::equal(bytes, sound.section(*sound.manifest().sections()->Get(known->section())));
    });
  });
}
} // namespace

/// Begins with the sound manifest.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize, unsigned int) {
  auto sound = soundArtifact().manifestBytes();
  if (size < 64 && sound.size() <= maxSize) {
    std::memcpy(data, sound.data(), sound.size());
    size = sound.size();
  }
  return LLVMFuzzerMutate(data, size, maxSize);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Result<std::unique_ptr<Artifact>> artifact = test::openSealed(fileWith(data, size));
  if (artifact.ok() && hasSoundCode(**artifact))
    (void)Session::create(**artifact, {1, ""});
  return 0;
}
