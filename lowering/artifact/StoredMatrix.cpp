// Slices one after the other: as many rows at a time as a few megabytes have, and a whole matrix where it must be laid out anew.
#include "lowering/artifact/StoredMatrix.h"

#include "lowering/artifact/StridedPart.h"

using namespace llvm;
using namespace moec;
using namespace moec::lowering;

static constexpr int64_t bytesAhead = 4 << 20;

StoredMatrix::StoredMatrix(const moe::StoredTensor &stored, moe::StoredNumbers numbers, WeightFiles &files)
    : stored(stored), numbers(std::move(numbers)), files(&files) {
  int64_t row = 0, perEntry = rows() / stored.type.getDimSize(0);
  for (auto run : stored.slices.getAsRange<moe::SliceAttr>())
    for (int64_t index = 0; index < run.getTimes(); ++index) {
      pieces.push_back({run, index, row});
      row += run.getRows() * perEntry;
    }
}

Expected<StoredMatrix> StoredMatrix::of(const moe::StoredTensor &stored, WeightFiles &files) {
  std::optional<moe::StoredNumbers> numbers = moe::StoredNumbers::of(stored.type.getElementType());
  if (!numbers)
    return createStringError("expected numbers of a type that checkpoints store");
  return StoredMatrix(stored, std::move(*numbers), files);
}

Error StoredMatrix::fill(int64_t row) {
  auto behind = upper_bound(pieces, row, [](int64_t row, const Piece &piece) { return row < piece.firstRow; });
  const Piece &piece = *std::prev(behind);
  int64_t last = behind == pieces.end() ? rows() : behind->firstRow;
  int64_t bits = stored.type.getElementTypeBitWidth(), rowBytes = width() * bits / 8;
  if (piece.run.isStrided()) {
    auto part = plan::PartAttr::get(piece.run.getContext(), piece.run.getFile(), piece.run.getOffsetOf(piece.index),
                                    (last - piece.firstRow) * rowBytes, /*times=*/1, /*every=*/0, piece.run.getRowStride(),
                                    piece.run.getColumnStride(), piece.run.getWords(), piece.run.getWordAxis());
    Expected<std::vector<char>> matrix = readStrided(*files, part, 0, {uint64_t(width()), uint64_t(bits)});
    if (!matrix)
      return matrix.takeError();
    bytes = std::move(*matrix);
    first = piece.firstRow;
    end = last;
    return Error::success();
  }
  first = row;
  end = std::min(last, row + std::max<int64_t>(1, bytesAhead / rowBytes));
  bytes.resize(size_t((end - first) * rowBytes));
  return files->read(piece.run.getFile(), uint64_t(piece.run.getOffsetOf(piece.index) + (row - piece.firstRow) * rowBytes), bytes);
}

Error StoredMatrix::read(int64_t row, std::span<double> into) {
  if (row < first || row >= end)
    if (Error error = fill(row))
      return error;
  int64_t rowBytes = width() * int64_t(stored.type.getElementTypeBitWidth()) / 8;
  numbers.read(bytes.data() + (row - first) * rowBytes, into);
  return Error::success();
}
