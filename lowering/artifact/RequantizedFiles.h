// The files that a module says are to be computed, beside those that exist.
#ifndef MOEC_LOWERING_ARTIFACT_REQUANTIZEDFILES_H
#define MOEC_LOWERING_ARTIFACT_REQUANTIZEDFILES_H

#include "dialects/moe/Rounding.h"
#include "lowering/artifact/ArtifactWriter.h"

#include "llvm/ADT/StringSet.h"

#include <memory>

namespace moec::lowering {

/// Computes as it is read, row by row from the files that exist. Holds the scales of one file and a few megabytes of its rows, or
/// one matrix of a stack where that is stored with strides.
class RequantizedFiles : public WeightFiles {
public:
  RequantizedFiles(mlir::ModuleOp module, WeightFiles &stored);
  ~RequantizedFiles() override;

  llvm::Expected<uint64_t> sizeOf(llvm::StringRef file) override;
  llvm::Error read(llvm::StringRef file, uint64_t offset, llvm::MutableArrayRef<char> into) override;
  bool isComputed(llvm::StringRef file) const override { return computed.contains(file); }

  /// How far what was read is from what is stored, file by file, in the order of reading.
  struct Report {
    std::string file;
    moe::RoundingError error;
  };
  const std::vector<Report> &reports() const { return finished; }

private:
  class Matrix;
  /// Makes `file` the one that is being read.
  llvm::Error open(llvm::StringRef file);

  mlir::ModuleOp module;
  WeightFiles &stored;
  llvm::StringSet<> computed;
  std::unique_ptr<Matrix> current;
  std::vector<Report> finished;
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_ARTIFACT_REQUANTIZEDFILES_H
