// Attention of a tile of query rows to a span of positions by matrix units, all rows sharing one read of keys and values.
//
// Positions are staged a tile at a time while the tile before is computed with. A tile of 16 rows belongs to four warps: of the
// scores each sums a quarter of the depth, all four know all scores and weights, and each keeps a quarter of the columns of the
// context. Where heads are narrow, fewer warps or one can have it, which leaves less to exchange and no weight computed twice.
#ifndef MOEC_LOWERING_NVPTX_ATTENTION_MATRIXATTENTION_H
#define MOEC_LOWERING_NVPTX_ATTENTION_MATRIXATTENTION_H

#include "lowering/nvptx/KernelFrame.h"
#include "lowering/nvptx/attention/QueryTile.h"
#include "lowering/nvptx/matrix/MatrixUnits.h"

#include <optional>

namespace moec::lowering::nvptx {

class MatrixAttention {
public:
  /// Warps that a tile of rows belongs to, if its shape does not say otherwise.
  static constexpr int64_t parts = 4;
  static constexpr int64_t threadsOf(int64_t rowTiles, int64_t parts = MatrixAttention::parts) {
    return rowTiles * parts * warpSize;
  }

  /// What keys and values look like: bf16, widths multiples of 8 elements. Values may be the leading columns of the keys' rows, and
  /// such rows may lie anywhere.
  struct Shape {
    int64_t keyWidth, valueWidth;
    bool valuesAreKeys;
    double scale;
    std::optional<double> softCap = {};
    bool isGathered = false;
    int64_t parts = MatrixAttention::parts;
  };
  /// Whether that fits a block of `target` with so many tiles of rows.
  static bool fits(const Target &target, const Shape &shape, int64_t rowTiles);

  MatrixAttention(KernelFrame &frame, const Shape &shape, int64_t rowTiles);

  /// The positions that a row sees, from `first` up to and with `last`.
  struct Visible {
    std::optional<Number> first;
    Number last;
  };
  struct Rows {
    /// Two neighbouring elements of a row of queries, bf16 in an i32, or zeros.
    llvm::function_ref<Number(Number row, Number column)> query;
    llvm::function_ref<Visible(Number row)> visible;
  };
  /// The address of a position's row in a cache; of a page's first row those of the page follow, `stride` elements apart, unless
  /// rows are gathered.
  struct Cache {
    int64_t stride;
    llvm::function_ref<Pointer(Number position)> row;
  };
  struct Results {
    /// Takes two neighbouring columns of a row's weighted sum of values, a vector, and the sum of the weights.
    llvm::function_ref<void(Number row, Number column, Number two, Number sum)> context;
    /// Takes what the weights are relative to: they are 2^(score - largest); and their sum. Scores are in units of log2(e).
    llvm::function_ref<void(Number row, Number largest, Number sum)> weights = nullptr;
  };
  /// Attends to positions [begin, end), where begin is a multiple of a page. For all threads of the block.
  void attend(Number begin, Number end, const Rows &rows, const Cache &keys, const Cache &values, const Results &results);

private:
  /// What a warp has of its 16 rows: of each half (rows g and g + 8 for lane group g) the largest score and the lane's part of the
  /// weights' sum, and its part of the context.
  struct State {
    Number largest[2], sum[2];
    KernelBuilder::Numbers context;
    KernelBuilder::Numbers pack() const;
    static State unpack(llvm::ArrayRef<Number> numbers);
  };
  using Fragments = llvm::SmallVector<KernelBuilder::Numbers>;

  static int64_t bytesOf(const Shape &shape, int64_t rowTiles, int64_t positions);
  static int64_t choosePositions(const Target &target, const Shape &shape, int64_t rowTiles);
  int64_t threads() const { return threadsOf(rowTiles, shape.parts); }
  int64_t stageBytes() const { return keyRows.bytes() + (shape.valuesAreKeys ? 0 : valueRows.bytes()); }
  Number rowOfLane(int64_t half);
  void findRows(Number stage, Number begin, Number end, const Cache &keys);
  void stageTile(Number stage, Number begin, Number end, const Cache &keys, const Cache &values);
  Fragments loadQueries(const Rows &rows);
  KernelBuilder::Numbers scoreTile(Pointer stage, const Fragments &queries);
  KernelBuilder::Numbers sumOverParts(llvm::ArrayRef<Number> partial);
  void weigh(Number tileBegin, llvm::ArrayRef<Visible> visible, llvm::MutableArrayRef<Number> scores, State &state);
  void addValues(Pointer stage, llvm::ArrayRef<Number> weights, State &state);
  Number valuePair(int64_t index);

  KernelBuilder &b;
  const Shape shape;
  const int64_t rowTiles, positions; ///< of a tile
  const SharedRows queryRows, keyRows, valueRows;
  const int64_t stepsOfPart, pairsOfPart; ///< steps of the depth, pairs of tiles of the values' columns
  Pointer stages;                         ///< two, of keys and then values
  Pointer rowAddresses;                   ///< of gathered rows, [2, positions]
  Pointer partialScores;                  ///< f32 [parts, row tiles, tiles of positions, lanes, 4]
  Number rowTile, part;                   ///< of this warp
};

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_ATTENTION_MATRIXATTENTION_H
