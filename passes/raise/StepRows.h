// Where the rows of a step, one for each token, are in the tensors of a function.
#ifndef MOEC_PASSES_RAISE_STEPROWS_H
#define MOEC_PASSES_RAISE_STEPROWS_H

#include "passes/raise/StepArguments.h"

#include "llvm/ADT/MapVector.h"

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

/// Of which tokens there are rows: graphs that want the logits of the last one alone drop the others. What is computed of a token
/// does not depend on those behind it.
enum class Tokens { All, Last };

/// What each position of a sequence has: from the past, and from the new tokens' rows. Nothing of the past where nothing has one.
struct Context {
  Columns past, fresh;
};

/// Follows elements of tensors back to rows, through ops that only move them, by numbering them.
class StepRows {
public:
  explicit StepRows(const StepArguments &arguments);

  /// Says that `value`, row by row, is `rows`, or has columns of it in that order.
  void seat(mlir::Value value, mlir::Value rows, Tokens tokens = Tokens::All);
  void seat(mlir::Value value, mlir::Value rows, llvm::ArrayRef<int64_t> columns, Tokens tokens = Tokens::All);
  /// Says that `value` has an element of `rows` where `like` has one of rows as wide. In columns that no element has, `rows` are
  /// what `like` is made of.
  void seatLike(mlir::Value value, mlir::Value rows, mlir::Value like);

  /// Whether rows are known that `value` may be made of.
  bool reaches(mlir::Value value) { return !sourcesOf(value).empty(); }
  /// `value` as a row for each token, one after the other; with `tokens`, also for the last token of each sequence alone.
  std::optional<Columns> rowsOf(mlir::Value value, Tokens *tokens = nullptr);
  /// The rows that `value` is made of, all of them and each once, when so many columns always stay together.
  std::optional<mlir::Value> shuffled(mlir::Value value, int64_t together);
  /// `value` as a row for each position, past and new, of each sequence, one after the other; or, with `like`, arranged as that
  /// argument. `Last`: only the last positions, of which there are as many as past ones, as caches that roll hold them.
  enum class Held { All, Last };
  std::optional<Context> contextOf(mlir::Value value, mlir::Value like = {}, Held held = Held::All);

  /// The argument whose rows of the past `value` has, one after the other.
  std::optional<mlir::Value> pastOf(mlir::Value value);

private:
  using Numbers = std::vector<std::vector<int32_t>>;
  /// A tensor whose elements are known ones of rows.
  struct Seat {
    mlir::Value from;
    int64_t width;
    /// Of each trial, for each element: row x width + column. Null where there is a row for each of `tokens`, one after the other,
    /// of `columns`, or of all where there are none.
    std::shared_ptr<const Numbers> numbers;
    Tokens tokens = Tokens::All;
    llvm::SmallVector<int64_t> columns{};
    mlir::Value unturned{};     ///< rows that are the same in other columns
    std::vector<bool> turned{}; ///< the columns that it has
    int64_t rowWidth() const { return columns.empty() ? width : int64_t(columns.size()); }
  };
  struct Place {
    const Seat *seat;
    int64_t row, column;
  };
  int64_t countOf(const Seat &seat, size_t trial) const;
  Place placeOf(const Seat &seat, size_t trial, int64_t index) const;
  std::shared_ptr<const Numbers> numbersOfPast(mlir::Type type);
  llvm::SmallVector<mlir::Value> sourcesOf(mlir::Value value);
  std::optional<Columns> columnsOf(llvm::ArrayRef<std::vector<Place>> places, Tokens tokens) const;
  /// Of each element; nothing when one comes from elsewhere.
  std::optional<std::vector<Place>> placesOf(mlir::Value value, size_t trial);
  /// Has all columns come from turned rows, where some do and the others are the same in those.
  void takeUnturned(Columns &columns) const;
  bool keepsAll(mlir::Value value, int64_t width);

  const StepArguments &arguments;
  llvm::ArrayRef<StepShape> trials;
  Sizes longSizes; ///< of one sequence that is longer than any trial's
  std::vector<Sizes> sizes;
  llvm::DenseMap<mlir::Type, std::shared_ptr<const Numbers>> pasts; ///< of arguments of that type
  llvm::MapVector<mlir::Value, std::unique_ptr<Seat>> seats;
};

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_STEPROWS_H
