// A warp takes 32 of the positions and every second tile of 16 heads.
#include "lowering/nvptx/positions/ScoresByMatrix.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// bf16 that add up to an f32.
static constexpr int64_t parts = 3;
/// Positions of a warp, in tiles of 8 that are loaded two at a time; warps that share the heads for the same positions.
static constexpr int64_t ofWarp = 32, pairs = ofWarp / (2 * MatrixTile::columns);
static constexpr int64_t groups = ScoresByMatrix::positionsAtOnce / ofWarp, sharers = ScoresByMatrix::threads / warpSize / groups;
/// Columns of a tile that a lane has sums of.
static constexpr int64_t columnsOfLane = accumulators / 2;

SharedRows ScoresByMatrix::queryRowsOf(int64_t heads, int64_t width) {
  return SharedRows::ofWidth(int64_t(llvm::alignTo(uint64_t(heads), MatrixTile::rows)), width);
}

bool ScoresByMatrix::fits(const Target &target, const Cache &cache, int64_t heads) {
  int64_t bytes = parts * queryRowsOf(heads, cache.width).bytes() + keyRowsOf(cache.width).bytes() + sharers * positionsAtOnce * 4;
  return target.hasMatrixUnits && cache.base.element.isBF16() && cache.width % chunkElements == 0 && bytes <= target.sharedBytes;
}

ScoresByMatrix::ScoresByMatrix(KernelFrame &frame, int64_t heads, int64_t width)
    : b(frame.b), heads(heads), width(width), queryRows(queryRowsOf(heads, width)), keyRows(keyRowsOf(width)),
      queries(frame.allocateShared(b.i8, parts * queryRows.bytes())), keys(frame.allocateShared(b.i8, keyRows.bytes())),
      partial(frame.allocateShared(b.f32, sharers * positionsAtOnce)) {}

/// Each part is what the parts before have left, rounded; zeros beyond heads and width.
void ScoresByMatrix::stageQueries(const Token &token) {
  int64_t ofRow = queryRows.chunks * chunkElements / 2;
  b.forThreads(b.integer(queryRows.rows * ofRow), threads, [&](Number i) {
    Number row = i / ofRow, column = i % ofRow * 2, isInside = (row < heads) & (column < width);
    Number two = b.computeIf(isInside, [&] { return (token.queries + (row * width + column)).load(2, 8); }, b.real(0).splat(2));
    Pointer place = queries.plusBytes(queryRows.place(row, b.integer(0))).as(b.bf16) + column;
    for (int64_t part = 0; part < parts; ++part) {
      place.plusBytes(b.integer(part * queryRows.bytes())).as(b.i32).store(packBf16(two));
      two = two - b.roundToBf16(two);
    }
  });
}

/// What a tile of heads adds to this lane's sums of positions, [tiles of positions, columns of the lane].
KernelBuilder::Numbers ScoresByMatrix::addRowTile(const Token &token, Number tile, ArrayRef<Number> before) {
  Pointer left = laneAddress(b, leftByRow, queryRows, queries.plusBytes(queryRows.place(tile * MatrixTile::rows, b.integer(0))));
  Pointer right = laneAddress(b, rightByColumn, keyRows, keys.plusBytes(keyRows.place(b.warp() % groups * ofWarp, b.integer(0))));
  KernelBuilder::Numbers zeros(2 * pairs * accumulators, b.real(0));
  KernelBuilder::Numbers products =
      b.forRange(b.integer(0), b.integer(queryRows.steps()), 1, zeros, [&](Number step, ArrayRef<Number> sums) {
        KernelBuilder::Numbers after(sums), columns;
        for (int64_t pair = 0; pair < pairs; ++pair)
          columns.append(loadMatrices(
              b, rightByColumn, right.plusBytes(step * (2 * chunkBytes) + pair * 2 * MatrixTile::columns * keyRows.stride())));
        for (int64_t part = 0; part < parts; ++part) {
          KernelBuilder::Numbers rows =
              loadMatrices(b, leftByRow, left.plusBytes(step * (2 * chunkBytes) + part * queryRows.bytes()));
          for (int64_t i = 0; i < 2 * pairs; ++i)
            multiplyAdd(b, rows, ArrayRef(columns).slice(i * rightRegisters, rightRegisters),
                        MutableArrayRef(after).slice(i * accumulators, accumulators));
        }
        return after;
      });
  KernelBuilder::Numbers sums(before);
  for (int64_t half = 0; half < 2; ++half) {
    Number head = tile * MatrixTile::rows + (b.lane() >> 2) + half * MatrixTile::rows / 2;
    Number weight = (token.weights + minimum(head, b.integer(heads - 1))).load(); // products of heads beyond are zero
    for (int64_t i = 0; i < int64_t(sums.size()); ++i) {
      Number product = products[i / columnsOfLane * accumulators + half * columnsOfLane + i % columnsOfLane];
      sums[i] = fma(weight, maximum(product, b.real(0)), sums[i]);
    }
  }
  return sums;
}

void ScoresByMatrix::score(const Token &token, Number first, Number stride, Number count, function_ref<Pointer(Number)> row,
                           function_ref<void(Number, Number)> store) {
  stageQueries(token);
  Number turns = (count - first + stride - 1) / stride;
  b.forRange(turns, [&](Number turn) {
    Number begin = first + turn * stride;
    beginCopy(b, threads, keyRows, keys, count - begin, b.integer(width / chunkElements),
              [&](Number i) { return row(minimum(begin + i, count - 1)); });
    finishCopies(b);
    b.barrier();
    KernelBuilder::Numbers zeros(2 * pairs * columnsOfLane, b.real(0));
    Number sharer = b.warp() / groups;
    KernelBuilder::Numbers sums = b.forRange(sharer, b.integer(queryRows.rows / MatrixTile::rows), sharers, zeros,
                                             [&](Number tile, ArrayRef<Number> before) { return addRowTile(token, tile, before); });
    for (auto [i, sum] : llvm::enumerate(sums)) {
      for (int64_t mask = 4; mask < warpSize; mask *= 2) // lanes that have other heads of the same columns
        sum = sum + b.shuffleXor(sum, mask);
      Number column = (b.lane() & b.integer(3)) * 2 + int64_t(i) / columnsOfLane * MatrixTile::columns + int64_t(i) % columnsOfLane;
      b.ifThen(b.lane() < 4,
               [&, sum = sum] { (partial + (sharer * positionsAtOnce + b.warp() % groups * ofWarp + column)).store(sum); });
    }
    b.barrier(); // also before keys are copied again
    Number position = begin + b.thread();
    b.ifThen((b.thread() < positionsAtOnce) & (position < count), [&] {
      Number total = (partial + b.thread()).load();
      for (int64_t other = 1; other < sharers; ++other)
        total = total + (partial + (b.thread() + other * positionsAtOnce)).load();
      store(position, total);
    });
  });
}
