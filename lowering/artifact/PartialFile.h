// A file that appears under its name only when it is whole.
#ifndef MOEC_LOWERING_ARTIFACT_PARTIALFILE_H
#define MOEC_LOWERING_ARTIFACT_PARTIALFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace moec::lowering {

/// Written under another name in the same folder, and locked meanwhile. Whenever the writer dies, the file under the name is the
/// old one or the complete new one.
class PartialFile {
public:
  /// Starts a file beside `path`, and removes what killed writers of the same file have left there.
  static llvm::Expected<std::unique_ptr<PartialFile>> create(llvm::StringRef path);
  /// Removes what was written, unless it was kept.
  ~PartialFile();
  PartialFile(const PartialFile &) = delete;

  llvm::Error write(llvm::ArrayRef<char> bytes, uint64_t offset);
  /// Brings the file to the disk and gives it its name.
  llvm::Error keep();

private:
  PartialFile(std::string path, std::string temporary, int descriptor)
      : path(std::move(path)), temporary(std::move(temporary)), descriptor(descriptor) {}
  llvm::Error refuse(const char *what) const;

  std::string path, temporary;
  int descriptor;
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_ARTIFACT_PARTIALFILE_H
