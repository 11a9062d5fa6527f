// Puts right what guards an artifact's header and manifest against damage.
#include "test/runtime/Seal.h"

#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

using namespace moec;

/// Writes the hash of `size` bytes from `from` at `at`.
static void putHash(std::string &file, size_t at, size_t from, size_t size) {
  XXH128_hash_t hash = XXH3_128bits(file.data() + from, size);
  std::memcpy(file.data() + at, &hash.low64, 8);
  std::memcpy(file.data() + at + 8, &hash.high64, 8);
}

void test::seal(std::string &file) {
  if (file.size() < runtime::headerBytes)
    return;
  std::memcpy(file.data() + 8, &runtime::formatVersion, 4);
  uint64_t offset, length, whole = file.size();
  std::memcpy(&offset, file.data() + 16, 8);
  std::memcpy(&length, file.data() + 24, 8);
  if (offset <= whole && length <= whole - offset)
    putHash(file, 32, offset, length);
  std::memcpy(file.data() + 48, &whole, 8);
  putHash(file, 56, 0, 56);
}

runtime::Result<std::unique_ptr<runtime::Artifact>> test::openSealed(std::string file) {
  seal(file);
  static const int memory = memfd_create("artifact", MFD_CLOEXEC);
  if (ftruncate(memory, off_t(file.size())) != 0 || pwrite(memory, file.data(), file.size(), 0) != ssize_t(file.size()))
    return runtime::Status::ioError("cannot write an artifact to memory");
  return runtime::Artifact::open("/proc/self/fd/" + std::to_string(memory));
}
