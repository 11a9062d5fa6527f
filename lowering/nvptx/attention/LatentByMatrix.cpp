// The three stages of latent attention, and which tokens have another form of the first two.
#include "lowering/nvptx/attention/LatentByMatrix.h"

#include "lowering/nvptx/attention/SpanCost.h"

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

/// Shared memory of a value projection, to which the factors of spans come.
static int64_t bytesOfValueProduct(const LatentSizes &sizes, int64_t rowTiles) {
  return StagedProduct::bytesOf(rowTiles * valueTiles, valueParts, sizes.latent, StagedProduct::Stored::byColumn);
}
static constexpr int64_t bytesOfFactors = StagedProduct::rowsAtOnce * int64_t(sizeof(float)); ///< of a span

/// The most spans of a token.
static int64_t spansOf(const KernelFrame &frame, const LatentOperands &operands, const LatentSizes &sizes) {
  const QueryTile tile = SpanAttention::tileOf(headsOf(sizes));
  const SpanSizes spans{.blocks = tile.groups,
                        .bytesOfRow = operands.cache.width * bytesOf(frame.b.bf16),
                        .bytesOfSums = SpanSums::bytesOf(sizes.heads, sizes.latent),
                        .mostSpans = (frame.b.target.sharedBytes - bytesOfValueProduct(sizes, tile.rowTiles)) / bytesOfFactors};
  return chooseMostSpans(frame, spans, shortestSpan, operands.cache,
                         operands.listed ? std::optional(operands.listed) : std::nullopt);
}

bool LatentByMatrix::fits(const Target &target, const LatentOperands &operands, const LatentSizes &sizes) {
  constexpr int64_t reserve = 16 * bytesOfFactors;
  int64_t rowTiles = SpanAttention::tileOf(headsOf(sizes)).rowTiles;
  int64_t product = std::max(StagedProduct::bytesOf(rowTiles * parts, 1, sizes.nope, StagedProduct::Stored::byDepth),
                             bytesOfValueProduct(sizes, rowTiles) + reserve);
  return target.hasMatrixUnits && StagedProduct::covers(operands.keyUp.storage()) &&
         StagedProduct::covers(operands.valueUp.storage()) && sizes.nope % 2 == 0 && sizes.rotary % 2 == 0 &&
         product <= target.sharedBytes && MatrixAttention::fits(target, shapeOf(operands, sizes, 1), rowTiles);
}

LatentByMatrix::LatentByMatrix(KernelFrame &frame, const LatentOperands &operands, const LatentSizes &sizes, double scale,
                               Forms forms)
    : frame(frame), b(frame.b), operands(operands), sizes(sizes), rowTiles(SpanAttention::tileOf(headsOf(sizes)).rowTiles),
      width(sizes.latent + sizes.rotary), order(frame, stageCount),
      expanded(forms.mayExpand ? ExpandedByMatrix::create(frame, operands, sizes, scale, rowTiles * parts) : std::nullopt),
      latentQueries(frame.allocateForRows(b.bf16, sizes.heads * width)),
      lists(operands.listed ? std::optional<PositionLists>({b, operands.positions, operands.listed}) : std::nullopt),
      lengths(lists ? frame.allocateForRows(b.i32, 1) : Pointer()),
      sums(frame, Spans::forList(shortestSpan, forms.cutsSpans ? spansOf(frame, operands, sizes) : 1, operands.listed), sizes.heads,
           sizes.latent),
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
    return (lengths + token).loadIndex() - 1;
  return (operands.batch.positions + token).loadIndex();
}

LatentByMatrix::Tokens LatentByMatrix::tokensOf(Number group) {
  Number first = group * tokensOfPiece, count = minimum(frame.tokens - first, b.integer(tokensOfPiece));
  if (!expanded)
    return {first, count};
  static_assert(tokensOfPiece == 2 * warpSize);
  auto half = [&](int64_t begin) {
    Number inPiece = b.lane() + begin, token = first + minimum(inPiece, count - 1);
    return b.ballot((inPiece < count) & expanded->leaves(token)).toUnsigned(b.i64);
  };
  return {first, count, half(0) | half(warpSize) << warpSize};
}

Number LatentByMatrix::isAbsorbed(const Tokens &tokens, Number inPiece) {
  return ((tokens.absorbed >> inPiece) & b.integer(1)) != 0;
}

/// Does what `body` emits if one of the tokens is computed over the latents, else what `otherwise` does.
void LatentByMatrix::ifAbsorbed(const Tokens &tokens, function_ref<void()> body, function_ref<void()> otherwise) {
  expanded ? b.ifThenElse(tokens.absorbed != 0, body, otherwise) : body();
}

int64_t LatentByMatrix::queryPieces() const {
  return sizes.heads * llvm::divideCeil(sizes.latent, rowTiles * parts * MatrixTile::rows);
}

int64_t LatentByMatrix::valuePieces() const {
  return sizes.heads * llvm::divideCeil(sizes.value, rowTiles * valueTiles * MatrixTile::rows);
}

/// q_nope W_UK of a head, for some columns of the latent; the first piece of a head also takes the query's rotary part along.
void LatentByMatrix::projectQueries(Number piece, const Tokens &tokens) {
  StagedProduct product(frame, rowTiles * parts, 1, sizes.nope, StagedProduct::Stored::byDepth);
  int64_t piecesOfHead = queryPieces() / sizes.heads;
  Number head = piece / piecesOfHead, first = piece % piecesOfHead * product.columns();
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

/// W_UV c of a head, for some columns of its value and tokens of a group; the weight is on its way while the spans are being
/// attended to.
void LatentByMatrix::projectValues(Number piece, const Tokens &tokens, function_ref<void()> waitForAttention) {
  StagedProduct product(frame, rowTiles * valueTiles, valueParts, sizes.latent, StagedProduct::Stored::byColumn);
  Pointer factors = frame.allocateShared(b.f32, StagedProduct::rowsAtOnce * sums.count());
  int64_t piecesOfHead = valuePieces() / sizes.heads;
  Number head = piece / piecesOfHead, first = piece % piecesOfHead * product.columns();
  Number count = b.integer(sizes.value) - first;
  product.stageWeight(operands.valueUp.storage(), b.integer(0), count,
                      [&](Number row) { return operands.valueUp.matrixRow(head, first + row); });
  waitForAttention();
  // What is expanded left no spans: it is computed as the last that did, and not stored.
  auto tokenOf = [&](Number inPiece) {
    if (expanded)
      inPiece = select(isAbsorbed(tokens, inPiece), inPiece, bitLength(tokens.absorbed) - 1);
    return tokens.first + inPiece;
  };
  auto spansOf = [&](Number token) { return sums.rangeOf(0, b.integer(0), lastOf(token)); };
  auto factorsOf = [&](Number inPiece) { return factors + inPiece % StagedProduct::rowsAtOnce * sums.count(); };
  product.multiply(
      count, tokens.count,
      [&](Number inPiece, Number column) {
        Number token = tokenOf(inPiece);
        return packBf16(sums.contextOf(token, spansOf(token), head, column, factorsOf(inPiece)));
      },
      [&](Number inPiece, Number column, Number sum) {
        auto store = [&] {
          (operands.result + ((tokens.first + inPiece) * sizes.heads + head) * sizes.value + (first + column)).store(sum);
        };
        expanded ? b.ifThen(isAbsorbed(tokens, inPiece), store) : store();
      },
      [&](Number firstInPiece) {
        Number inPiece = firstInPiece + b.thread();
        b.ifThen((b.thread() < StagedProduct::rowsAtOnce) & (inPiece < tokens.count), [&] {
          Number token = tokenOf(inPiece);
          sums.storeFactors(token, spansOf(token), head, factorsOf(inPiece));
        });
      });
}

void LatentByMatrix::emit() {
  const int64_t ofToken = spans.piecesOfToken();
  int64_t ofGroup = queryPieces() + valuePieces(), more = 0;
  if (expanded) {
    static_assert(tokensOfPiece == pageSize);
    ofGroup += expanded->mostPiecesOfPage();
    more = expanded->mostPieces();
  }
  // A few blocks more than there are pieces: of projections there is a whole number of pieces for every token.
  LaunchDimension grid = frame.perRow(1, ofToken + int64_t(llvm::divideCeil(ofGroup, tokensOfPiece)));
  grid.addend = ofGroup + more;
  frame.launch(spans.threads(), {grid});

  Number groups = (frame.tokens + (tokensOfPiece - 1)) / tokensOfPiece, projectedValues = groups * valuePieces();
  Number made = expanded ? expanded->makingBlocks() : b.integer(0), prepared = made + groups * queryPieces();
  Number attendedExpanded = expanded ? expanded->attentionPieces() : b.integer(0),
         attended = attendedExpanded + frame.tokens * ofToken;
  auto prepare = [&](Number piece) {
    auto project = [&] {
      Number own = piece - made;
      if (lists)
        b.ifThen(own == 0, [&] { storeLengths(); });
      Tokens tokens = tokensOf(own / queryPieces());
      ifAbsorbed(tokens, [&] { frame.alternative([&] { projectQueries(own % queryPieces(), tokens); }); }, [] {});
    };
    expanded ? b.ifThenElse(piece < made, [&] { expanded->make(piece); }, project) : project();
    order.finish(queries);
  };
  auto attend = [&](Number piece) {
    auto attendToLatents = [&] {
      Number own = piece - attendedExpanded;
      auto attendToThem = [&] { frame.alternative([&] { this->attend(own); }); };
      expanded ? b.ifThen(expanded->leaves(own / ofToken), attendToThem) : attendToThem();
    };
    auto attendToHeads = [&] {
      frame.alternative([&] { expanded->attend(piece); });
      b.barrier();
    };
    order.waitFor(queries, prepared);
    expanded ? b.ifThenElse(piece < attendedExpanded, attendToHeads, attendToLatents) : attendToLatents();
    order.finishBehindBarrier(attention);
  };
  auto project = [&](Number piece) {
    auto waitForAttention = [&] { order.waitFor(attention, attended); };
    Tokens tokens = tokensOf(piece / valuePieces());
    ifAbsorbed(
        tokens, [&] { frame.alternative([&] { projectValues(piece % valuePieces(), tokens, waitForAttention); }); },
        waitForAttention);
    order.finishLast(projectedValues);
  };
  Number piece = order.piece(), ofRest = piece - prepared;
  b.ifThenElse(
      piece < prepared, [&] { prepare(piece); },
      [&] {
        b.ifThenElse(
            ofRest < attended, [&] { attend(ofRest); },
            [&] { b.ifThen(ofRest - attended < projectedValues, [&] { project(ofRest - attended); }); });
      });
}
