// The three stages of latent attention.
#include "lowering/nvptx/LatentByMatrix.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// Positions of the shortest span. Twice as many blocks would double what they leave for each other to add up; this keeps it at a
/// few hundredths of what they read.
static constexpr int64_t shortestSpan = 512;
static constexpr int64_t parts = MatrixAttention::parts;
/// Warps of a block that share columns of a value projection: the others take further columns.
static constexpr int64_t valueParts = 2, valueTiles = parts / valueParts;

/// All heads attend to the same rows, of which the values are a part.
static SpanAttention::Heads headsOf(const LatentSizes &sizes) { return {.ofKeys = 1, .ofGroup = sizes.heads}; }

static MatrixAttention::Shape shapeOf(const LatentOperands &operands, const LatentSizes &sizes, double scale) {
  return {.keyWidth = sizes.latent + sizes.rotary,
          .valueWidth = sizes.latent,
          .valuesAreKeys = true,
          .scale = scale,
          .isGathered = operands.listed != 0};
}

bool LatentByMatrix::fits(const Target &target, const LatentOperands &operands, const LatentSizes &sizes) {
  constexpr int64_t reserve = 2 << 10; // for factors of spans
  using enum StagedProduct::Stored;
  int64_t rowTiles = SpanAttention::tileOf(headsOf(sizes)).rowTiles;
  int64_t product = std::max(StagedProduct::bytesOf(rowTiles * parts, 1, sizes.nope, byDepth),
                             StagedProduct::bytesOf(rowTiles * valueTiles, valueParts, sizes.latent, byColumn));
  return target.hasMatrixUnits && sizes.nope % 2 == 0 && sizes.rotary % 2 == 0 && product + reserve <= target.sharedBytes &&
         MatrixAttention::fits(target, shapeOf(operands, sizes, 1), rowTiles);
}

LatentByMatrix::LatentByMatrix(KernelFrame &frame, const LatentOperands &operands, const LatentSizes &sizes, double scale,
                               int64_t mostSpans)
    : frame(frame), b(frame.b), operands(operands), sizes(sizes), rowTiles(SpanAttention::tileOf(headsOf(sizes)).rowTiles),
      width(sizes.latent + sizes.rotary), order(frame, stageCount),
      latentQueries(frame.allocateForRows(b.bf16, sizes.heads * width)),
      lists(operands.listed ? std::optional<PositionLists>({b, operands.positions, operands.listed}) : std::nullopt),
      lengths(lists ? frame.allocateForRows(b.i32, 1) : Pointer()),
      sums(frame, {.shortest = shortestSpan, .most = mostSpans}, sizes.heads, sizes.latent),
      spans(frame, operands.batch, headsOf(sizes), shapeOf(operands, sizes, scale), sums) {}

/// For those who are to know the lists' lengths one by one.
void LatentByMatrix::storeLengths() {
  b.forRange(b.warp(), frame.tokens, spans.threads() / warpSize, [&](Number token) {
    Number length = lists->lengthOf(token).toInteger(b.i32);
    b.ifThen(b.lane() == 0, [&] { (lengths + token).store(length); });
  });
}

/// The last of the positions that a token attends to, or the number of it in the token's list.
Number LatentByMatrix::lastOf(Number token) {
  if (lists)
    return (lengths + token).load().toInteger(b.i64) - 1;
  return (operands.batch.positions + token).load().toInteger(b.i64);
}

/// q_nope W_UK of a head, for some columns of the latent; the first piece of a head also takes the query's rotary part along.
void LatentByMatrix::projectQueries(Number piece) {
  StagedProduct product(frame, rowTiles * parts, 1, sizes.nope, StagedProduct::Stored::byDepth);
  int64_t piecesOfHead = llvm::divideCeil(sizes.latent, product.columns());
  Number head = piece / piecesOfHead, first = piece % piecesOfHead * product.columns();
  Pointer weight = operands.keyUp.row(head);
  product.stageWeight(b.integer(sizes.latent) - first, [&](Number row) { return weight + (row * sizes.latent + first); });
  auto query = [&](Number token) { return operands.query + (token * sizes.heads + head) * sizes.query; };
  b.ifThen(first == 0, [&] {
    b.forThreads(frame.tokens * (sizes.rotary / 2), spans.threads(), [&](Number i) {
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
  auto query = [&](Number token, Number head, Number column) { return (queryRow(token, head) + column).as(b.i32).load(); };
  auto row = [&](const SpanAttention::Reader &reader, Number position) {
    return frame.cacheRow(operands.cache, operands.batch, reader.sequence, lists ? lists->at(reader.token, position) : position);
  };
  auto last = [&](Number token) { return lastOf(token); };
  SpanAttention::Source cache{operands.cache.width, row};
  SpanAttention::Inputs inputs{query, cache, cache};
  if (lists)
    inputs.lastGathered = last;
  spans.attend(piece, inputs);
}

/// W_UV c of a head, for some columns of its value; the weight is on its way while the spans are being attended to.
void LatentByMatrix::projectValues(Number piece) {
  StagedProduct product(frame, rowTiles * valueTiles, valueParts, sizes.latent, StagedProduct::Stored::byColumn);
  Pointer factors = frame.allocateShared(b.f32, StagedProduct::rowsAtOnce * sums.count);
  int64_t piecesOfHead = llvm::divideCeil(sizes.value, product.columns());
  Number head = piece / piecesOfHead, first = piece % piecesOfHead * product.columns();
  Pointer weight = operands.valueUp.row(head) + first * sizes.latent;
  Number count = b.integer(sizes.value) - first;
  product.stageWeight(count, [&](Number row) { return weight + row * sizes.latent; });
  order.waitFor(attention, frame.tokens * spans.piecesOfToken());
  auto spansOf = [&](Number token) { return sums.rangeOf(0, b.integer(0), lastOf(token)); };
  auto factorsOf = [&](Number token) { return factors + token % StagedProduct::rowsAtOnce * sums.count; };
  product.multiply(
      count, frame.tokens,
      [&](Number token, Number column) { return packBf16(sums.contextOf(token, spansOf(token), head, column, factorsOf(token))); },
      [&](Number token, Number column, Number sum) {
        (operands.result + (token * sizes.heads + head) * sizes.value + (first + column)).store(sum);
      },
      [&](Number firstToken) {
        Number token = firstToken + b.thread();
        b.ifThen((b.thread() < StagedProduct::rowsAtOnce) & (token < frame.tokens),
                 [&] { sums.storeFactors(token, spansOf(token), head, factorsOf(token)); });
      });
}

void LatentByMatrix::emit() {
  int64_t queryPieces = sizes.heads * llvm::divideCeil(sizes.latent, rowTiles * parts * MatrixTile::rows),
          valuePieces = sizes.heads * llvm::divideCeil(sizes.value, rowTiles * valueTiles * MatrixTile::rows),
          ofToken = spans.piecesOfToken();
  LaunchDimension grid = frame.perRow(1, ofToken);
  grid.addend = queryPieces + valuePieces;
  frame.launch(spans.threads(), {grid});

  Number piece = order.piece(), attentionPieces = frame.tokens * ofToken;
  b.ifThenElse(
      piece < queryPieces,
      [&] {
        if (lists)
          b.ifThen(piece == 0, [&] { storeLengths(); });
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
