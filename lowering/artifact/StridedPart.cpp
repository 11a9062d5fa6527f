// Reading a strided matrix and writing it row by row.
#include "lowering/artifact/StridedPart.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace llvm;
using namespace moec;
using namespace moec::lowering;

namespace {

/// Something for every row and column.
struct Grid {
  uint64_t rows, columns;
};

/// How far apart in the file rows are, and columns.
struct Distance {
  uint64_t row, column;
  uint64_t operator()(uint64_t rows, uint64_t columns) const { return rows * row + columns * column; }
  /// How many elements there are up to the grid's last, or as many as can be.
  uint64_t extentOf(Grid grid) const {
    uint64_t last = SaturatingMultiplyAdd(grid.rows - 1, row, SaturatingMultiply(grid.columns - 1, column));
    return SaturatingAdd(last, uint64_t(1));
  }
};

} // namespace

/// Rows and columns that are moved together, so that both sides of a transposition stay in the cache.
static constexpr uint64_t tile = 32;

template <typename Body> static void forTiles(Grid grid, Body body) {
  for (uint64_t rowTile = 0; rowTile < grid.rows; rowTile += tile)
    for (uint64_t columnTile = 0; columnTile < grid.columns; columnTile += tile)
      for (uint64_t row = rowTile; row < std::min(grid.rows, rowTile + tile); ++row)
        for (uint64_t column = columnTile; column < std::min(grid.columns, columnTile + tile); ++column)
          body(row, column);
}

/// `Bytes` are those of an element, known so that a copy of one is a single move.
template <uint64_t Bytes> static void layOut(const char *stored, char *matrix, Grid grid, Distance distance) {
  forTiles(grid, [&](uint64_t row, uint64_t column) {
    std::memcpy(matrix + (row * grid.columns + column) * Bytes, stored + distance(row, column) * Bytes, Bytes);
  });
}

/// Numbers of `run`'s words, `words` of them, as elements of `bits` in rows of `columns`. `matrix` is zero before.
static void unpack(const char *stored, char *matrix, plan::PartAttr run, Grid words, Distance distance, uint64_t columns,
                   unsigned bits) {
  ArrayRef<int64_t> places = run.getWords();
  unsigned placeBits = unsigned(32 / places.size());
  uint32_t mask = maskTrailingOnes<uint32_t>(placeBits);
  forTiles(words, [&](uint64_t wordRow, uint64_t wordColumn) {
    uint32_t word = support::endian::read32le(stored + distance(wordRow, wordColumn) * sizeof(uint32_t));
    for (auto [index, place] : enumerate(places)) {
      uint64_t row = run.getWordAxis() ? wordRow : wordRow * places.size() + index;
      uint64_t column = run.getWordAxis() ? wordColumn * places.size() + index : wordColumn;
      uint64_t bit = (row * columns + column) * bits;
      matrix[bit / 8] |= char(((word >> unsigned(place) * placeBits) & mask) << bit % 8);
    }
  });
}

static Expected<std::vector<char>> readStored(WeightFiles &files, plan::PartAttr run, int64_t index, uint64_t bytes) {
  Expected<uint64_t> fileBytes = files.sizeOf(run.getFile());
  if (!fileBytes)
    return fileBytes.takeError();
  uint64_t offset = uint64_t(run.getOffsetOf(index));
  if (SaturatingAdd(offset, bytes) > *fileBytes)
    return createStringError("it lies beyond the end of '" + run.getFile() + "'");
  std::vector<char> stored(bytes);
  if (Error error = files.read(run.getFile(), offset, stored))
    return error;
  return stored;
}

/// From words of several elements each.
static Expected<std::vector<char>> readWords(WeightFiles &files, plan::PartAttr run, int64_t index, MatrixSize size) {
  uint64_t together = run.getWords().size(), rows = uint64_t(run.getBytes()) * 8 / size.elementBits / size.columns;
  uint64_t &packed = run.getWordAxis() ? size.columns : rows, allColumns = size.columns;
  Distance distance{uint64_t(run.getRowStride()) / together, uint64_t(run.getColumnStride()) / together};
  if (packed % together || run.getRowStride() % int64_t(together) || run.getColumnStride() % int64_t(together) ||
      32 / together > size.elementBits || size.elementBits > 8)
    return createStringError("expected whole words of " + Twine(together) + " elements of " + Twine(32 / together) +
                             " bits or more and at most 8");
  packed /= together;
  Grid words{rows, size.columns};
  Expected<std::vector<char>> stored =
      readStored(files, run, index, SaturatingMultiply(distance.extentOf(words), uint64_t(sizeof(uint32_t))));
  if (!stored)
    return stored.takeError();
  if (uint64_t(run.getBytes()) > stored->size() * 2) // elements at most twice as wide as in the words
    return createStringError("its words overlap in '" + run.getFile() + "'");
  std::vector<char> matrix(size_t(run.getBytes()));
  unpack(stored->data(), matrix.data(), run, words, distance, allColumns, unsigned(size.elementBits));
  return matrix;
}

/// From elements that lie apart.
static Expected<std::vector<char>> readElements(WeightFiles &files, plan::PartAttr run, int64_t index, MatrixSize size) {
  uint64_t columns = size.columns, elementBytes = size.elementBits / 8, rowStride = uint64_t(run.getRowStride()),
           columnStride = uint64_t(run.getColumnStride());
  if (size.elementBits < 8) { // elements in pairs: neighbours in rows of whole bytes
    if (columnStride != 1 || columns * size.elementBits % 8 || rowStride * size.elementBits % 8)
      return createStringError("expected rows of whole bytes where elements have " + Twine(size.elementBits) + " bits");
    elementBytes = 1;
    columns = columns * size.elementBits / 8;
    rowStride = rowStride * size.elementBits / 8;
  }
  Grid grid{uint64_t(run.getBytes()) / elementBytes / columns, columns};
  Distance distance{rowStride, columnStride};
  Expected<std::vector<char>> stored = readStored(files, run, index, SaturatingMultiply(distance.extentOf(grid), elementBytes));
  if (!stored)
    return stored.takeError();
  if (uint64_t(run.getBytes()) > stored->size())
    return createStringError("its elements overlap in '" + run.getFile() + "'");
  std::vector<char> matrix(size_t(run.getBytes()));
  switch (elementBytes) {
  case 1:
    layOut<1>(stored->data(), matrix.data(), grid, distance);
    return matrix;
  case 2:
    layOut<2>(stored->data(), matrix.data(), grid, distance);
    return matrix;
  case 4:
    layOut<4>(stored->data(), matrix.data(), grid, distance);
    return matrix;
  default:
    return createStringError("expected elements of 1, 2 or 4 bytes where they are strided, got " + Twine(elementBytes));
  }
}

Expected<std::vector<char>> moec::lowering::readStrided(WeightFiles &files, plan::PartAttr run, int64_t index, MatrixSize size) {
  return run.getWords().empty() ? readElements(files, run, index, size) : readWords(files, run, index, size);
}
