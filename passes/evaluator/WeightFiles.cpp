// Reading a weight's slices from the model's files.
#include "dialects/moe/StoredNumbers.h"
#include "passes/evaluator/Weights.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace moec;
using namespace moec::evaluator;

size_t moec::evaluator::placeOf(moe::SliceAttr run, size_t element, RankedTensorType weight) {
  if (!run.isStrided())
    return element;
  size_t columns = size_t(weight.getShape().back()), row = element / columns, column = element % columns, inWord = 0;
  if (size_t together = run.getWords().size()) {
    size_t &packed = run.getWordAxis() ? column : row;
    inWord = size_t(run.getWords()[packed % together]);
    packed /= together;
  }
  return row * size_t(run.getRowStride()) + column * size_t(run.getColumnStride()) + inWord;
}

static InFlightDiagnostic refuse(Operation *user, moe::SliceAttr run) {
  return user->emitError() << "cannot read tensor '" << run.getTensor() << "': ";
}

/// How many elements of the file a slice of so many elements reaches over: whole words of them.
static size_t storedElements(moe::SliceAttr run, RankedTensorType weight, size_t elements) {
  return llvm::alignTo(placeOf(run, elements - 1, weight) + 1, std::max<size_t>(1, run.getWords().size()));
}

/// The type of elements in the file.
static Type storedType(moe::SliceAttr run, RankedTensorType weight) {
  return run.getWords().empty() ? weight.getElementType()
                                : IntegerType::get(weight.getContext(), unsigned(run.getPlaceBits()), IntegerType::Unsigned);
}

/// Refuses a slice of so many elements for whose bytes the `size` bytes of `file` have no room where it begins.
static LogicalResult checkWithin(uint64_t size, StringRef file, moe::SliceAttr run, int64_t index, RankedTensorType weight,
                                 size_t elements, Operation *user) {
  uint64_t offset = run.getOffsetOf(index), stored = storedElements(run, weight, elements);
  uint64_t bytes = llvm::SaturatingMultiply<uint64_t>(stored, storedType(run, weight).getIntOrFloatBitWidth()) / 8;
  if (offset > size || bytes > size - offset)
    return refuse(user, run) << "expected " << bytes << " bytes at " << offset << " of " << file << ", which has " << size;
  return success();
}

/// Fills `elements` from the bytes of a slice.
static LogicalResult convert(const char *bytes, moe::SliceAttr run, RankedTensorType weight, Operation *user,
                             std::span<double> elements) {
  std::optional<moe::StoredNumbers> numbers = moe::StoredNumbers::of(storedType(run, weight));
  if (!numbers)
    return refuse(user, run) << "expected floats or integers of 4 to 64 bits, got " << weight.getElementType();
  if (!run.isStrided()) {
    numbers->read(bytes, elements);
    return success();
  }
  std::vector<double> apart(storedElements(run, weight, elements.size()));
  numbers->read(bytes, apart);
  for (size_t i = 0; i < elements.size(); ++i)
    elements[i] = apart[placeOf(run, i, weight)];
  return success();
}

LogicalResult moec::evaluator::readSlice(moe::SliceAttr run, int64_t index, RankedTensorType weight, StringRef contents,
                                         Operation *user, std::span<double> elements) {
  if (failed(checkWithin(contents.size(), run.getFile(), run, index, weight, elements.size(), user)))
    return failure();
  return convert(contents.data() + run.getOffsetOf(index), run, weight, user, elements);
}

LogicalResult moec::evaluator::readSliceOfFolder(moe::SliceAttr run, int64_t index, RankedTensorType weight, StringRef folder,
                                                 Operation *user, std::span<double> elements) {
  StringRef file = run.getFile();
  if (llvm::sys::path::is_absolute(file) || llvm::is_contained(llvm::split(file, '/'), ".."))
    return refuse(user, run) << "expected a file below the model's folder, got '" << file << "'";
  SmallString<128> path(folder);
  llvm::sys::path::append(path, file);

  uint64_t size;
  if (std::error_code error = llvm::sys::fs::file_size(path, size))
    return refuse(user, run) << path << ": " << error.message();
  if (failed(checkWithin(size, path, run, index, weight, elements.size(), user)))
    return failure();
  // In pieces, so that little of the file is in memory beside the numbers; what is strided is small enough to be so at once.
  constexpr size_t most = 1 << 20;
  const size_t piece = run.isStrided() ? elements.size() : most;
  for (uint64_t offset = run.getOffsetOf(index); !elements.empty();) {
    std::span<double> part = elements.first(std::min(piece, elements.size()));
    uint64_t partBytes = storedElements(run, weight, part.size()) * storedType(run, weight).getIntOrFloatBitWidth() / 8;
    auto buffer = llvm::MemoryBuffer::getFileSlice(path, partBytes, offset);
    if (!buffer)
      return refuse(user, run) << path << ": " << buffer.getError().message();
    if (failed(convert((*buffer)->getBufferStart(), run, weight, user, part)))
      return failure();
    elements = elements.subspan(part.size());
    offset += partBytes;
  }
  return success();
}
