// Opens an artifact: header, manifest, sections, weights.
#include "runtime/artifact/Artifact.h"

#include "runtime/artifact/Bounds.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <sys/mman.h>
#include <xxhash.h>

using namespace moec::runtime;

static_assert(std::endian::native == std::endian::little, "artifacts are little-endian, and read in place");

namespace {
/// Sections up to this size are hashed whenever an artifact is opened; larger ones only on request.
constexpr uint64_t alwaysHashedBytes = 256 << 20;
/// Weights have so often the size of their files at most; where they share slices, they have two or three times.
constexpr uint64_t maxSharing = 64;

uint64_t readU64(const std::byte *at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

uint32_t readU32(const std::byte *at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

bool hashes(std::span<const std::byte> bytes, uint64_t low, uint64_t high) {
  XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return hash.low64 == low && hash.high64 == high;
}

/// What must hold before a manifest is verified as a whole. FlatBuffers' verifier goes through a list of strings as often as tables
/// refer to it: code variants have such lists, so there may be only few of them.
struct HasFewVariants : private flatbuffers::Table {
  static constexpr uint32_t maxVariants = 64;

  bool Verify(flatbuffers::Verifier &verifier) const { // NOLINT(readability-identifier-naming): FlatBuffers' own name
    auto variants = [&] {
      return GetPointer<const flatbuffers::Vector<flatbuffers::Offset<void>> *>(moec::artifact::Manifest::VT_CODE);
    };
    return VerifyTableStart(verifier) && VerifyOffsetRequired(verifier, moec::artifact::Manifest::VT_CODE) &&
           verifier.VerifyVector(variants()) && variants()->size() <= maxVariants;
  }
};

std::string folderOf(const std::string &path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}
} // namespace

uint64_t moec::runtime::cacheBytesPerPosition(const artifact::Manifest &manifest) {
  if (manifest.caches()->size() == 0) // functions have no pages either
    return 0;
  uint64_t ofPage = 0, pageSize = manifest.model()->page_size();
  for (const artifact::Cache *cache : *manifest.caches())
    ofPage += bytesOf(*cache, *manifest.model(), /*pages=*/1).value_or(0);
  return (ofPage + pageSize - 1) / pageSize;
}

bool moec::runtime::endsSequence(const artifact::Model &model, int32_t id) {
  const auto *ends = model.eos_ids();
  return ends && std::find(ends->begin(), ends->end(), id) != ends->end();
}

Result<std::unique_ptr<Artifact>> Artifact::open(const std::string &path, const ArtifactOptions &options) {
  Result<MappedFile> mapped = MappedFile::open(path);
  if (!mapped.ok())
    return mapped.status();
  std::unique_ptr<Artifact> artifact(new Artifact);
  artifact->file = std::move(*mapped);
  MOEC_RETURN_IF_ERROR(artifact->readHeader());
  MOEC_RETURN_IF_ERROR(verifyManifest(*artifact->parsed, path));
  MOEC_RETURN_IF_ERROR(artifact->checkSections(options.verifyAll));
  MOEC_RETURN_IF_ERROR(artifact->checkGpuText());
  if (options.openWeights) {
    MOEC_RETURN_IF_ERROR(artifact->openWeightFiles(options.weightFolder));
    MOEC_RETURN_IF_ERROR(artifact->locateWeights());
  }
  return artifact;
}

Status Artifact::readHeader() {
  std::span<const std::byte> bytes = file.bytes();
  auto refuse = [&](const std::string &why) { return Status::invalidData(path() + ": " + why); };
  if (bytes.size() < headerBytes || readU64(bytes.data()) != uint64_t(artifact::Layout::magic))
    return refuse("not a compiled model (expected a file that moe-compile wrote)");
  const std::byte *header = bytes.data();
  uint32_t version = readU32(header + 8);
  if (version != formatVersion)
    return refuse("format version " + std::to_string(version) + ", expected " + std::to_string(formatVersion) +
                  "; compile the model again with this version of moec");
  if (!hashes(bytes.first(56), readU64(header + 56), readU64(header + 64)))
    return refuse("the header is damaged (its hash differs)");
  uint64_t offset = readU64(header + 16), length = readU64(header + 24), fileLength = readU64(header + 48);
  if (fileLength != bytes.size())
    return refuse("expected " + std::to_string(fileLength) + " bytes, got " + std::to_string(bytes.size()) + " (incomplete copy?)");
  if (length > maxManifestBytes || offset > bytes.size() || length > bytes.size() - offset || offset % 16)
    return refuse("the manifest lies outside the file");
  rawManifest = bytes.subspan(offset, length);
  if (!hashes(rawManifest, readU64(header + 32), readU64(header + 40)))
    return refuse("section 'manifest' is damaged (its hash differs)");
  const auto *data = reinterpret_cast<const uint8_t *>(rawManifest.data());
  flatbuffers::Verifier verifier(data, rawManifest.size(), /*max_depth=*/16, /*max_tables=*/4'000'000);
  if (length < 8 || !artifact::ManifestBufferHasIdentifier(data) || !verifier.VerifyBuffer<HasFewVariants>(nullptr) ||
      !artifact::VerifyManifestBuffer(verifier))
    return refuse("section 'manifest' is malformed");
  parsed = artifact::GetManifest(data);
  return {};
}

Status Artifact::checkSections(bool verifyAll) {
  uint64_t size = file.bytes().size(), left = size;
  for (const artifact::Section *section : *parsed->sections()) {
    auto refuse = [&](const std::string &why) {
      return Status::invalidData(path() + ": section '" + section->name()->str() + "' " + why);
    };
    if (section->offset() % sectionAlignment || section->offset() > size || section->length() > size - section->offset())
      return refuse("lies outside the file or off its alignment of " + std::to_string(sectionAlignment));
    if (section->length() > left)
      return refuse("overlaps others: expected sections of at most " + std::to_string(size) + " bytes in all");
    left -= section->length();
    if (!verifyAll && section->length() > alwaysHashedBytes)
      continue;
    if (!hashes(this->section(*section), section->hash()->low(), section->hash()->high()))
      return refuse("is damaged (its hash differs)");
  }
  return {};
}

/// GPU code is text that drivers parse up to the first zero: plain ASCII without one.
Status Artifact::checkGpuText() {
  if (!parsed->gpu_code())
    return {};
  for (const artifact::GpuCode *code : *parsed->gpu_code()) {
    const artifact::Section &section = *parsed->sections()->Get(code->section());
    std::span<const std::byte> text = this->section(section);
    auto isPlain = [](std::byte byte) {
      char c = char(byte);
      return (c >= ' ' && c <= '~') || c == '\n' || c == '\t' || c == '\r';
    };
    if (text.empty() || !std::ranges::all_of(text, isPlain))
      return Status::invalidData(path() + ": section '" + section.name()->str() + "': expected GPU code as ASCII text");
  }
  return {};
}

std::span<const std::byte> Artifact::section(const artifact::Section &section) const {
  return file.bytes().subspan(section.offset(), section.length());
}

std::optional<std::span<const std::byte>> Artifact::section(std::string_view name) const {
  for (const artifact::Section *section : *parsed->sections())
    if (section->name()->string_view() == name)
      return this->section(*section);
  return std::nullopt;
}

Status Artifact::openWeightFiles(const std::string &folder) {
  if (!parsed->weight_files())
    return {};
  std::vector<std::string> folders;
  if (!folder.empty())
    folders = {folder + "/"};
  else {
    folders = {folderOf(path())};
    if (parsed->weight_folder())
      folders.push_back(parsed->weight_folder()->str() + "/");
  }
  for (const artifact::WeightFile *weights : *parsed->weight_files()) {
    Status missing;
    bool found = false;
    for (const std::string &candidate : folders) {
      Result<MappedFile> mapped = MappedFile::open(candidate + (candidate.ends_with('/') ? "" : "/") + weights->name()->str());
      if (!mapped.ok()) {
        missing = mapped.status();
        continue;
      }
      if (mapped->bytes().size() != weights->size())
        return Status::invalidData(mapped->path() + ": expected " + std::to_string(weights->size()) + " bytes of weights, got " +
                                   std::to_string(mapped->bytes().size()) + "; was the model changed since it was compiled?");
      weightFiles.push_back(std::move(*mapped));
      found = true;
      break;
    }
    if (!found)
      return Status::ioError(missing.message() + "; say where the model's files are with --weights");
  }
  return {};
}

Status Artifact::locateWeights() {
  std::span<const std::byte> embedded = section("weights").value_or(std::span<const std::byte>());
  // Weights may share bytes, but devices that copy them must not need far more memory than there are files.
  uint64_t left = embedded.size();
  for (const MappedFile &file : weightFiles)
    left += file.bytes().size();
  left *= maxSharing;
  for (const artifact::Weight *weight : *parsed->weights()) {
    std::vector<const void *> &addresses = parts.emplace_back();
    for (const artifact::WeightRun *run : *weight->runs()) {
      std::span<const std::byte> bytes = run->source() < 0 ? embedded : weightFiles[size_t(run->source())].bytes();
      uint64_t end; // of the last part
      if (__builtin_mul_overflow(run->every(), run->times() - 1, &end) || __builtin_add_overflow(end, run->offset(), &end) ||
          __builtin_add_overflow(end, run->bytes(), &end) || end > bytes.size())
        return Status::invalidData(path() + ": weight '" + weight->name()->str() + "' lies outside its " +
                                   (run->source() < 0 ? "section" : "file"));
      uint64_t bytesOfRun = run->bytes() * run->times();
      if (bytesOfRun > left)
        return Status::invalidData(path() + ": weight '" + weight->name()->str() + "' is, with those before, more than " +
                                   std::to_string(maxSharing) + " times as large as the files that hold them");
      left -= bytesOfRun;
      for (uint64_t part = 0; part < run->times(); ++part)
        addresses.push_back(bytes.data() + run->offset() + part * run->every());
    }
  }
  return {};
}
