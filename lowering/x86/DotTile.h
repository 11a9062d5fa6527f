// Matrix products with row-major weights: C[m][n] = sum over k of A[m][k] W[n][k].
//
// Every element of C is computed by one chain of operations, whatever the number of rows or columns around it: partial sums
// of k in the lanes of one vector, then the same tree over the lanes. A product is therefore bitwise independent of how its
// rows and columns are cut into tiles, blocks, items and steps.
#ifndef MOEC_LOWERING_X86_DOTTILE_H
#define MOEC_LOWERING_X86_DOTTILE_H

#include "dialects/moe/MoE.h"
#include "lowering/x86/FixedPoint.h"
#include "lowering/x86/WeightRows.h"

#include <optional>

namespace moec::lowering::x86 {

/// What is read after the rows of a product, so that memory can be asked for it while these are used.
struct Upcoming {
  int64_t groupRows;  ///< the product's rows are groups of so many, which follow each other in memory
  Number rows;        ///< that follow each group in memory and will be used
  Pointer afterwards; ///< a table, an address a group: the row that is read after those; 0 if there is none
};

/// How the products of weights stored in one way and of one compute type are formed on a target.
class DotForm {
public:
  DotForm(KernelBuilder &b, const Storage &storage, moe::Compute compute);

  /// Type of activations in scratch memory: bytes where the target multiplies codes, bf16 where it multiplies bf16, else f32.
  mlir::Type activation() const;
  /// Bytes from one row of activations of `width` elements to the next: whole vectors, and no power of two apart.
  int64_t rowBytes(int64_t width) const;
  /// Elements of memory for `rows` rows of activations (tiles may read some rows beyond the last).
  int64_t activationElements(int64_t rows, int64_t width) const;
  /// Elements of memory for the result of `rows` rows and `columns` columns (tiles may write some rows beyond the last).
  int64_t resultElements(int64_t rows, int64_t columns) const;
  /// Rows to take at once, so that their activations stay in the second-level cache.
  int64_t blockRows(int64_t width) const;

  /// Writes `width` elements of `source` as a row of activations: rounded as the compute type says, padded with zeros.
  void convertRow(Pointer source, Pointer destination, int64_t width) const;

  /// result[m][n] for m < rows and n < columns, where row n of the weight is entry n of `weightRows` and `columns`, a multiple of
  /// 8, is at most `maxColumns`. Rows of the result are `resultWidth` elements apart.
  /// Without `upcoming`, whatever follows in memory is taken to be read next.
  void multiply(Pointer activations, Number rows, const WeightRows &weightRows, Number columns, int64_t width, Pointer result,
                int64_t resultWidth, std::optional<Upcoming> upcoming = std::nullopt) const;
  static constexpr int64_t maxColumns = 64;

private:
  struct Shape {
    int64_t rows, columns;
    bool isFirst = true; ///< to read its weights, so that memory is the limit
  };
  /// A tile of full height, and the most rows of a low and wide one.
  Shape tallTile() const;
  int64_t lowRows() const;

  std::string name(llvm::StringRef prefix) const;
  void callTile(Shape shape, bool tail, llvm::ArrayRef<mlir::Value> arguments) const;
  void buildTile(Shape shape, bool tail, llvm::ArrayRef<Number> arguments) const;
  void buildMultiply(bool tail, llvm::ArrayRef<Number> arguments) const;
  void buildConvert(mlir::Type source, llvm::ArrayRef<Number> arguments) const;
  /// The tables of weight rows as arguments of functions, and back from those that follow `arguments`.
  void append(llvm::SmallVectorImpl<mlir::Value> &arguments, const WeightRows &rows) const;
  WeightRows rowsFrom(llvm::ArrayRef<Number> arguments) const;
  /// The last, incomplete block of each of `columns` rows, padded with zeros: nothing is read beyond a row's end.
  WeightRows copyTails(const WeightRows &rows, Number columns, Number width) const;
  /// One step of a tile: adds the products of a block at `activationRows` and at `weightRows`, whose scales and zeros are these, if
  /// any.
  void accumulate(llvm::MutableArrayRef<Number> sums, llvm::ArrayRef<Pointer> activationRows, llvm::ArrayRef<Pointer> weightRows,
                  llvm::ArrayRef<Number> scales, llvm::ArrayRef<Number> zeros) const;
  void accumulateBf16(llvm::MutableArrayRef<Number> sums, llvm::ArrayRef<Pointer> activationRows,
                      llvm::ArrayRef<Pointer> weightRows) const;
  void accumulateCodes(llvm::MutableArrayRef<Number> sums, llvm::ArrayRef<Pointer> activationRows,
                       llvm::ArrayRef<Pointer> weightRows, llvm::ArrayRef<Number> scales) const;

  KernelBuilder &b;
  Storage storage;
  WeightBlock block;
  std::optional<FixedPoint> fixedPoint; ///< of activations, where the target multiplies codes
  bool rounds;                          ///< activations to bf16
  bool hasBf16Dot;                      ///< pairs of bf16 are multiplied by the target's instruction
  mlir::Type memory;                    ///< of weights in memory
  int64_t step;                         ///< elements of a block
};

} // namespace moec::lowering::x86

#endif // MOEC_LOWERING_X86_DOTTILE_H
