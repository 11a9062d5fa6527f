// A file of hashed, aligned sections.
#ifndef MOEC_LOWERING_ARTIFACT_SECTIONFILE_H
#define MOEC_LOWERING_ARTIFACT_SECTIONFILE_H

#include "lowering/artifact/PartialFile.h"
#include "runtime/schema/Artifact_generated.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <xxhash.h>

#include <memory>
#include <string>
#include <vector>

namespace moec::lowering {

class SectionFile {
public:
  static llvm::Expected<std::unique_ptr<SectionFile>> create(llvm::StringRef path);

  /// Begins a section at the next multiple of 4096; returns its index.
  uint32_t begin(llvm::StringRef name);
  llvm::Error append(llvm::ArrayRef<char> bytes);
  /// Zeros up to a multiple of `alignment` of the section.
  llvm::Error align(uint64_t alignment);
  /// Bytes of the section so far.
  uint64_t sectionBytes() const { return position - sections.back().offset; }
  void end();

  /// The records of the sections so far.
  const std::vector<artifact::SectionT> &records() const { return sections; }

  /// Writes the manifest as the last section, then the header, and gives the file its name.
  llvm::Error finish(llvm::ArrayRef<char> manifest);

private:
  explicit SectionFile(std::unique_ptr<PartialFile> file) : file(std::move(file)) {}

  std::unique_ptr<PartialFile> file;
  uint64_t position = 0;
  std::vector<artifact::SectionT> sections;
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> hash{nullptr, XXH3_freeState};
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_ARTIFACT_SECTIONFILE_H
