// Keys and values of the heads, and attention to them.
#include "lowering/nvptx/attention/ExpandedByMatrix.h"

#include "lowering/plan/Schedule.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// Whether the largest steps are computed faster in this form when they are the last below `limit`: multiplications and additions
/// of a head, for its keys and values against those for every pair of a token and a position.
static bool savesWork(const LatentSizes &sizes, int64_t limit, int64_t tokensOfStep) {
  int64_t tokens = std::min(tokensOfStep, limit), past = limit - tokens, pairs = tokens * past + tokens * tokens / 2;
  int64_t savedOfPair = 2 * sizes.latent - sizes.nope - sizes.value;
  return past * sizes.latent * (sizes.nope + sizes.value) < pairs * savedOfPair;
}

/// Fewer warps for a tile of rows have less to exchange.
static std::optional<MatrixAttention::Shape> shapeFor(const Target &target, const LatentSizes &sizes, double scale, int64_t warps) {
  for (int64_t parts = 1; parts <= MatrixAttention::parts; parts *= 2) {
    MatrixAttention::Shape shape{
        .keyWidth = sizes.query, .valueWidth = sizes.value, .valuesAreKeys = false, .scale = scale, .parts = parts};
    if (MatrixAttention::fits(target, shape, warps / parts))
      return shape;
  }
  return {};
}

std::optional<ExpandedByMatrix> ExpandedByMatrix::create(KernelFrame &frame, const LatentOperands &operands,
                                                         const LatentSizes &sizes, double scale, int64_t warps) {
  auto models = frame.kernel->getParentOfType<ModuleOp>().getOps<plan::ModelOp>();
  std::optional<MatrixAttention::Shape> shape = shapeFor(frame.b.target, sizes, scale, warps);
  if (models.empty() || operands.listed || !shape)
    return {};
  Layout layout{.sequences = int64_t((*models.begin()).getMaxBatch()), .rowTiles = warps / shape->parts};

  int64_t bytesOfPosition = sizes.heads * (sizes.query + sizes.value) * bytesOf(frame.b.bf16), // of one sequence
      wanted = std::min(frame.mostCachedRows(operands.cache), mostPositions);
  layout.limit = std::min(wanted, mostBytes / bytesOfPosition / layout.sequences / pageSize * pageSize);
  if (layout.limit < wanted / 4 || !layout.limit || !savesWork(sizes, layout.limit, frame.mostRows)) // it would be code for little
    return {};

  auto bytes = [&](int64_t tiles) {
    return StagedProduct::bytesOf(tiles, warps / tiles, sizes.latent, StagedProduct::Stored::byColumn);
  };
  layout.productTiles = warps;
  while (layout.productTiles > 1 && bytes(layout.productTiles) > frame.b.target.sharedBytes)
    layout.productTiles /= 2;
  layout.productParts = warps / layout.productTiles;
  if (bytes(layout.productTiles) > frame.b.target.sharedBytes)
    return {};
  return ExpandedByMatrix(frame, operands, sizes, *shape, layout);
}

ExpandedByMatrix::ExpandedByMatrix(KernelFrame &frame, const LatentOperands &operands, const LatentSizes &sizes,
                                   const MatrixAttention::Shape &shape, const Layout &layout)
    : frame(frame), b(frame.b), operands(operands), sizes(sizes), shape(shape), layout(layout),
      keys(frame.allocateForStep(b.bf16, layout.sequences * sizes.heads * layout.limit * sizes.query)),
      values(frame.allocateForStep(b.bf16, layout.sequences * sizes.heads * layout.limit * sizes.value)) {}

/// New tokens are neighbours, so those below the limit are the first.
ExpandedByMatrix::Tokens ExpandedByMatrix::tokensOf(Number sequence) {
  Number first = (operands.batch.starts + sequence).loadIndex(), count = (operands.batch.starts + sequence + 1).loadIndex() - first;
  Number position = (operands.batch.positions + minimum(first, frame.tokens - 1)).loadIndex();
  return {first, position, maximum(minimum(count, b.integer(layout.limit) - position), b.integer(0))};
}

/// How many positions of a sequence have keys and values.
Number ExpandedByMatrix::positionsOf(Number sequence) {
  Tokens tokens = tokensOf(sequence);
  return select(tokens.count > 0, tokens.position + tokens.count, b.integer(0));
}

int64_t ExpandedByMatrix::piecesOf(int64_t columns) const {
  return llvm::divideCeil(columns, layout.productTiles * MatrixTile::rows);
}

/// A group's blocks take every so many-th of the pages that the step's sequences have.
void ExpandedByMatrix::make(Number block) {
  Number group = block / columnPieces(), piece = block % columnPieces(), head = piece / piecesOfHead(),
         inHead = piece % piecesOfHead();
  Number pages = b.forRange(b.integer(0), frame.sequences, 1, {b.integer(0)}, [&](Number sequence, ArrayRef<Number> before) {
    return KernelBuilder::Numbers{before[0] + pagesOf(positionsOf(sequence))};
  })[0];
  int64_t keyPieces = piecesOf(sizes.nope);
  b.ifThen(group < pages, [&] {
    b.ifThenElse(
        inHead < keyPieces,
        [&] { frame.alternative([&] { makeColumns(group, head, inHead, operands.keyUp, {keys, sizes.query}, sizes.nope); }); },
        [&] {
          frame.alternative(
              [&] { makeColumns(group, head, inHead - keyPieces, operands.valueUp, {values, sizes.value}, sizes.value); });
        });
  });
}

void ExpandedByMatrix::makeColumns(Number group, Number head, Number piece, const Weight &weight, const Rows &rows,
                                   int64_t columns) {
  StagedProduct product(frame, layout.productTiles, layout.productParts, sizes.latent, StagedProduct::Stored::byColumn);
  Number first = piece * product.columns(), count = b.integer(columns) - first;
  product.stageWeight(weight.storage(), b.integer(0), count, [&](Number row) { return weight.matrixRow(head, first + row); });
  b.forRange(b.integer(0), frame.sequences, 1, {group}, [&](Number sequence, ArrayRef<Number> before) {
    Number positions = positionsOf(sequence), pages = pagesOf(positions);
    Number after = b.repeatWhile(
        before, [&](ArrayRef<Number> page) { return page[0] < pages; },
        [&](ArrayRef<Number> page) {
          Number begin = page[0] * pageSize, inPage = minimum(positions - begin, b.integer(pageSize));
          Pointer cached = frame.cacheRow(operands.cache, operands.batch, sequence, begin),
                  made = rows.of(*this, sequence, head) + begin * rows.width;
          if (rows.width > columns)
            b.ifThen(piece == 0, [&] { copyRotary(cached, made, inPage); });
          product.multiplyRows(
              count, inPage, [&](Number row) { return cached + row * operands.cache.width; },
              [&](Number row, Number column, Number sum) { (made + (row * rows.width + (first + column))).storeF32(sum); });
          return KernelBuilder::Numbers{page[0] + groups()};
        })[0];
    return KernelBuilder::Numbers{after - pages};
  });
}

/// The rotary part of a key is the same for all heads; with it a key is one row.
void ExpandedByMatrix::copyRotary(Pointer cached, Pointer made, Number positions) {
  int64_t chunks = sizes.rotary / chunkElements, words = chunkBytes / bytesOf(b.i32);
  b.forThreads(positions * chunks, threads(), [&](Number i) {
    Number row = i / chunks, column = i % chunks * chunkElements;
    Number chunk = (cached + (row * operands.cache.width + sizes.latent + column)).as(b.i32).load(words, chunkBytes);
    (made + (row * sizes.query + sizes.nope + column)).as(b.i32).store(chunk, chunkBytes);
  });
}

/// A tile begins where a sequence's new tokens do, or at the end of the one before. The last come first: they have most to read.
void ExpandedByMatrix::attend(Number piece) {
  Number tile = (attentionPieces() - 1 - piece) / sizes.heads, head = piece % sizes.heads, zero = b.integer(0);
  const int64_t rowsOfTile = this->rowsOfTile();
  KernelBuilder::Numbers found =
      b.forRange(zero, frame.sequences, 1, {zero, zero, zero, zero, zero}, [&](Number sequence, ArrayRef<Number> before) {
        Tokens tokens = tokensOf(sequence);
        Number first = (tile - before[0]) * rowsOfTile, isHere = (tile >= before[0]) & (first < tokens.count);
        Number after = before[0] + (tokens.count + (rowsOfTile - 1)) / rowsOfTile;
        return KernelBuilder::Numbers{after, select(isHere, sequence, before[1]), select(isHere, tokens.first + first, before[2]),
                                      select(isHere, tokens.position + first, before[3]),
                                      select(isHere, minimum(tokens.count - first, b.integer(rowsOfTile)), before[4])};
      });
  Number sequence = found[1], token = found[2], position = found[3], count = found[4];

  MatrixAttention attention(frame, shape, layout.rowTiles);
  b.ifThen(count > 0, [&] {
    auto query = [&](Number row, Number column) {
      auto read = [&] {
        return packBf16((operands.query + ((token + row) * sizes.heads + head) * sizes.query + column).load(2, 8));
      };
      return b.computeIf(row < count, read, b.integer32(0));
    };
    auto visible = [&](Number row) { return MatrixAttention::Visible{{}, position + row}; };
    Pointer firstKey = Rows{keys, sizes.query}.of(*this, sequence, head),
            firstValue = Rows{values, sizes.value}.of(*this, sequence, head);
    auto key = [&](Number at) { return firstKey + at * sizes.query; };
    auto value = [&](Number at) { return firstValue + at * sizes.value; };
    auto store = [&](Number row, Number column, Number two, Number sum) {
      b.ifThen(row < count, [&] {
        (operands.result + (((token + row) * sizes.heads + head) * sizes.value + column))
            .store(two * (b.real(1) / sum).splat(2), 8);
      });
    };
    attention.attend(zero, position + count, {query, visible}, {sizes.query, key}, {sizes.value, value}, {store});
  });
}
