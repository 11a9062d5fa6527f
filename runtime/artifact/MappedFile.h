// A file mapped into memory, read only.
#ifndef MOEC_RUNTIME_ARTIFACT_MAPPEDFILE_H
#define MOEC_RUNTIME_ARTIFACT_MAPPEDFILE_H

#include "runtime/Status.h"

#include <cstddef>
#include <span>
#include <string>

namespace moec::runtime {

class MappedFile {
public:
  MappedFile() = default;
  ~MappedFile();
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;

  /// Maps a regular file; an empty file gives no bytes.
  static Result<MappedFile> open(const std::string &path);

  std::span<const std::byte> bytes() const { return {address, length}; }
  const std::string &path() const { return name; }

private:
  const std::byte *address = nullptr;
  size_t length = 0;
  std::string name;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_ARTIFACT_MAPPEDFILE_H
