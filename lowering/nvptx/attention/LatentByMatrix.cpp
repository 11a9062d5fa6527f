// The three stages of latent attention.
#include "lowering/nvptx/attention/LatentByMatrix.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
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

/// Tokens of a projection's piece: few enough that a prompt has pieces for a whole GPU, enough to be worth its weights.
static constexpr int64_t tokensOfPiece = 4 * StagedProduct::rowsAtOnce;

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
  return target.hasMatrixUnits && StagedProduct::covers(operands.keyUp.storage()) &&
         StagedProduct::covers(operands.valueUp.storage()) && sizes.nope % 2 == 0 && sizes.rotary % 2 == 0 &&
         product + reserve <= target.sharedBytes && MatrixAttention::fits(target, shapeOf(operands, sizes, 1), rowTiles);
}

LatentByMatrix::LatentByMatrix(KernelFrame &frame, const LatentOperands &operands, const LatentSizes &sizes, double scale,
                               int64_t mostSpans)
    : frame(frame), b(frame.b), operands(operands), sizes(sizes), rowTiles(SpanAttention::tileOf(headsOf(sizes)).rowTiles),
      width(sizes.latent + sizes.rotary), order(frame, stageCount),
      latentQueries(frame.allocateForRows(b.bf16, sizes.heads * width)),
      lists(operands.listed ? std::optional<PositionLists>({b, operands.positions, operands.listed}) : std::nullopt),
      lengths(lists ? frame.allocateForRows(b.i32, 1) : Pointer()),
      sums(frame, Spans::forList(shortestSpan, mostSpans, operands.listed), sizes.heads, sizes.latent),
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

LatentByMatrix::Tokens LatentByMatrix::tokensOf(Number group) {
  Number first = group * tokensOfPiece;
  return {first, minimum(frame.tokens - first, b.integer(tokensOfPiece))};
}

int64_t LatentByMatrix::queryPieces() const {
  return sizes.heads * llvm::divideCeil(sizes.latent, rowTiles * parts * MatrixTile::rows);
}

int64_t LatentByMatrix::valuePieces() const {
  return sizes.heads * llvm::divideCeil(sizes.value, rowTiles * valueTiles * MatrixTile::rows);
}

/// q_nope W_UK of a head, for some columns of the latent; the first piece of a head also takes the query's rotary part along.
void LatentByMatrix::projectQueries(Number piece) {
  StagedProduct product(frame, rowTiles * parts, 1, sizes.nope, StagedProduct::Stored::byDepth);
  int64_t piecesOfHead = queryPieces() / sizes.heads;
  Tokens tokens = tokensOf(piece / queryPieces());
  Number head = piece % queryPieces() / piecesOfHead, first = piece % piecesOfHead * product.columns();
  product.stageWeight(operands.keyUp.storage(), first, b.integer(sizes.latent) - first,
                      [&](Number row) { return operands.keyUp.matrixRow(head, row); });
  auto query = [&](Number token) { return operands.query + ((tokens.first + token) * sizes.heads + head) * sizes.query; };
  auto latentQuery = [&](Number token) { return queryRow(tokens.first + token, head); };
  b.ifThen(first == 0, [&] {
    b.forThreads(tokens.count * (sizes.rotary / 2), spans.threads(), [&](Number i) {
      Number token = i / (sizes.rotary / 2), column = i % (sizes.rotary / 2) * 2;
      Number two = packBf16((query(token) + sizes.nope + column).load(2, 8));
      (latentQuery(token) + sizes.latent + column).as(b.i32).store(two);
    });
  });
  product.multiply(
      b.integer(sizes.latent) - first, tokens.count,
      [&](Number token, Number column) { return packBf16((query(token) + column).load(2, 8)); },
      [&](Number token, Number column, Number sum) { (latentQuery(token) + (first + column)).storeF32(sum); });
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
  spans.attend(piece, b.number(arith::ConstantIntOp::create(b, 0, 1)), inputs);
}

/// W_UV c of a head, for some columns of its value; the weight is on its way while the spans are being attended to.
void LatentByMatrix::projectValues(Number piece) {
  StagedProduct product(frame, rowTiles * valueTiles, valueParts, sizes.latent, StagedProduct::Stored::byColumn);
  Pointer factors = frame.allocateShared(b.f32, StagedProduct::rowsAtOnce * sums.count());
  int64_t piecesOfHead = valuePieces() / sizes.heads;
  Tokens tokens = tokensOf(piece / valuePieces());
  Number head = piece % valuePieces() / piecesOfHead, first = piece % piecesOfHead * product.columns();
  Number count = b.integer(sizes.value) - first;
  product.stageWeight(operands.valueUp.storage(), b.integer(0), count,
                      [&](Number row) { return operands.valueUp.matrixRow(head, first + row); });
  order.waitFor(attention, frame.tokens * spans.piecesOfToken());
  auto spansOf = [&](Number token) { return sums.rangeOf(0, b.integer(0), lastOf(token)); };
  auto factorsOf = [&](Number token) { return factors + token % StagedProduct::rowsAtOnce * sums.count(); };
  product.multiply(
      count, tokens.count,
      [&](Number inPiece, Number column) {
        Number token = tokens.first + inPiece;
        return packBf16(sums.contextOf(token, spansOf(token), head, column, factorsOf(token)));
      },
      [&](Number inPiece, Number column, Number sum) {
        (operands.result + ((tokens.first + inPiece) * sizes.heads + head) * sizes.value + (first + column)).store(sum);
      },
      [&](Number firstInPiece) {
        Number inPiece = firstInPiece + b.thread(), token = tokens.first + inPiece;
        b.ifThen((b.thread() < StagedProduct::rowsAtOnce) & (inPiece < tokens.count),
                 [&] { sums.storeFactors(token, spansOf(token), head, factorsOf(token)); });
      });
}

void LatentByMatrix::emit() {
  const int64_t ofGroup = queryPieces() + valuePieces(), ofToken = spans.piecesOfToken();
  // A few blocks more than there are pieces: of projections there is a whole number of pieces for every token.
  LaunchDimension grid = frame.perRow(1, ofToken + int64_t(llvm::divideCeil(ofGroup, tokensOfPiece)));
  grid.addend = ofGroup;
  frame.launch(spans.threads(), {grid});

  Number groups = (frame.tokens + (tokensOfPiece - 1)) / tokensOfPiece, projectedQueries = groups * queryPieces(),
         attended = frame.tokens * ofToken, projectedValues = groups * valuePieces();
  Number piece = order.piece(), ofRest = piece - projectedQueries;
  b.ifThenElse(
      piece < projectedQueries,
      [&] {
        if (lists)
          b.ifThen(piece == 0, [&] { storeLengths(); });
        frame.alternative([&] { projectQueries(piece); });
        order.finish(queries);
      },
      [&] {
        b.ifThenElse(
            ofRest < attended,
            [&] {
              order.waitFor(queries, projectedQueries);
              frame.alternative([&] { attend(ofRest); });
              order.finishBehindBarrier(attention);
            },
            [&] {
              b.ifThen(ofRest - attended < projectedValues, [&] {
                frame.alternative([&] { projectValues(ofRest - attended); });
                order.finishLast(projectedValues);
              });
            });
      });
}
