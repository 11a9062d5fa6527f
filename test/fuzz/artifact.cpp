// Fuzzes an artifact: its header, manifest and sections. Hashes of header and manifest are put right, or nothing would get past
// them.
#include "test/runtime/Seal.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  (void)moec::test::openSealed({reinterpret_cast<const char *>(data), size});
  return 0;
}
