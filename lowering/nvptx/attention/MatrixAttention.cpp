// Stages of cp.async, scores, the online softmax in registers, and the weighted sum of values.
#include "lowering/nvptx/attention/MatrixAttention.h"

#include "lowering/kernel/Functions.h"
#include "lowering/plan/Schedule.h"

#include "llvm/Support/MathExtras.h"

#include <limits>
#include <numbers>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr int64_t tileColumns = MatrixTile::columns, depth = MatrixTile::depth;

/// Where a warp has its rows to itself, it sums all of the depth.
static int64_t partialScoresOf(const MatrixAttention::Shape &shape, int64_t rowTiles, int64_t positions) {
  return shape.parts > 1 ? shape.parts * rowTiles * positions * MatrixTile::rows : 0;
}

int64_t MatrixAttention::bytesOf(const Shape &shape, int64_t rowTiles, int64_t positions) {
  int64_t stage = SharedRows::ofWidth(positions, shape.keyWidth).bytes() +
                  (shape.valuesAreKeys ? 0 : SharedRows::ofWidth(positions, shape.valueWidth).bytes());
  int64_t queries = SharedRows::ofWidth(rowTiles * MatrixTile::rows, shape.keyWidth).bytes();
  int64_t addresses = shape.isGathered ? 2 * positions * 8 : 0;
  return std::max(2 * stage, queries) + addresses + partialScoresOf(shape, rowTiles, positions) * 4;
}

/// As many positions at once as fit, at most a page; 0 if none do.
int64_t MatrixAttention::choosePositions(const Target &target, const Shape &shape, int64_t rowTiles) {
  constexpr int64_t reserve = 1 << 10; // for what else a kernel keeps
  int64_t positions = pageSize;
  while (positions >= depth && bytesOf(shape, rowTiles, positions) > target.sharedBytes - reserve)
    positions /= 2;
  return positions >= depth ? positions : 0;
}

bool MatrixAttention::fits(const Target &target, const Shape &shape, int64_t rowTiles) {
  // Registers of a lane for queries and context, of 255.
  constexpr int64_t mostSteps = 12, mostPairs = 8;
  int64_t steps = llvm::divideCeil(shape.keyWidth, depth), pairs = llvm::divideCeil(shape.valueWidth, 2 * tileColumns);
  return shape.keyWidth % chunkElements == 0 && shape.valueWidth % chunkElements == 0 && steps <= shape.parts * mostSteps &&
         pairs <= shape.parts * mostPairs && choosePositions(target, shape, rowTiles);
}

MatrixAttention::MatrixAttention(KernelFrame &frame, const Shape &shape, int64_t rowTiles)
    : b(frame.b), shape(shape), rowTiles(rowTiles), positions(choosePositions(b.target, shape, rowTiles)),
      queryRows(SharedRows::ofWidth(rowTiles * MatrixTile::rows, shape.keyWidth)),
      keyRows(SharedRows::ofWidth(positions, shape.keyWidth)), valueRows(SharedRows::ofWidth(positions, shape.valueWidth)),
      stepsOfPart(llvm::divideCeil(keyRows.steps(), shape.parts)),
      pairsOfPart(llvm::divideCeil(llvm::divideCeil(shape.valueWidth, 2 * tileColumns), shape.parts)),
      stages(frame.allocateShared(b.i8, std::max(2 * stageBytes(), queryRows.bytes()))),
      rowAddresses(frame.allocateShared(b.ptr, shape.isGathered ? 2 * positions : 0)),
      partialScores(frame.allocateShared(b.f32, partialScoresOf(shape, rowTiles, positions))), rowTile(b.warp() / shape.parts),
      part(b.warp() % shape.parts) {}

KernelBuilder::Numbers MatrixAttention::State::pack() const {
  KernelBuilder::Numbers numbers{largest[0], largest[1], sum[0], sum[1]};
  numbers.append(context);
  return numbers;
}

MatrixAttention::State MatrixAttention::State::unpack(ArrayRef<Number> numbers) {
  return {{numbers[0], numbers[1]}, {numbers[2], numbers[3]}, KernelBuilder::Numbers(numbers.drop_front(4))};
}

Number MatrixAttention::rowOfLane(int64_t half) { return rowTile * MatrixTile::rows + (b.lane() >> 2) + half * 8; }

/// The pair of tiles of the values' columns that is this warp's `index`th; beyond the last it is the last once more.
Number MatrixAttention::valuePair(int64_t index) {
  int64_t pairs = llvm::divideCeil(shape.valueWidth, 2 * tileColumns);
  Number pair = part * pairsOfPart + index;
  return pairs % shape.parts ? minimum(pair, b.integer(pairs - 1)) : pair;
}

/// Looks up where the rows of a tile lie, beyond the last that one again; before a barrier and the tile's copies.
void MatrixAttention::findRows(Number stage, Number begin, Number end, const Cache &keys) {
  b.forThreads(b.integer(positions), threads(), [&](Number i) {
    Pointer row = keys.row(minimum(begin + i, end - 1));
    (rowAddresses + (stage * positions + i)).store(b.number(row.value));
  });
}

void MatrixAttention::stageTile(Number stage, Number begin, Number end, const Cache &keys, const Cache &values) {
  Pointer to = stages.plusBytes(stage * stageBytes());
  auto copy = [&](const Cache &cache, const SharedRows &layout, int64_t width, Pointer place) {
    auto copyFrom = [&](function_ref<Pointer(Number)> source) {
      beginCopy(b, threads(), layout, place, end - begin, b.integer(width / chunkElements), source);
    };
    if (shape.isGathered)
      return copyFrom([&](Number row) { return (rowAddresses + (stage * positions + row)).loadPointer(b.bf16); });
    Pointer first = cache.row(begin);
    copyFrom([&](Number row) { return first + row * cache.stride; });
  };
  copy(keys, keyRows, shape.keyWidth, to);
  if (!shape.valuesAreKeys)
    copy(values, valueRows, shape.valueWidth, to + keyRows.bytes());
}

/// This warp's part of its rows of queries, as left operands: through the memory of the stages, which are in use behind a
/// further barrier.
MatrixAttention::Fragments MatrixAttention::loadQueries(const Rows &rows) {
  int64_t pairs = queryRows.chunks * chunkElements / 2;
  b.forThreads(b.integer(queryRows.rows * pairs), threads(), [&](Number i) {
    Number row = i / pairs, column = i % pairs * 2;
    Pointer place = stages.plusBytes(queryRows.place(row, b.integer(0))).as(b.bf16) + column;
    auto query = [&] { return rows.query(row, column); };
    place.as(b.i32).store(shape.keyWidth % depth ? b.computeIf(column < shape.keyWidth, query, b.integer32(0)) : query());
  });
  b.barrier();
  Fragments queries;
  Pointer lane = laneAddress(b, leftByRow, queryRows, stages.plusBytes(queryRows.place(rowTile * MatrixTile::rows, b.integer(0))));
  for (int64_t i = 0; i < stepsOfPart; ++i) {
    // Steps beyond the last add nothing.
    Number step = part * stepsOfPart + i, isStep = step < queryRows.steps();
    queries.push_back(loadMatrices(b, leftByRow, lane.plusBytes(minimum(step, b.integer(queryRows.steps() - 1)) * 2 * chunkBytes)));
    if (queryRows.steps() % shape.parts)
      for (Number &bits : queries.back())
        bits = select(isStep, bits, b.integer32(0));
  }
  return queries;
}

/// Scores of this warp's rows over this part of the depth: accumulators of [tiles of positions].
KernelBuilder::Numbers MatrixAttention::scoreTile(Pointer stage, const Fragments &queries) {
  KernelBuilder::Numbers scores(positions / tileColumns * accumulators, b.real(0));
  Pointer lane = laneAddress(b, rightByColumn, keyRows, stage);
  for (auto [i, query] : llvm::enumerate(queries)) {
    Number step = part * stepsOfPart + int64_t(i);
    if (keyRows.steps() % shape.parts)
      step = minimum(step, b.integer(keyRows.steps() - 1));
    Pointer keys = lane.plusBytes(step * 2 * chunkBytes);
    for (int64_t pair = 0; pair < positions / depth; ++pair) {
      KernelBuilder::Numbers two = loadMatrices(b, rightByColumn, keys + pair * depth * keyRows.stride());
      for (int64_t tile = 0; tile < 2; ++tile)
        multiplyAdd(b, query, ArrayRef(two).slice(tile * rightRegisters, rightRegisters),
                    MutableArrayRef(scores).slice((pair * 2 + tile) * accumulators, accumulators));
    }
  }
  return scores;
}

/// The sum over the warps of a tile of rows, in order, in each of them. Has a barrier if there are several.
KernelBuilder::Numbers MatrixAttention::sumOverParts(ArrayRef<Number> partial) {
  if (shape.parts == 1)
    return KernelBuilder::Numbers(partial);
  int64_t tiles = positions / tileColumns, ofPart = rowTiles * tiles * warpSize * accumulators;
  auto place = [&](Number ofWhich, int64_t tile) {
    return partialScores + (ofWhich * ofPart + (rowTile * tiles + tile) * (warpSize * accumulators) + b.lane() * accumulators);
  };
  for (int64_t tile = 0; tile < tiles; ++tile)
    place(part, tile).store(b.gather(partial.slice(tile * accumulators, accumulators)), 16);
  b.barrier();
  KernelBuilder::Numbers sums;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    Number sum = place(b.integer(0), tile).load(accumulators, 16);
    for (int64_t other = 1; other < shape.parts; ++other)
      sum = sum + place(b.integer(other), tile).load(accumulators, 16);
    for (int64_t i = 0; i < accumulators; ++i)
      sums.push_back(sum.lane(i));
  }
  return sums;
}

/// Scores to weights, relative to the largest so far; what was added up before fades accordingly.
void MatrixAttention::weigh(Number tileBegin, ArrayRef<Visible> visible, MutableArrayRef<Number> scores, State &state) {
  Number none = b.real(-std::numeric_limits<double>::infinity());
  Number firstColumn = tileBegin + (b.lane() & b.integer(3)) * 2;
  for (int64_t half = 0; half < 2; ++half) {
    SmallVector<Number *> ofRow;
    Number largest = state.largest[half];
    for (int64_t i = 0; i < int64_t(scores.size()); ++i) {
      if (i % accumulators / 2 != half)
        continue;
      Number position = firstColumn + (i / accumulators * tileColumns + i % 2), score = scores[i];
      if (shape.softCap) {
        Number cap = b.real(*shape.softCap);
        score = cap * b.real(std::numbers::log2e) * hyperbolicTangent(score * b.real(shape.scale) / cap);
      } else {
        score = score * b.real(shape.scale * std::numbers::log2e);
      }
      Number isVisible = position <= visible[half].last;
      if (visible[half].first)
        isVisible = isVisible & (*visible[half].first <= position);
      scores[i] = select(isVisible, score, none);
      largest = maximum(largest, scores[i]);
      ofRow.push_back(&scores[i]);
    }
    for (int64_t mask : {1, 2})
      largest = maximum(largest, b.shuffleXor(largest, mask));
    Number fade = b.powerOfTwo(state.largest[half] - largest), sum = state.sum[half] * fade;
    for (Number *score : ofRow) {
      *score = b.powerOfTwo(*score - largest);
      sum = sum + *score;
    }
    state.largest[half] = largest;
    state.sum[half] = sum;
    for (int64_t i = 0; i < int64_t(state.context.size()); ++i)
      if (i % accumulators / 2 == half)
        state.context[i] = state.context[i] * fade;
  }
}

void MatrixAttention::addValues(Pointer stage, ArrayRef<Number> weights, State &state) {
  const SharedRows &layout = shape.valuesAreKeys ? keyRows : valueRows;
  Pointer lane = laneAddress(b, rightByDepth, layout, shape.valuesAreKeys ? stage : stage + keyRows.bytes());
  for (int64_t step = 0; step < positions / depth; ++step) {
    // Accumulators of two neighbouring tiles are a left operand: its registers are rows g and g + 8 of the first, then of the
    // second.
    KernelBuilder::Numbers left;
    for (int64_t i = 0; i < 2 * accumulators; i += 2)
      left.push_back(packBf16(weights[step * 2 * accumulators + i], weights[step * 2 * accumulators + i + 1]));
    for (int64_t i = 0; i < pairsOfPart; ++i) {
      Pointer values = lane.plusBytes(valuePair(i) * 2 * chunkBytes) + step * depth * layout.stride();
      KernelBuilder::Numbers two = loadMatrices(b, rightByDepth, values);
      for (int64_t tile = 0; tile < 2; ++tile)
        multiplyAdd(b, left, ArrayRef(two).slice(tile * rightRegisters, rightRegisters),
                    MutableArrayRef(state.context).slice((i * 2 + tile) * accumulators, accumulators));
    }
  }
}

void MatrixAttention::attend(Number begin, Number end, const Rows &rows, const Cache &keys, const Cache &values,
                             const Results &results) {
  Fragments queries = loadQueries(rows);
  SmallVector<Visible> visible{rows.visible(rowOfLane(0)), rows.visible(rowOfLane(1))};
  if (shape.isGathered)
    for (int64_t stage : {0, 1})
      findRows(b.integer(stage), begin + stage * positions, end, keys);
  b.barrier();
  stageTile(b.integer(0), begin, end, keys, values);

  // The largest score starts finite: the difference of two is then never inf - inf.
  Number lowest = b.real(std::numeric_limits<float>::lowest()), zero = b.real(0);
  State initial{{lowest, lowest}, {zero, zero}, KernelBuilder::Numbers(pairsOfPart * 2 * accumulators, zero)};
  KernelBuilder::Numbers last = b.forRange(begin, end, positions, initial.pack(), [&](Number tileBegin, ArrayRef<Number> before) {
    State state = State::unpack(before);
    Number stage = (tileBegin - begin) / positions & b.integer(1), next = tileBegin + positions;
    finishCopies(b);
    b.barrier();
    b.ifThen(next < end, [&] {
      stageTile(b.integer(1) - stage, next, end, keys, values);
      if (shape.isGathered)
        findRows(stage, next + positions, end, keys);
    });
    Pointer tile = stages.plusBytes(stage * stageBytes());
    KernelBuilder::Numbers scores = sumOverParts(scoreTile(tile, queries));
    weigh(tileBegin, visible, scores, state);
    addValues(tile, scores, state);
    return state.pack();
  });
  State state = State::unpack(last);
  for (int64_t half = 0; half < 2; ++half) {
    Number row = rowOfLane(half), sum = state.sum[half], inFour = b.lane() & b.integer(3);
    for (int64_t mask : {1, 2})
      sum = sum + b.shuffleXor(sum, mask);
    if (results.weights)
      b.ifThen((part == 0) & (inFour == 0), [&] { results.weights(row, state.largest[half], sum); });
    for (int64_t i = 0; i < pairsOfPart; ++i)
      for (int64_t tile = 0; tile < 2; ++tile) {
        Number column = (part * pairsOfPart + i) * 2 * tileColumns + tile * tileColumns + inFour * 2;
        ArrayRef<Number> sums = ArrayRef(state.context).slice((i * 2 + tile) * accumulators + half * 2, 2);
        b.ifThen(column < shape.valueWidth, [&] { results.context(row, column, b.gather(sums), sum); });
      }
  }
}
