// All tensors of a model, in one file or in shards behind an index.
#ifndef MOEC_IMPORTERS_SAFETENSORS_CHECKPOINT_H
#define MOEC_IMPORTERS_SAFETENSORS_CHECKPOINT_H

#include "importers/safetensors/Headers.h"
#include "importers/safetensors/Index.h"

#include "llvm/ADT/DenseMap.h"

namespace moec::importers::safetensors {

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
  const Tensor *take(llvm::StringRef name);
  bool has(llvm::StringRef name) const { return numbers.contains(llvm::CachedHashStringRef(nameInFiles(name))); }
  llvm::ArrayRef<const Tensor *> all() const { return tensors; }
  std::string nameInFiles(llvm::StringRef name) const { return form.tensorName ? form.tensorName(name) : name.str(); }

  /// Refuses if any tensor was neither taken nor is knowingly left aside: a tensor that nobody reads means a model not understood.
  /// A bias beside a matrix in words of numbers may be there for nothing, as those who write such matrices give each layer one: all
  /// of it is zero.
  llvm::Error checkAllUsed(llvm::function_ref<bool(const Tensor &)> isLeftAside) const;

  /// All bytes of a tensor that is no weight but says how others are to be read.
  llvm::Expected<std::vector<char>> read(const Tensor &tensor) const;

  /// The file whose presence says which tensors there are, for messages.
  llvm::StringRef path() const { return origin; }
  /// The file that describes the model, for messages.
  llvm::StringRef config() const { return form.config; }

private:
  Checkpoint(const ModelFolder &folder, const Form &form, std::string path) : folder(folder), form(form), origin(std::move(path)) {}
  llvm::Error addTensors(llvm::Expected<Headers> read);
  llvm::Error check(llvm::ArrayRef<IndexEntry> index);
  /// The number of the tensor that files call `name`.
  std::optional<size_t> find(llvm::StringRef name);
  /// Refuses a bias that nobody reads and that is not zero.
  llvm::Error checkIdleBias(const Tensor &bias) const;
  /// Whether nobody reads `tensor` because it is a bias of a matrix in words that has none.
  bool isIdleBias(const Tensor &tensor) const;

  ModelFolder folder;
  Form form;
  std::string origin;
  Headers headers;
  /// What the headers hold, numbered file by file in the order of its bytes, and whether it was taken.
  std::vector<const Tensor *> tensors;
  std::vector<bool> taken;
  llvm::DenseMap<llvm::CachedHashStringRef, unsigned> numbers;
  /// The number that was found last, and how far behind the one before.
  size_t last = 0, step = 1;
};

} // namespace moec::importers::safetensors

#endif // MOEC_IMPORTERS_SAFETENSORS_CHECKPOINT_H
