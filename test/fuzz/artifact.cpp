// Fuzzes an artifact: its header, manifest and sections. Hashes of header and manifest are put right, or nothing would get past
// them.
#include "runtime/artifact/Artifact.h"

#include <cstring>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

using namespace moec::runtime;

/// Writes the hash of `bytes` at `at`.
static void putHash(char *at, const char *bytes, size_t size) {
  XXH128_hash_t hash = XXH3_128bits(bytes, size);
  std::memcpy(at, &hash.low64, 8);
  std::memcpy(at + 8, &hash.high64, 8);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string bytes(reinterpret_cast<const char *>(data), size);
  if (bytes.size() >= headerBytes) {
    uint64_t offset, length, whole = bytes.size();
    std::memcpy(&offset, bytes.data() + 16, 8);
    std::memcpy(&length, bytes.data() + 24, 8);
    if (offset <= whole && length <= whole - offset)
      putHash(bytes.data() + 32, bytes.data() + offset, length);
    std::memcpy(bytes.data() + 48, &whole, 8);
    putHash(bytes.data() + 56, bytes.data(), 56);
  }
  static const int file = memfd_create("artifact", 0);
  if (ftruncate(file, off_t(bytes.size())) != 0 || pwrite(file, bytes.data(), bytes.size(), 0) != ssize_t(bytes.size()))
    return -1;
  (void)Artifact::open("/proc/self/fd/" + std::to_string(file));
  return 0;
}
