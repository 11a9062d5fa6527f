// What sizes and launches come to in a step, within bounds that no model reaches.
#ifndef MOEC_RUNTIME_ARTIFACT_BOUNDS_H
#define MOEC_RUNTIME_ARTIFACT_BOUNDS_H

#include "runtime/kernels/Kernel.h"
#include "runtime/schema/Artifact_generated.h"

#include <initializer_list>
#include <map>
#include <optional>
#include <vector>

namespace moec::runtime {

/// Far beyond any model, and small enough that sums and products of a few of them do not overflow 64 bits unnoticed.
inline constexpr uint64_t maxBytes = uint64_t(1) << 48;
inline constexpr uint64_t maxManifestBytes = 64 << 20;
inline constexpr size_t maxNameBytes = 1024; ///< of sections, functions and tensors

/// The product, or nothing when it leaves the range of sizes.
std::optional<uint64_t> product(std::initializer_list<uint64_t> factors);

/// Bytes of one element.
uint64_t bytesOf(artifact::ElementType type);

/// Pages for so many positions of a sequence.
uint64_t pagesFor(const artifact::Model &model, uint64_t positions);
/// Bytes of a cache of so many pages, or nothing when it leaves the range of sizes.
std::optional<uint64_t> bytesOf(const artifact::Cache &cache, const artifact::Model &model, uint64_t pages);

/// The numbers of the largest step of a program, but for the length of its page tables.
StepNumbers largestStep(const artifact::Program &program);
/// What `extent` counts in a step.
uint64_t unitsOf(artifact::Extent extent, const StepNumbers &numbers);
/// The value of `dimension` in a step, or nothing when it leaves the range of sizes.
std::optional<uint64_t> valueOf(const artifact::LaunchDimension &dimension, const StepNumbers &numbers);
/// Bytes of a buffer in a step, or nothing when they leave the range of sizes.
std::optional<uint64_t> bytesOf(const artifact::Buffer &buffer, const StepNumbers &numbers);

/// The programs that launch each kernel, by kernel; each program once. Found in one pass over all launches.
std::map<uint32_t, std::vector<const artifact::Program *>> launchers(const artifact::Manifest &manifest);

/// The buffer of a program's output.
const artifact::Buffer &outputOf(const artifact::Manifest &manifest, size_t program, size_t output);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_ARTIFACT_BOUNDS_H
