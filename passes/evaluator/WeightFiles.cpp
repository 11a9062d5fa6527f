// Reading a weight's slices from the model's files.
#include "passes/evaluator/Weights.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace moec;
using namespace moec::evaluator;

/// The value of every bit pattern of a float type of at most 16 bits.
static std::vector<double> valuesOf(FloatType type) {
  unsigned bits = type.getWidth();
  std::vector<double> values(size_t(1) << bits);
  for (size_t pattern = 0; pattern < values.size(); ++pattern)
    values[pattern] = APFloat(type.getFloatSemantics(), APInt(bits, pattern)).convertToDouble();
  return values;
}

/// Reads the `index`-th little-endian element of type T.
template <typename T> static T elementAt(const char *bytes, size_t index) {
  return llvm::support::endian::read<T, llvm::endianness::little>(bytes + index * sizeof(T));
}

/// Converts stored elements of `type` to f64; false for a type that no checkpoint stores weights in.
static bool convert(const char *bytes, Type type, std::span<double> elements) {
  auto each = [&](auto convertOne) {
    for (size_t i = 0; i < elements.size(); ++i)
      elements[i] = convertOne(i);
    return true;
  };
  if (type.isF64())
    return each([&](size_t i) { return llvm::bit_cast<double>(elementAt<uint64_t>(bytes, i)); });
  if (type.isF32())
    return each([&](size_t i) { return double(llvm::bit_cast<float>(elementAt<uint32_t>(bytes, i))); });
  if (auto floats = dyn_cast<FloatType>(type); floats && (floats.getWidth() == 16 || floats.getWidth() == 8)) {
    std::vector<double> values = valuesOf(floats);
    if (floats.getWidth() == 16)
      return each([&](size_t i) { return values[elementAt<uint16_t>(bytes, i)]; });
    return each([&](size_t i) { return values[uint8_t(bytes[i])]; });
  }
  if (type.getIntOrFloatBitWidth() == 4) {
    auto codeOf = [&](size_t i) { return uint8_t(bytes[i / 2]) >> i % 2 * 4 & 15; };
    if (type.isUnsignedInteger())
      return each([&](size_t i) { return double(codeOf(i)); });
    if (type.isInteger())
      return each([&](size_t i) { return double(llvm::SignExtend32<4>(codeOf(i))); });
    std::vector<double> values = valuesOf(cast<FloatType>(type));
    return each([&](size_t i) { return values[codeOf(i)]; });
  }
  if (type.isUnsignedInteger(8))
    return each([&](size_t i) { return double(uint8_t(bytes[i])); });
  if (type.isUnsignedInteger())
    return false;
  if (type.isInteger(8))
    return each([&](size_t i) { return double(elementAt<int8_t>(bytes, i)); });
  if (type.isInteger(16))
    return each([&](size_t i) { return double(elementAt<int16_t>(bytes, i)); });
  if (type.isInteger(32))
    return each([&](size_t i) { return double(elementAt<int32_t>(bytes, i)); });
  if (type.isInteger(64))
    return each([&](size_t i) { return double(elementAt<int64_t>(bytes, i)); });
  return false;
}

size_t moec::evaluator::placeOf(moe::SliceAttr run, size_t element, size_t columns) {
  return run.isStrided() ? element / columns * size_t(run.getRowStride()) + element % columns * size_t(run.getColumnStride())
                         : element;
}

LogicalResult moec::evaluator::readSlice(moe::SliceAttr run, int64_t index, RankedTensorType weight, StringRef folder,
                                         Operation *user, std::span<double> elements) {
  auto refuse = [&]() { return user->emitError() << "cannot read tensor '" << run.getTensor() << "': "; };
  StringRef file = run.getFile();
  if (llvm::sys::path::is_absolute(file) || llvm::is_contained(llvm::split(file, '/'), ".."))
    return refuse() << "expected a file below the model's folder, got '" << file << "'";
  SmallString<128> path(folder);
  llvm::sys::path::append(path, file);

  Type type = weight.getElementType();
  size_t columns = size_t(weight.getShape().back()), stored = placeOf(run, elements.size() - 1, columns) + 1;
  uint64_t size, offset = run.getOffsetOf(index);
  if (std::error_code error = llvm::sys::fs::file_size(path, size))
    return refuse() << path << ": " << error.message();
  uint64_t bytes = llvm::SaturatingMultiply<uint64_t>(stored, type.getIntOrFloatBitWidth()) / 8;
  if (offset > size || bytes > size - offset)
    return refuse() << "expected " << bytes << " bytes at " << offset << " of " << path << ", which has " << size;
  auto buffer = llvm::MemoryBuffer::getFileSlice(path, bytes, offset);
  if (!buffer)
    return refuse() << path << ": " << buffer.getError().message();
  std::vector<double> apart(run.isStrided() ? stored : 0);
  if (!convert((*buffer)->getBufferStart(), type, run.isStrided() ? std::span<double>(apart) : elements))
    return refuse() << "expected floats or integers of 4 to 64 bits, got " << type;
  if (run.isStrided())
    for (size_t i = 0; i < elements.size(); ++i)
      elements[i] = apart[placeOf(run, i, columns)];
  return success();
}
