// Files that a module computes, as the artifact's writer would compute them.
#include "dialects/moe/Rounding.h"
#include "passes/evaluator/Weights.h"

using namespace mlir;
using namespace moec;
using namespace moec::evaluator;

/// The file of a matrix.
static FailureOr<std::string> round(const moe::Requantization &file, const Tensor &matrix, StringRef name, Operation *user) {
  std::string bytes(size_t(file.bytes()), 0);
  std::vector<float> row(size_t(file.width()));
  std::vector<uint16_t> scales(size_t(file.scalesOfRow()));
  for (int64_t index = 0; index < file.rows(); ++index) {
    llvm::copy(matrix.row(index), row.begin());
    if (!moe::roundRow(file, row, bytes.data() + index * file.rowBytes(), scales).isFinite)
      return user->emitError() << "cannot round '" << name << "': expected finite numbers in row " << index;
    std::copy_n(reinterpret_cast<const char *>(scales.data()), size_t(file.scaleRowBytes()),
                bytes.begin() + file.scalesOffset() + index * file.scaleRowBytes()); // of plain numbers there are none
  }
  return bytes;
}

FailureOr<std::optional<std::string>> Weights::compute(ModuleOp module, StringRef name, Operation *user) {
  auto found = moe::findRequantization(module, name);
  if (!found)
    return user->emitError() << llvm::toString(found.takeError());
  if (!*found)
    return std::optional<std::string>();
  const moe::Requantization &file = **found;
  SmallVector<std::shared_ptr<const Tensor>, 5> parts; // none for what is not there
  for (const std::optional<moe::StoredTensor> &stored :
       {std::optional(file.values), file.scales, file.global, file.zeros, file.groups}) {
    FailureOr<std::shared_ptr<const Tensor>> part = std::shared_ptr<const Tensor>();
    if (stored)
      part = load(*stored, module, name, user);
    if (failed(part))
      return failure();
    parts.push_back(*part);
  }
  if (file.groups) {
    int64_t count = file.scales->type.getShape().back();
    if (options.source == WeightOptions::Source::Random) { // made up without regard to how many there are
      auto fitting = std::make_shared<Tensor>(*parts[4]);
      for (double &group : fitting->elements)
        group = double(int64_t(group) % count);
      parts[4] = fitting;
    }
    if (llvm::Error error = moe::checkGroups(parts[4]->elements, count))
      return user->emitError() << "cannot spell out '" << name << "': " << llvm::toString(std::move(error));
  }
  FailureOr<std::string> bytes = file.scales
                                     ? round(file,
                                             dequantize(file.format, file.values.type.getElementType(),
                                                        {*parts[0], *parts[1], parts[2].get(), parts[3].get(), parts[4].get()}),
                                             name, user)
                                     : round(file, *parts[0], name, user);
  return failed(bytes) ? FailureOr<std::optional<std::string>>() : std::optional(std::move(*bytes));
}
