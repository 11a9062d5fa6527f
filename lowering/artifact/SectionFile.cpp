// A file of hashed, aligned sections.
#include "lowering/artifact/SectionFile.h"

#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace llvm;
using namespace moec;
using namespace moec::lowering;

namespace {
constexpr auto sectionAlignment = uint64_t(artifact::Layout::section_alignment);
artifact::Hash128 hashOf(XXH128_hash_t hash) { return {hash.low64, hash.high64}; }
} // namespace

Expected<std::unique_ptr<SectionFile>> SectionFile::create(StringRef path) {
  Expected<std::unique_ptr<PartialFile>> partial = PartialFile::create(path);
  if (!partial)
    return partial.takeError();
  std::unique_ptr<SectionFile> file(new SectionFile(std::move(*partial)));
  file->position = sectionAlignment; // the header's
  return file;
}

uint32_t SectionFile::begin(StringRef name) {
  position = alignTo(position, sectionAlignment);
  artifact::SectionT &section = sections.emplace_back();
  section.name = name.str();
  section.offset = position;
  hash.reset(XXH3_createState());
  XXH3_128bits_reset(hash.get());
  return uint32_t(sections.size() - 1);
}

Error SectionFile::append(ArrayRef<char> bytes) {
  XXH3_128bits_update(hash.get(), bytes.data(), bytes.size());
  uint64_t offset = position;
  position += bytes.size();
  return file->write(bytes, offset);
}

Error SectionFile::align(uint64_t alignment) {
  static const char zeros[4096] = {};
  uint64_t missing = alignTo(sectionBytes(), alignment) - sectionBytes();
  return append(ArrayRef<char>(zeros, size_t(missing)));
}

void SectionFile::end() {
  artifact::SectionT &section = sections.back();
  section.length = sectionBytes();
  section.hash = std::make_unique<artifact::Hash128>(hashOf(XXH3_128bits_digest(hash.get())));
}

Error SectionFile::finish(ArrayRef<char> manifest) {
  uint64_t offset = alignTo(position, sectionAlignment);
  if (Error error = file->write(manifest, offset))
    return error;
  char header[size_t(artifact::Layout::header_bytes)] = {};
  auto put = [&](size_t at, uint64_t value) { std::memcpy(header + at, &value, sizeof value); };
  auto putHash = [&](size_t at, ArrayRef<char> bytes) {
    XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    put(at, hash.low64);
    put(at + 8, hash.high64);
  };
  put(0, uint64_t(artifact::Layout::magic));
  put(8, uint64_t(artifact::Layout::format_version));
  put(16, offset);
  put(24, manifest.size());
  putHash(32, manifest);
  put(48, offset + manifest.size());
  putHash(56, ArrayRef<char>(header, 56));
  if (Error error = file->write(header, 0))
    return error;
  return file->keep();
}
