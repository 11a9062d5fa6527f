// A compiled model on disk: opened, verified, and its sections and weights at addresses.
#ifndef MOEC_RUNTIME_ARTIFACT_ARTIFACT_H
#define MOEC_RUNTIME_ARTIFACT_ARTIFACT_H

#include "runtime/artifact/MappedFile.h"
#include "runtime/schema/Artifact_generated.h"

#include <memory>
#include <vector>

namespace moec::runtime {

/// The file format this runtime reads: its own version and no other.
inline constexpr auto formatVersion = uint32_t(artifact::Layout::format_version);
inline constexpr auto headerBytes = size_t(artifact::Layout::header_bytes);
inline constexpr auto sectionAlignment = uint64_t(artifact::Layout::section_alignment);

struct ArtifactOptions {
  bool verifyAll = false;        ///< check the hash of every section, however large
  std::string weightFolder = {}; ///< where external weight files are, if not beside the artifact or where they were at compile time
  bool openWeights = true;       ///< without, external weight files may be absent: enough to describe the artifact, not to run it
};

/// Holds the mapping; everything that it hands out lives as long as it does. A damaged or malformed file is refused here:
/// nothing that passes can make a reader index, allocate or jump beyond what the file says of itself.
class Artifact {
public:
  static Result<std::unique_ptr<Artifact>> open(const std::string &path, const ArtifactOptions &options = {});

  const artifact::Manifest &manifest() const { return *parsed; }
  const std::string &path() const { return file.path(); }
  std::span<const std::byte> manifestBytes() const { return rawManifest; }
  uint64_t fileBytes() const { return file.bytes().size(); }

  /// The bytes of a section, or none when there is no such section.
  std::optional<std::span<const std::byte>> section(std::string_view name) const;
  std::span<const std::byte> section(const artifact::Section &section) const;

  /// Whether it was opened with its weights.
  bool hasWeights() const { return parts.size() == parsed->weights()->size(); }
  /// The addresses of each weight's parts: what kernels get.
  std::span<const void *const> partsOf(size_t weight) const { return parts[weight]; }

private:
  Artifact() = default;
  Status readHeader();
  Status checkSections(bool verifyAll);
  Status checkGpuText();
  Status openWeightFiles(const std::string &folder);
  Status locateWeights();

  MappedFile file;
  std::span<const std::byte> rawManifest;
  const artifact::Manifest *parsed = nullptr;
  std::vector<MappedFile> weightFiles;
  std::vector<std::vector<const void *>> parts;
};

/// Bytes of one cached position, all caches together.
uint64_t cacheBytesPerPosition(const artifact::Manifest &manifest);
/// Whether `id` ends a sequence.
bool endsSequence(const artifact::Model &model, int32_t id);

/// That every index, count and range of a manifest agrees with every other; `path` is for messages. Sections are checked elsewhere.
Status verifyManifest(const artifact::Manifest &manifest, const std::string &path);
/// The part of it that is about functions; sound weights are taken for granted.
Status verifyFunctions(const artifact::Manifest &manifest, const std::string &path);
/// The part of it that is about GPU code; sound programs and kernels are taken for granted.
Status verifyGpuCode(const artifact::Manifest &manifest, const std::string &path);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_ARTIFACT_ARTIFACT_H
