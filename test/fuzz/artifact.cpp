// Fuzzes an artifact: its header, manifest and sections. Hashes of header and manifest are put right, or nothing would get past
// them.
#include "runtime/artifact/Artifact.h"
#include "test/runtime/Seal.h"

#include <string>
#include <sys/mman.h>
#include <unistd.h>

using namespace moec::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string bytes(reinterpret_cast<const char *>(data), size);
  moec::test::seal(bytes);
  static const int file = memfd_create("artifact", 0);
  if (ftruncate(file, off_t(bytes.size())) != 0 || pwrite(file, bytes.data(), bytes.size(), 0) != ssize_t(bytes.size()))
    return -1;
  (void)Artifact::open("/proc/self/fd/" + std::to_string(file));
  return 0;
}
