// That a manifest agrees with itself: every index in range, every buffer inside its memory, every size free of overflow.
#include "runtime/artifact/Artifact.h"
#include "runtime/artifact/Bounds.h"
#include "runtime/artifact/VerifyRouting.h"

#include <set>

using namespace moec::runtime;
using namespace moec::artifact;

namespace {
constexpr uint64_t maxCount = uint64_t(1) << 32;
constexpr uint64_t maxScratch = uint64_t(1) << 30;
constexpr auto maxPages = uint64_t(Layout::max_pages), maxVocabulary = uint64_t(Layout::max_vocabulary);
constexpr uint64_t maxParts = 1 << 24; // of all weights: their addresses stay within 128 MiB
constexpr uint32_t maxRank = 8;
constexpr ElementType lastInKernels = ElementType::i64;

/// Whether the elements of a vector can be read where they lie: FlatBuffers' verifier looks at the place of its length only.
template <typename T> bool isAligned(const flatbuffers::Vector<T> &vector) {
  return reinterpret_cast<uintptr_t>(vector.Data()) % alignof(T) == 0;
}

/// Tables may share names and lists, so the time is bounded by what they refer to, not by the bytes of the manifest: names are
/// copied for messages only, and lists are counted as if each were there for its table alone.
class Checker {
public:
  Checker(const Manifest &manifest, const std::string &path) : manifest(manifest), path(path) {}

  Status check() {
    bool hasSteps = !manifest.functions() || manifest.functions()->size() == 0;
    if (hasSteps)
      MOEC_RETURN_IF_ERROR(checkModel());
    MOEC_RETURN_IF_ERROR(checkSections());
    for (const Weight *weight : *manifest.weights())
      MOEC_RETURN_IF_ERROR(checkWeight(*weight));
    if (manifest.weight_files())
      for (const WeightFile *file : *manifest.weight_files())
        MOEC_RETURN_IF_ERROR(checkWeightFile(*file));
    for (const Cache *cache : *manifest.caches())
      if (cache->element() > lastInKernels || cache->width() == 0 || cache->width() > maxCount || cache->block() == 0 ||
          cache->block() > maxCount)
        return refuse("cache", *cache->name(), ": unknown element type, width or block");
    for (const Buffer *buffer : *manifest.buffers())
      MOEC_RETURN_IF_ERROR(checkBuffer(*buffer));
    for (const Kernel *kernel : *manifest.kernels())
      if (kernel->scratch_bytes() > maxScratch)
        return refuse("kernel", *kernel->symbol(), ": " + std::to_string(kernel->scratch_bytes()) + " bytes of scratch");
    for (const CodeVariant *variant : *manifest.code())
      if (variant->section() >= manifest.sections()->size())
        return refuse("code", *variant->isa(), ": no section " + std::to_string(variant->section()));
    for (const Program *program : *manifest.programs())
      MOEC_RETURN_IF_ERROR(checkProgram(*program));
    if (!hasSteps)
      return verifyFunctions(manifest, path);
    MOEC_RETURN_IF_ERROR(verifyRouting(manifest, path));
    return verifyGpuCode(manifest, path);
  }

private:
  Status refuse(const std::string &why) const { return Status::invalidData(path + ": section 'manifest': " + why); }
  Status refuse(const char *what, const flatbuffers::String &name, const std::string &why) const {
    return refuse(std::string(what) + " '" + name.str() + "'" + why);
  }

  Status checkModel() const {
    const Model &model = *manifest.model();
    if (model.vocabulary() == 0 || model.max_sequence() == 0 || model.max_batch() == 0 || model.page_size() == 0 ||
        model.vocabulary() > maxVocabulary || model.max_sequence() > (1u << 30) || model.max_batch() > (1u << 20) ||
        model.page_size() > (1u << 20))
      return refuse("model: vocabulary, max_sequence, max_batch or page_size out of range");
    if (uint64_t pages = pagesFor(model, model.max_sequence()) * model.max_batch(); pages > maxPages)
      return refuse("model: " + std::to_string(pages) + " pages of cache, expected at most " + std::to_string(maxPages) +
                    "; compile with a smaller --max-sequence or --max-batch");
    return {};
  }

  Status checkSections() {
    std::set<std::string_view> names;
    for (const Section *section : *manifest.sections()) {
      std::string_view name = section->name()->string_view();
      if (name.size() > maxNameBytes)
        return refuse("a section's name of " + std::to_string(name.size()) + " bytes, expected at most " +
                      std::to_string(maxNameBytes));
      if (!names.insert(name).second)
        return refuse("section", *section->name(), " occurs twice");
      if (name == "constants")
        constantBytes = section->length();
    }
    return {};
  }

  Status checkWeightFile(const WeightFile &file) const {
    std::string_view name = file.name()->string_view();
    if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..")
      return refuse("weight file", *file.name(), ": expected the name of a file, without a folder");
    return {};
  }

  Status checkWeight(const Weight &weight) {
    auto refuseIt = [&](const std::string &why) { return refuse("weight", *weight.name(), why); };
    if (weight.element() > ElementType::MAX)
      return refuseIt(": unknown element type");
    if (!isAligned(*weight.shape()))
      return refuseIt(": its shape is off the alignment of 8 bytes");
    if (weight.shape()->size() > maxRank)
      return refuseIt(": expected a shape of at most " + std::to_string(maxRank) + " dimensions, got " +
                      std::to_string(weight.shape()->size()));
    uint64_t bytes = bytesOf(weight.element()), inParts = 0;
    for (uint64_t dim : *weight.shape()) {
      std::optional<uint64_t> size = product({bytes, dim});
      if (!size || dim == 0)
        return refuseIt(": shape out of range");
      bytes = *size;
    }
    int64_t files = manifest.weight_files() ? manifest.weight_files()->size() : 0;
    for (const WeightRun *run : *weight.runs()) {
      if (run->source() < -1 || run->source() >= files)
        return refuseIt(": no weight file " + std::to_string(run->source()));
      std::optional<uint64_t> runBytes = product({run->bytes(), run->times()});
      if (!runBytes || run->times() == 0 || __builtin_add_overflow(inParts, *runBytes, &inParts))
        return refuseIt(": parts out of range");
      if (run->times() > maxParts - parts)
        return refuseIt(": more than " + std::to_string(maxParts) + " parts with those before");
      parts += run->times();
    }
    if (inParts != bytes)
      return refuseIt(": expected parts of " + std::to_string(bytes) + " bytes in all, got " + std::to_string(inParts));
    return {};
  }

  Status checkBuffer(const Buffer &buffer) const {
    auto refuseIt = [&](const std::string &why) { return refuse("buffer", *buffer.name(), why); };
    if (buffer.kind() > BufferKind::MAX || buffer.element() > lastInKernels || buffer.extent() > Extent::MAX)
      return refuseIt(": unknown kind, element type or extent");
    if (buffer.kind() == BufferKind::weight && buffer.index() >= manifest.weights()->size())
      return refuseIt(": no weight " + std::to_string(buffer.index()));
    if (buffer.kind() == BufferKind::cache && buffer.index() >= manifest.caches()->size())
      return refuseIt(": no cache " + std::to_string(buffer.index()));
    if (buffer.kind() == BufferKind::constant) {
      std::optional<uint64_t> bytes = bytesOf(buffer, {});
      if (buffer.extent() != Extent::constant || !bytes || *bytes == 0 || buffer.offset() % 64 || buffer.offset() > constantBytes ||
          *bytes > constantBytes - buffer.offset())
        return refuseIt(" lies outside section 'constants'");
    }
    return {};
  }

  Status checkProgram(const Program &program) {
    auto refuseIt = [&](const std::string &why) { return refuse("program", *program.name(), why); };
    const Model &model = *manifest.model();
    if (program.max_tokens() == 0 || program.max_tokens() > (1u << 24) || program.max_outputs() == 0 ||
        program.max_outputs() > program.max_tokens() || program.max_sequences() == 0 ||
        program.max_sequences() > model.max_batch() || program.arena_bytes() > maxBytes)
      return refuseIt(": limits out of range");
    for (const Launch *launch : *program.launches()) {
      if (launch->kernel() >= manifest.kernels()->size())
        return refuseIt(": no kernel " + std::to_string(launch->kernel()));
      if (launch->extent() > Extent::MAX || !product({unitsOf(launch->extent(), largestStep(program)), launch->items_per_unit()}))
        return refuseIt(": a launch of too many items");
      if (launch->buffers()->size() > argumentsLeft)
        return refuseIt(": its launches have more buffers than fit into a manifest");
      argumentsLeft -= launch->buffers()->size();
      for (uint32_t buffer : *launch->buffers())
        MOEC_RETURN_IF_ERROR(checkPlace(program, buffer));
    }
    for (const Output *output : *program.outputs()) {
      MOEC_RETURN_IF_ERROR(checkPlace(program, output->buffer()));
      const Buffer &buffer = *manifest.buffers()->Get(output->buffer());
      bool logits = output->name()->string_view() == "logits", sampled = output->name()->string_view() == "sampled";
      if (buffer.kind() != BufferKind::arena || buffer.element() != (logits ? ElementType::f32 : ElementType::i32) ||
          buffer.extent() != (logits || sampled ? Extent::outputs : Extent::tokens) || buffer.rows_per_unit() != 1 ||
          (logits && buffer.width() != model.vocabulary()) || (sampled && buffer.width() != 1))
        return refuseIt(": output '" + output->name()->str() + "' is no such buffer");
    }
    return {};
  }

  /// That there is such a buffer, within the arena if that is its place.
  Status checkPlace(const Program &program, uint32_t index) const {
    auto refuseIt = [&](const std::string &why) { return refuse("program", *program.name(), why); };
    if (index >= manifest.buffers()->size())
      return refuseIt(": no buffer " + std::to_string(index));
    const Buffer &buffer = *manifest.buffers()->Get(index);
    if (buffer.kind() != BufferKind::arena)
      return {};
    std::optional<uint64_t> bytes = bytesOf(buffer, largestStep(program));
    if (!bytes || buffer.offset() % 64 || buffer.offset() > program.arena_bytes() ||
        *bytes > program.arena_bytes() - buffer.offset())
      return refuseIt(": buffer '" + buffer.name()->str() + "' lies outside the arena of " + std::to_string(program.arena_bytes()) +
                      " bytes");
    return {};
  }

  const Manifest &manifest;
  const std::string &path;
  uint64_t parts = 0;         ///< of the weights so far
  uint64_t constantBytes = 0; ///< of the section, 0 when there is none
  uint64_t argumentsLeft = maxManifestBytes / sizeof(uint32_t);
};
} // namespace

Status moec::runtime::verifyManifest(const Manifest &manifest, const std::string &path) { return Checker(manifest, path).check(); }
