// Reads the headers of many files side by side.
#ifndef MOEC_IMPORTERS_SAFETENSORS_HEADERS_H
#define MOEC_IMPORTERS_SAFETENSORS_HEADERS_H

#include "importers/safetensors/Header.h"

#include "llvm/Support/Parallel.h"

#include <atomic>
#include <map>

namespace moec::importers::safetensors {

/// Headers by the names of their files.
using Headers = std::map<std::string, Header, std::less<>>;

/// Reads headers in other threads while its owner goes on finding out which: there can be hundreds of files, with a tensor for
/// every expert.
class HeadersReader {
public:
  explicit HeadersReader(const ModelFolder &folder) : folder(folder) {}

  /// Begins to read the header of `file`, unless that has begun before.
  void begin(llvm::StringRef file);
  /// All headers, or the first problem in the order of the files' names.
  llvm::Expected<Headers> finish();

private:
  struct Outcome {
    Header header;
    std::string problem;
  };
  void read(const std::string &file, Outcome &outcome);

  const ModelFolder &folder;
  std::map<std::string, Outcome, std::less<>> outcomes;
  std::atomic<size_t> tensors = 0;
  /// Its end waits for the threads that write what stands before it.
  llvm::parallel::TaskGroup threads;
};

} // namespace moec::importers::safetensors

#endif // MOEC_IMPORTERS_SAFETENSORS_HEADERS_H
