// Rows of numbers, read from wherever slices of files have them.
#ifndef MOEC_LOWERING_ARTIFACT_STOREDMATRIX_H
#define MOEC_LOWERING_ARTIFACT_STOREDMATRIX_H

#include "dialects/moe/Requantization.h"
#include "dialects/moe/StoredNumbers.h"
#include "lowering/artifact/ArtifactWriter.h"

namespace moec::lowering {

/// A stored tensor as rows of its last dimension, a vector as rows of one number. Reads ahead, so rows are best read in order.
class StoredMatrix {
public:
  static llvm::Expected<StoredMatrix> of(const moe::StoredTensor &stored, WeightFiles &files);

  int64_t rows() const { return stored.type.getNumElements() / width(); }
  int64_t width() const { return stored.type.getRank() == 1 ? 1 : stored.type.getShape().back(); }
  llvm::Error read(int64_t row, std::span<double> into);

private:
  /// Slice `index` of a run, which has all rows from `firstRow` on.
  struct Piece {
    moe::SliceAttr run;
    int64_t index, firstRow;
  };
  StoredMatrix(const moe::StoredTensor &stored, moe::StoredNumbers numbers, WeightFiles &files);
  llvm::Error fill(int64_t row);

  moe::StoredTensor stored;
  moe::StoredNumbers numbers;
  WeightFiles *files;
  std::vector<Piece> pieces;
  /// Bytes of the rows [first, end).
  std::vector<char> bytes;
  int64_t first = 0, end = 0;
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_ARTIFACT_STOREDMATRIX_H
