// All tensors of a model, in one file or in shards behind an index.
#ifndef MOEC_IMPORTERS_SAFETENSORS_CHECKPOINT_H
#define MOEC_IMPORTERS_SAFETENSORS_CHECKPOINT_H

#include "importers/safetensors/Header.h"

#include "llvm/ADT/CachedHashString.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace moec::importers::safetensors {

/// Where a tensor lies.
struct StoredTensor {
  const Tensor *tensor;
  /// Name of the file in the model's folder.
  llvm::StringRef file;
};

/// A form in which checkpoints are released: its files, and how they call a tensor where that differs from the names that builders
/// ask for.
struct Form {
  llvm::StringRef config, file, index;
  std::string (*tensorName)(llvm::StringRef name) = nullptr;
};
inline constexpr Form huggingFace = {"config.json", "model.safetensors", "model.safetensors.index.json"};

/// The tensors by name, and which of them were asked for.
class Checkpoint {
public:
  /// Reads the form's only file, or the shards that its index names. An index must say exactly what its shards hold: no tensor
  /// more, none less, none elsewhere.
  static llvm::Expected<Checkpoint> open(const ModelFolder &folder, const Form &form = huggingFace);

  /// The tensor of that name, which counts as used from now on; null when there is none.
  const StoredTensor *take(llvm::StringRef name);
  bool has(llvm::StringRef name) const { return tensors.contains(llvm::CachedHashStringRef(nameInFiles(name))); }
  std::string nameInFiles(llvm::StringRef name) const { return form.tensorName ? form.tensorName(name) : name.str(); }

  /// Refuses if any tensor was neither taken nor is knowingly left aside: a tensor that nobody reads means a model not understood.
  llvm::Error checkAllUsed(llvm::function_ref<bool(llvm::StringRef)> isLeftAside) const;

  /// The file whose presence says which tensors there are, for messages.
  llvm::StringRef path() const { return origin; }
  /// The file that describes the model, for messages.
  llvm::StringRef config() const { return form.config; }

private:
  struct Entry {
    StoredTensor stored;
    bool used = false;
  };
  llvm::Error addFiles(const ModelFolder &folder, std::vector<std::string> names);
  llvm::Error addShards(const ModelFolder &folder);

  Form form;
  std::string origin;
  /// Their names and what each holds, to which the entries refer.
  std::vector<std::string> files;
  std::vector<Header> headers;
  llvm::DenseMap<llvm::CachedHashStringRef, Entry> tensors;
};

} // namespace moec::importers::safetensors

#endif // MOEC_IMPORTERS_SAFETENSORS_CHECKPOINT_H
