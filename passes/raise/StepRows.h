// Where the rows of a step, one for each token, are in the tensors of a function.
#ifndef MOEC_PASSES_RAISE_STEPROWS_H
#define MOEC_PASSES_RAISE_STEPROWS_H

#include "passes/raise/StepArguments.h"

#include <memory>

namespace moec::passes {

/// A column of rows: of a value of the step, or of what an argument holds of the past.
struct Column {
  mlir::Value from;
  int64_t index;
  bool operator==(const Column &) const = default;
};
using Columns = llvm::SmallVector<Column>;

/// Neighbouring columns of one value.
struct ColumnRun {
  mlir::Value from;
  int64_t first, count;
};
llvm::SmallVector<ColumnRun> runsOf(llvm::ArrayRef<Column> columns);

/// The columns of a head, when all columns are of one value and every `headDim` of them are those of a head of `stride` of its.
std::optional<llvm::SmallVector<int64_t>> orderInHeads(llvm::ArrayRef<Column> columns, int64_t headDim, int64_t stride);

/// What each position of a sequence has: from the past, and from the new tokens' rows. Nothing of the past where nothing has one.
struct Context {
  Columns past, fresh;
};

/// Follows elements of tensors back to rows, through ops that only move them, by numbering them.
class StepRows {
public:
  explicit StepRows(const StepArguments &arguments);

  /// Says that `value`, row by row, is `rows`, or has columns of it in that order.
  void seat(mlir::Value value, mlir::Value rows);
  void seat(mlir::Value value, mlir::Value rows, llvm::ArrayRef<int64_t> columns);
  /// Says that `value` has an element of `rows` where `like` has one of rows as wide. In columns that no element has, `rows` are
  /// what `like` is made of.
  void seatLike(mlir::Value value, mlir::Value rows, mlir::Value like);

  /// Whether rows are known that `value` may be made of.
  bool reaches(mlir::Value value) { return !sourcesOf(value).empty(); }
  /// `value` as a row for each token, one after the other.
  std::optional<Columns> rowsOf(mlir::Value value);
  /// The rows that `value` is made of, all of them and each once, when so many columns always stay together.
  std::optional<mlir::Value> shuffled(mlir::Value value, int64_t together);
  /// `value` as a row for each position, past and new, of each sequence, one after the other; or, with `like`, arranged as that
  /// argument.
  std::optional<Context> contextOf(mlir::Value value, mlir::Value like = {});

  /// The argument whose rows of the past `value` has, one after the other.
  std::optional<mlir::Value> pastOf(mlir::Value value);

private:
  /// A tensor whose elements are known ones of rows.
  struct Seat {
    mlir::Value from;
    int64_t width;
    std::vector<std::vector<int64_t>> numbers; ///< of each trial, for each element: row x width + column
    mlir::Value unturned;                      ///< rows that are the same in other columns
    std::vector<bool> turned;                  ///< the columns that it has
  };
  struct Place {
    const Seat *seat;
    int64_t row, column;
  };
  llvm::SmallVector<mlir::Value> sourcesOf(mlir::Value value);
  /// Of each element; nothing when one comes from elsewhere.
  std::optional<std::vector<Place>> placesOf(mlir::Value value, size_t trial);
  /// Has all columns come from turned rows, where some do and the others are the same in those.
  void takeUnturned(Columns &columns) const;
  bool keepsAll(mlir::Value value, int64_t width);

  llvm::ArrayRef<StepShape> trials;
  Sizes longSizes; ///< of one sequence that is longer than any trial's
  std::vector<Sizes> sizes;
  llvm::DenseMap<mlir::Value, std::unique_ptr<Seat>> seats;
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_STEPROWS_H
