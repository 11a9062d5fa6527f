// Puts right what guards an artifact's header and manifest against damage, so that a test reaches what lies behind.
#ifndef MOEC_TEST_RUNTIME_SEAL_H
#define MOEC_TEST_RUNTIME_SEAL_H

#include "runtime/artifact/Artifact.h"

#include <string>

namespace moec::test {

/// Writes this runtime's format version, the length of `file` and the hashes of its manifest and header into the header. The
/// manifest is where the header says; one that lies outside the file keeps its hash.
void seal(std::string &file);

/// Seals a file's bytes and opens them, from memory that the next call writes anew.
runtime::Result<std::unique_ptr<runtime::Artifact>> openSealed(std::string file);

} // namespace moec::test

#endif // MOEC_TEST_RUNTIME_SEAL_H
