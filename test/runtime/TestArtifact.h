// A small artifact made by hand, from the kernels of kernels.c and kernels.ptx.
#ifndef MOEC_TEST_RUNTIME_TESTARTIFACT_H
#define MOEC_TEST_RUNTIME_TESTARTIFACT_H

#include "runtime/Session.h"

#include <functional>
#include <string>

namespace moec::test {

inline constexpr int32_t vocabulary = 8, maxSequence = 10, maxBatch = 3;

/// The manifest of a sound artifact, without sections.
artifact::ManifestT soundManifest();

/// That of one with the function `twice` of kernels.c instead of steps.
artifact::ManifestT functionManifest();

/// The text of kernels.ptx.
std::string gpuText();

/// The bytes of an artifact with that manifest: its sections and hashes are right whatever the manifest says. `edit` may change the
/// manifest after the sections are placed.
std::string artifactBytes(artifact::ManifestT manifest, const std::function<void(artifact::ManifestT &)> &edit = {},
                          const char *kernels = MOEC_TEST_KERNELS, const std::string &gpuKernels = gpuText());

/// A file that begins with `start`, room for its header included, with this manifest as its last section.
std::string sealedFile(std::string start, std::string_view manifest);

/// A folder of this process, removed when it ends.
std::string folder();

/// The bytes of a file.
std::string contentsOf(const std::string &path);

/// Writes bytes to a file in that folder; returns its path.
std::string writeFile(const std::string &name, const std::string &bytes);

/// The artifact of the sound manifest, edited like that, from a file.
std::unique_ptr<runtime::Artifact> openSound(const std::function<void(artifact::ManifestT &)> &edit = {});

/// What the model computes for the last of `ids`.
std::vector<float> expectedLogits(std::span<const int32_t> ids);

/// Makes the launches of each program of `manifest` one for GPUs: a chain for each program, both of the same kernels.
void chainLaunches(artifact::ManifestT &manifest);

} // namespace moec::test

#endif // MOEC_TEST_RUNTIME_TESTARTIFACT_H
