// Reading a strided matrix and writing it row by row.
#include "lowering/artifact/StridedPart.h"

#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace llvm;
using namespace moec;
using namespace moec::lowering;

/// Rows and columns that are moved together, so that both sides of a transposition stay in the cache.
static constexpr uint64_t tile = 32;

/// `Bytes` are those of an element, known so that a copy of one is a single move.
template <uint64_t Bytes>
static void layOut(const char *stored, char *matrix, uint64_t rows, uint64_t columns, uint64_t rowStride, uint64_t columnStride) {
  for (uint64_t rowTile = 0; rowTile < rows; rowTile += tile)
    for (uint64_t columnTile = 0; columnTile < columns; columnTile += tile)
      for (uint64_t row = rowTile; row < std::min(rows, rowTile + tile); ++row)
        for (uint64_t column = columnTile; column < std::min(columns, columnTile + tile); ++column)
          std::memcpy(matrix + (row * columns + column) * Bytes, stored + (row * rowStride + column * columnStride) * Bytes, Bytes);
}

Expected<std::vector<char>> moec::lowering::readStrided(WeightFiles &files, plan::PartAttr run, int64_t index, MatrixSize size) {
  Expected<uint64_t> fileBytes = files.sizeOf(run.getFile());
  if (!fileBytes)
    return fileBytes.takeError();
  uint64_t columns = size.columns, elementBytes = size.elementBits / 8, rowStride = uint64_t(run.getRowStride()),
           columnStride = uint64_t(run.getColumnStride());
  if (size.elementBits < 8) { // pairs of neighbours, or words of eight
    uint64_t together = columnStride == 1 ? 2 : 8;
    if (size.elementBits != 4 || columns % together || rowStride % together || (together == 8 && columnStride % together))
      return createStringError("expected rows of pairs or of words of eight where elements have " + Twine(size.elementBits) +
                               " bits");
    elementBytes = together / 2;
    columns /= together;
    rowStride /= together;
    columnStride = columnStride == 1 ? 1 : columnStride / together;
  }
  uint64_t bytes = uint64_t(run.getBytes()), rows = bytes / elementBytes / columns, offset = uint64_t(run.getOffsetOf(index));
  uint64_t last = SaturatingMultiplyAdd(rows - 1, rowStride, SaturatingMultiply(columns - 1, columnStride));
  uint64_t storedBytes = SaturatingMultiply(SaturatingAdd(last, uint64_t(1)), elementBytes);
  if (SaturatingAdd(offset, storedBytes) > *fileBytes || bytes > *fileBytes)
    return createStringError("it lies beyond the end of '" + run.getFile() + "'");

  std::vector<char> stored(storedBytes), matrix(bytes);
  if (Error error = files.read(run.getFile(), offset, stored))
    return error;
  auto move = [&](auto *layOut) { layOut(stored.data(), matrix.data(), rows, columns, rowStride, columnStride); };
  switch (elementBytes) {
  case 1:
    move(layOut<1>);
    return matrix;
  case 2:
    move(layOut<2>);
    return matrix;
  case 4:
    move(layOut<4>);
    return matrix;
  default:
    return createStringError("expected elements of 1, 2 or 4 bytes where they are strided, got " + Twine(elementBytes));
  }
}
