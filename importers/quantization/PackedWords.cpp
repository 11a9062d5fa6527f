// A matrix [out, in] as three tensors: `qweight`, `qzeros` and `scales`, all of them transposed; and for some `g_idx`, the group of
// each column.
#include "importers/quantization/PackedWords.h"
#include "importers/Refusal.h"
#include "importers/quantization/Scales.h"

#include "mlir/IR/BuiltinTypes.h"

using namespace moec::importers;
using llvm::ArrayRef;
using llvm::StringRef;
using llvm::Twine;
using moec::importers::safetensors::Checkpoint;
using moec::importers::safetensors::Tensor;

/// Where in a word neighbours lie.
static constexpr int64_t inOrder[] = {0, 1, 2, 3, 4, 5, 6, 7}, inTurns[] = {0, 4, 1, 5, 2, 6, 3, 7};

static StringRef stemOf(StringRef tensor) {
  tensor.consume_back(".weight");
  return tensor;
}

bool moec::importers::isInWords(const Checkpoint &checkpoint, StringRef tensor) {
  return tensor.ends_with(".weight") && checkpoint.has((stemOf(tensor) + ".qweight").str());
}

bool moec::importers::isBesideWords(StringRef name) {
  constexpr StringRef suffixes[] = {".scales", ".qzeros", ".g_idx"};
  return llvm::any_of(suffixes, [&](StringRef suffix) { return name.ends_with(suffix); });
}

namespace {

/// Reads the tensors of one matrix.
class WordReader {
public:
  WordReader(Checkpoint &checkpoint, const Quantization &quantization, StringRef tensor, ArrayRef<int64_t> shape,
             mlir::MLIRContext *context)
      : checkpoint(checkpoint), quantization(quantization), stem(stemOf(tensor)), shape(shape), context(context) {}

  llvm::Expected<QuantizedTensor> read();

private:
  /// How many numbers share a word, and where in it they lie.
  int64_t perWord() const { return 32 / quantization.words->bits; }
  ArrayRef<int64_t> places() const {
    return quantization.words->holdRowsInTurns ? ArrayRef(inTurns) : ArrayRef(inOrder).take_front(size_t(perWord()));
  }

  llvm::Error readValues(const Tensor &stored);
  llvm::Error readScales();
  llvm::Error readZeros();
  /// Which columns are a group, where that is listed.
  llvm::Error readGroups();
  /// The tensor beside `qweight`, or an error that says what it should have been.
  llvm::Expected<const Tensor *> beside(StringRef suffix, StringRef what);
  /// `matrix`, of which neighbours along `axis` share a word, if `stored` has its words; as elements of `bits`.
  llvm::Error asWords(const Tensor &stored, ArrayRef<int64_t> matrix, int64_t axis, unsigned bits, StoredPart &part);

  Checkpoint &checkpoint;
  const Quantization &quantization;
  StringRef stem;
  ArrayRef<int64_t> shape;
  mlir::MLIRContext *context;
  QuantizedTensor result;
};

} // namespace

llvm::Expected<const Tensor *> WordReader::beside(StringRef suffix, StringRef what) {
  std::string name = (stem + suffix).str();
  if (const Tensor *stored = checkpoint.take(name))
    return stored;
  return refuseTensor(*result.values.stored, "expected its " + what + " in '" + checkpoint.nameInFiles(name) + "', got none");
}

llvm::Error WordReader::asWords(const Tensor &stored, ArrayRef<int64_t> matrix, int64_t axis, unsigned bits, StoredPart &part) {
  llvm::SmallVector<int64_t> expected = {axis ? matrix[1] / perWord() : matrix[1], axis ? matrix[0] : matrix[0] / perWord()};
  if (stored.type != "I32")
    return refuseTensor(stored, "expected numbers of type I32, got " + stored.type);
  if (matrix[size_t(axis)] % perWord() || ArrayRef<int64_t>(stored.shape) != ArrayRef(expected))
    return refuseTensor(stored, "expected " + spelled(matrix) + " numbers as the config says, transposed, " + Twine(perWord()) +
                                    " of a " + (axis ? "row" : "column") + " to an element, got shape " + spelled(stored.shape));
  part.stored = &stored;
  part.element = mlir::IntegerType::get(context, bits, mlir::IntegerType::Unsigned);
  part.shape.assign(matrix.begin(), matrix.end());
  part.strides = {.row = perWord(), .column = axis ? perWord() * matrix[0] : matrix[0], .words = places(), .wordAxis = axis};
  return llvm::Error::success();
}

llvm::Error WordReader::readValues(const Tensor &stored) {
  if (shape.size() != 2)
    return refuseTensor(stored, "expected one matrix in words of numbers, got " + spelled(shape) + " as the config says");
  return asWords(stored, shape, quantization.words->holdRowsInTurns ? 0 : 1, unsigned(quantization.words->bits), result.values);
}

llvm::Error WordReader::readScales() {
  llvm::Expected<const Tensor *> stored = beside(".scales", "scales");
  if (!stored)
    return stored.takeError();
  const Tensor &scales = **stored;
  if (!llvm::is_contained(plainFloats, scales.type))
    return refuseTensor(scales, "expected scales of " + llvm::join(ArrayRef(plainFloats), " or ") + ", got " + scales.type);
  llvm::SmallVector<int64_t> grid(llvm::reverse(scales.shape));
  if (!fitGroups(grid, quantization.group, result))
    return refuseTensor(scales, "expected a scale for each block of " + spelled(shape) + ", blocks being of " +
                                    blocksOf(quantization.group) + " as the config says, transposed, got shape " +
                                    spelled(scales.shape));
  result.scales.stored = &scales;
  result.scales.element = typeOfScales(scales.type, context);
  result.scales.suffix = ".scales";
  result.scales.strides = {.row = 1, .column = shape[0]};
  return llvm::Error::success();
}

llvm::Error WordReader::readZeros() {
  result.zeroPoint = quantization.words->zeroPoint;
  llvm::Expected<const Tensor *> stored = beside(".qzeros", "zero points");
  if (!stored)
    return stored.takeError();
  StoredPart unread; // where all are the same
  if (!quantization.words->hasZeros)
    return asWords(**stored, result.scales.shape, /*axis=*/0, /*bits=*/8, unread);
  result.zeros.suffix = ".qzeros";
  return asWords(**stored, result.scales.shape, /*axis=*/0, /*bits=*/8, result.zeros);
}

llvm::Error WordReader::readGroups() {
  std::string name = (stem + ".g_idx").str();
  const Tensor *stored = checkpoint.take(name);
  if (!stored)
    return quantization.words->listsGroups
               ? refuseTensor(*result.values.stored, "expected the groups of its columns in '" + checkpoint.nameInFiles(name) +
                                                         "', as desc_act is true, got none")
               : llvm::Error::success();
  llvm::Expected<std::vector<int32_t>> groups = readColumnGroups(checkpoint, *stored, context, result);
  if (!groups)
    return groups.takeError();
  // No writer of this format leaves -1, and its readers take it for the last group or for none.
  for (auto [column, group] : llvm::enumerate(*groups))
    if (group < 0 || group >= result.scales.shape[1])
      return refuseGroup(*stored, result, int64_t(column), group);
  return llvm::Error::success();
}

llvm::Expected<QuantizedTensor> WordReader::read() {
  const Tensor &stored = *checkpoint.take((stem + ".qweight").str());
  if (!quantization.words)
    return refuseTensor(stored, "expected a quantization_config in " + checkpoint.config() +
                                    " whose quant_method is 'gptq' or 'awq', as words of numbers by that name are theirs");
  if (llvm::Error error = readValues(stored))
    return error;
  if (llvm::Error error = readScales())
    return error;
  if (llvm::Error error = readZeros())
    return error;
  if (llvm::Error error = readGroups())
    return error;
  return result;
}

llvm::Expected<QuantizedTensor> moec::importers::takeWords(Checkpoint &checkpoint, const Quantization &quantization,
                                                           StringRef tensor, ArrayRef<int64_t> shape, mlir::MLIRContext *context) {
  return WordReader(checkpoint, quantization, tensor, shape, context).read();
}
