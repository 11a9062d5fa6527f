// A plan and its code, written as an artifact.
#ifndef MOEC_LOWERING_ARTIFACT_ARTIFACTWRITER_H
#define MOEC_LOWERING_ARTIFACT_ARTIFACTWRITER_H

#include "lowering/CodeVariant.h"
#include "lowering/GpuCode.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <vector>

namespace moec::lowering {

/// The files that hold the weights, by the names that a plan gives them. Whoever implements it decides where they are and what may
/// be opened.
class WeightFiles {
public:
  virtual ~WeightFiles() = default;
  virtual llvm::Expected<uint64_t> sizeOf(llvm::StringRef file) = 0;
  /// Fills `into` from byte `offset` of `file`.
  virtual llvm::Error read(llvm::StringRef file, uint64_t offset, llvm::MutableArrayRef<char> into) = 0;
  /// Whether a file exists nowhere but here, so that an artifact must hold what it has of it.
  virtual bool isComputed(llvm::StringRef) const { return false; }
};

struct ArtifactContents {
  std::vector<CodeVariant> code;           ///< from the lowest level to the highest
  std::vector<GpuCode> gpuCode;            ///< likewise
  std::optional<std::string> tokenizer;    ///< a Tokenizer buffer (runtime/schema/Tokenizer.fbs)
  std::optional<std::string> chatTemplate; ///< text
  std::vector<std::string> provenance;     ///< "key: value"
  bool embedWeights = true;                ///< else they stay in their files where kernels can read them there
};

/// Writes `path`: under another name in its folder first, then to the disk, then renamed, so that a file of that name is always
/// whole. Holds no more of a weight in memory than a few megabytes, or one part of it where parts are strided: those are laid out
/// anew and embedded in any case. The bytes depend on nothing but the arguments. `plan` is as
/// plan-verify-plan leaves it.
llvm::Error writeArtifact(mlir::ModuleOp plan, const ArtifactContents &contents, WeightFiles &files, llvm::StringRef path);

} // namespace moec::lowering

#endif // MOEC_LOWERING_ARTIFACT_ARTIFACTWRITER_H
