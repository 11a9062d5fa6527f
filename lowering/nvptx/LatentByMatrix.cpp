// The three stages of latent attention.
#include "lowering/nvptx/LatentByMatrix.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// Positions of the shortest span. Twice as many blocks would double what they leave for each other to add up; this keeps it at a
/// few hundredths of what they read.
static constexpr int64_t shortestSpan = 512;
/// Tiles of 16 heads of a block: more do not fit its registers.
static constexpr int64_t mostRowTiles = 2;
static constexpr int64_t parts = MatrixAttention::parts;
/// Warps of a block that share columns of a value projection: the others take further columns.
static constexpr int64_t valueParts = 2, valueTiles = parts / valueParts;

QueryTile LatentByMatrix::tileOf(const LatentSizes &sizes) { return QueryTile::of(sizes.heads, mostRowTiles); }

MatrixAttention::Shape LatentByMatrix::shapeOf(const LatentSizes &sizes, double scale) {
  return {.keyWidth = sizes.latent + sizes.rotary, .valueWidth = sizes.latent, .valuesAreKeys = true, .scale = scale};
}

bool LatentByMatrix::fits(const Target &target, const LatentSizes &sizes) {
  constexpr int64_t reserve = 1 << 10;
  int64_t rowTiles = tileOf(sizes).rowTiles;
  int64_t product =
      std::max(StagedProduct::bytesOf(rowTiles * parts, 1, sizes.nope, StagedProduct::Stored::byDepth),
               StagedProduct::bytesOf(rowTiles * valueTiles, valueParts, sizes.latent, StagedProduct::Stored::byColumn));
  return target.hasMatrixUnits && sizes.nope % 2 == 0 && sizes.rotary % 2 == 0 && product + reserve <= target.sharedBytes &&
         MatrixAttention::fits(target, shapeOf(sizes, 1), rowTiles);
}

LatentByMatrix::LatentByMatrix(KernelFrame &frame, const LatentOperands &operands, const LatentSizes &sizes, double scale,
                               int64_t spans)
    : frame(frame), b(frame.b), operands(operands), sizes(sizes), scale(scale), tile(tileOf(sizes)),
      width(sizes.latent + sizes.rotary), order(frame, stageCount),
      latentQueries(frame.allocateForRows(b.bf16, sizes.heads * width)),
      sums(frame, {.shortest = shortestSpan, .most = spans}, sizes.heads, sizes.latent) {}

/// q_nope W_UK of a head, for some columns of the latent; the first piece of a head also takes the query's rotary part along.
void LatentByMatrix::projectQueries(Number piece) {
  StagedProduct product(frame, tile.rowTiles * parts, 1, sizes.nope, StagedProduct::Stored::byDepth);
  int64_t piecesOfHead = llvm::divideCeil(sizes.latent, product.columns());
  Number head = piece / piecesOfHead, first = piece % piecesOfHead * product.columns();
  Pointer weight = operands.keyUp.row(head);
  product.stageWeight(b.integer(sizes.latent) - first, [&](Number row) { return weight + (row * sizes.latent + first); });
  auto query = [&](Number token) { return operands.query + (token * sizes.heads + head) * sizes.query; };
  b.ifThen(first == 0, [&] {
    b.forThreads(frame.tokens * (sizes.rotary / 2), MatrixAttention::threadsOf(tile.rowTiles), [&](Number i) {
      Number token = i / (sizes.rotary / 2), column = i % (sizes.rotary / 2) * 2;
      Number two = packBf16((query(token) + sizes.nope + column).load(2, 8));
      (queryRow(token, head) + sizes.latent + column).as(b.i32).store(two);
    });
  });
  product.multiply(
      b.integer(sizes.latent) - first, frame.tokens,
      [&](Number token, Number column) { return packBf16((query(token) + column).load(2, 8)); },
      [&](Number token, Number column, Number sum) { (queryRow(token, head) + (first + column)).storeF32(sum); });
}

void LatentByMatrix::attend(Number piece) {
  int64_t ofToken = tile.groups * sums.spans.most;
  Number token = piece / ofToken, group = piece % ofToken / sums.spans.most, span = piece % sums.spans.most;
  attendTo(token, group, span);
}

void LatentByMatrix::attendTo(Number token, Number group, Number span) {
  const Batch &batch = operands.batch;
  auto load = [&](Pointer from, Number index) { return (from + index).load().toInteger(b.i64); };
  Number sequence = load(batch.tokenSequence, token), position = load(batch.positions, token);
  Number length = sums.lengthAt(position), begin = span * length, tokens = b.integer(1), isFirst = begin <= position;
  if (tile.tokens > 1) {
    Number inTile = position % tile.tokens;
    tokens = minimum(b.integer(tile.tokens) - inTile, load(batch.starts, sequence + 1) - token);
    isFirst = isFirst & ((inTile == 0) | (load(batch.starts, sequence) == token));
  }
  MatrixAttention attention(frame, shapeOf(sizes, scale), tile.rowTiles);
  b.ifThen(isFirst, [&] {
    Number end = minimum(begin + length, position + tokens);
    auto headOf = [&](Number row) { return group * tile.heads + tile.headOf(row); };
    auto ifTaken = [&](Number row, llvm::function_ref<void(Number, Number)> body) {
      Number ofTile = tile.tokenOf(row), head = headOf(row);
      b.ifThen((ofTile < tokens) & (head < sizes.heads), [&] { body(token + ofTile, head); });
    };
    auto cacheRow = [&](Number place) { return frame.cacheRow(operands.cache, batch, sequence, place); };
    MatrixAttention::Cache cache{operands.cache.width, cacheRow};
    attention.attend(begin, end,
                     {.query =
                          [&](Number row, Number column) {
                            Number ofTile = tile.tokenOf(row), head = headOf(row);
                            return b.computeIf((ofTile < tokens) & (head < sizes.heads),
                                               [&] { return (queryRow(token + ofTile, head) + column).as(b.i32).load(); },
                                               b.integer32(0));
                          },
                      .visible = [&](Number row) { return MatrixAttention::Visible{{}, position + tile.tokenOf(row)}; }},
                     cache, cache,
                     {.context =
                          [&](Number row, Number column, Number two) {
                            ifTaken(row, [&](Number of, Number head) { sums.storeContext(of, span, head, column, two); });
                          },
                      .weights =
                          [&](Number row, Number largest, Number sum) {
                            ifTaken(row, [&](Number of, Number head) { sums.storeWeights(of, span, head, largest, sum); });
                          }});
  });
}

/// W_UV c of a head, for some columns of its value; the weight is on its way while the spans are being attended to.
void LatentByMatrix::projectValues(Number piece) {
  StagedProduct product(frame, tile.rowTiles * valueTiles, valueParts, sizes.latent, StagedProduct::Stored::byColumn);
  Pointer factors = frame.allocateShared(b.f32, StagedProduct::rowsAtOnce * sums.spans.most);
  int64_t piecesOfHead = llvm::divideCeil(sizes.value, product.columns());
  Number head = piece / piecesOfHead, first = piece % piecesOfHead * product.columns();
  Pointer weight = operands.valueUp.row(head) + first * sizes.latent;
  Number count = b.integer(sizes.value) - first;
  product.stageWeight(count, [&](Number row) { return weight + row * sizes.latent; });
  order.waitFor(attention, frame.tokens * (tile.groups * sums.spans.most));
  auto lastSpan = [&](Number token) {
    Number position = (operands.batch.positions + token).load().toInteger(b.i64);
    return position / sums.lengthAt(position);
  };
  auto factorsOf = [&](Number token) { return factors + token % StagedProduct::rowsAtOnce * sums.spans.most; };
  product.multiply(
      count, frame.tokens,
      [&](Number token, Number column) {
        return packBf16(sums.contextOf(token, b.integer(0), lastSpan(token), head, column, factorsOf(token)));
      },
      [&](Number token, Number column, Number sum) {
        (operands.result + (token * sizes.heads + head) * sizes.value + (first + column)).store(sum);
      },
      [&](Number firstToken) {
        Number token = firstToken + b.thread();
        b.ifThen((b.thread() < StagedProduct::rowsAtOnce) & (token < frame.tokens),
                 [&] { sums.storeFactors(token, b.integer(0), lastSpan(token), head, factorsOf(token)); });
      });
}

void LatentByMatrix::emit() {
  int64_t queryPieces = sizes.heads * llvm::divideCeil(sizes.latent, tile.rowTiles * parts * MatrixTile::rows),
          valuePieces = sizes.heads * llvm::divideCeil(sizes.value, tile.rows() * valueTiles),
          ofToken = tile.groups * sums.spans.most;
  LaunchDimension grid = frame.perRow(1, ofToken);
  grid.addend = queryPieces + valuePieces;
  frame.launch(MatrixAttention::threadsOf(tile.rowTiles), {grid});

  Number piece = order.piece(), attentionPieces = frame.tokens * ofToken;
  b.ifThenElse(
      piece < queryPieces,
      [&] {
        frame.alternative([&] { projectQueries(piece); });
        order.finish(queries);
      },
      [&] {
        Number ofRest = piece - queryPieces;
        b.ifThenElse(
            ofRest < attentionPieces,
            [&] {
              order.waitFor(queries, b.integer(queryPieces));
              frame.alternative([&] { attend(ofRest); });
              order.finish(attention);
            },
            [&] {
              frame.alternative([&] { projectValues(ofRest - attentionPieces); });
              order.finishLast(b.integer(valuePieces));
            });
      });
}
