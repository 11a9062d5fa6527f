// A file of hashed, aligned sections that appears under its name only when it is whole.
#include "lowering/artifact/SectionFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;
using namespace moec;
using namespace moec::lowering;

namespace {
constexpr auto sectionAlignment = uint64_t(artifact::Layout::section_alignment);
/// A file that is being written is PATH.partial-XXXXXX, and locked by its writer.
constexpr StringLiteral partialMark = ".partial-";

/// Removes what writers of `path` have left that are no more: their lock is free.
void removeStale(const std::string &path) {
  std::error_code error;
  std::string prefix = (sys::path::filename(path) + partialMark).str();
  std::string folder = sys::path::parent_path(path).str();
  for (sys::fs::directory_iterator entry(folder.empty() ? "." : folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!sys::path::filename(entry->path()).starts_with(prefix))
      continue;
    int descriptor = open(entry->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0)
      continue;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0)
      unlink(entry->path().c_str());
    close(descriptor);
  }
}

artifact::Hash128 hashOf(XXH128_hash_t hash) { return {hash.low64, hash.high64}; }
} // namespace

Expected<std::unique_ptr<SectionFile>> SectionFile::create(StringRef path) {
  removeStale(path.str());
  std::string temporary = (path + partialMark + "XXXXXX").str();
  int descriptor = mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0)
    return createStringError(path + ": cannot write: " + std::strerror(errno));
  std::unique_ptr<SectionFile> file(new SectionFile(path.str(), temporary, descriptor));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0)
    return file->refuse("lock");
  mode_t mask = umask(0);
  umask(mask);
  fchmod(descriptor, 0666 & ~mask);
  file->position = sectionAlignment; // the header's
  return file;
}

SectionFile::~SectionFile() {
  if (descriptor < 0)
    return;
  unlink(temporary.c_str());
  close(descriptor);
}

Error SectionFile::refuse(const char *what) const {
  return createStringError(path + ": cannot " + what + ": " + std::strerror(errno));
}

Error SectionFile::write(ArrayRef<char> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    ssize_t written = pwrite(descriptor, bytes.data(), bytes.size(), off_t(offset));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return refuse("write");
    bytes = bytes.drop_front(size_t(written));
    offset += uint64_t(written);
  }
  return Error::success();
}

Error SectionFile::begin(StringRef name) {
  position = alignTo(position, sectionAlignment);
  artifact::SectionT &section = sections.emplace_back();
  section.name = name.str();
  section.offset = position;
  hash.reset(XXH3_createState());
  XXH3_128bits_reset(hash.get());
  return Error::success();
}

Error SectionFile::append(ArrayRef<char> bytes) {
  XXH3_128bits_update(hash.get(), bytes.data(), bytes.size());
  uint64_t offset = position;
  position += bytes.size();
  return write(bytes, offset);
}

Error SectionFile::align(uint64_t alignment) {
  static const char zeros[4096] = {};
  uint64_t missing = alignTo(sectionBytes(), alignment) - sectionBytes();
  return append(ArrayRef<char>(zeros, size_t(missing)));
}

uint32_t SectionFile::end() {
  artifact::SectionT &section = sections.back();
  section.length = sectionBytes();
  section.hash = std::make_unique<artifact::Hash128>(hashOf(XXH3_128bits_digest(hash.get())));
  return uint32_t(sections.size() - 1);
}

Error SectionFile::finish(ArrayRef<char> manifest) {
  uint64_t offset = alignTo(position, sectionAlignment);
  if (Error error = write(manifest, offset))
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
  if (Error error = write(header, 0))
    return error;

  std::string folder = sys::path::parent_path(path).str();
  int folderDescriptor = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool kept = fsync(descriptor) == 0 && rename(temporary.c_str(), path.c_str()) == 0;
  Error error = kept ? Error::success() : refuse("write");
  if (kept) {
    fsync(folderDescriptor); // best effort: the file is whole whether its name survives a crash or not
    close(descriptor);
    descriptor = -1;
  }
  if (folderDescriptor >= 0)
    close(folderDescriptor);
  return error;
}
