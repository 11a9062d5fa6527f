// Where the rows of a step, one for each token, are in the tensors of a function.
#include "passes/raise/StepRows.h"
#include "passes/raise/Origins.h"
#include "passes/raise/Structure.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

static int64_t widthOf(Value rows) { return cast<RankedTensorType>(rows.getType()).getShape().back(); }

SmallVector<ColumnRun> passes::runsOf(ArrayRef<Column> columns) {
  SmallVector<ColumnRun> runs;
  for (const Column &column : columns)
    if (!runs.empty() && runs.back().from == column.from && runs.back().first + runs.back().count == column.index)
      ++runs.back().count;
    else
      runs.push_back({column.from, column.index, 1});
  return runs;
}

std::optional<SmallVector<int64_t>> passes::orderInHeads(ArrayRef<Column> columns, int64_t headDim, int64_t stride) {
  SmallVector<int64_t> order;
  for (const Column &column : columns.take_front(size_t(headDim)))
    order.push_back(column.index);
  for (auto [index, column] : llvm::enumerate(columns))
    if (column.from != columns.front().from || column.index != int64_t(index) / headDim * stride + order[index % size_t(headDim)])
      return std::nullopt;
  SmallVector<int64_t> sorted = order;
  llvm::sort(sorted);
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) // a column twice, another one not at all
    return std::nullopt;
  return order;
}

/// Positions of a sequence that is longer than any cache has room for.
static constexpr int64_t longest = 1 << 24;

/// How many elements a position has in an argument of the past.
static int64_t widthOfPast(Type type) {
  int64_t width = 1;
  for (int64_t size : cast<RankedTensorType>(type).getShape())
    width *= ShapedType::isDynamic(size) ? 1 : size;
  return width;
}

/// Of each element of such an argument, in their order: its row, the positions of one sequence being behind those of the one
/// before, and its column.
static void forEachElement(Type type, int64_t sequences, int64_t positions,
                           llvm::function_ref<void(int64_t row, int64_t column)> body) {
  auto [sequenceDim, positionDim] = *dimsOfPast(type);
  SmallVector<int64_t> dims(cast<RankedTensorType>(type).getShape());
  dims[size_t(sequenceDim)] = sequences;
  dims[size_t(positionDim)] = positions;
  evaluator::forEachPlace(dims, [&, sequenceDim = sequenceDim, positionDim = positionDim](std::span<const int64_t> place) {
    int64_t column = 0;
    for (auto [dim, index] : llvm::enumerate(place))
      if (int64_t(dim) != sequenceDim && int64_t(dim) != positionDim)
        column = column * dims[dim] + index;
    body(place[size_t(sequenceDim)] * positions + place[size_t(positionDim)], column);
    return true;
  });
}

StepRows::StepRows(const StepArguments &arguments)
    : arguments(arguments), trials(arguments.trials()),
      longSizes(arguments.sizes(arguments.pasts().empty() ? StepShape{1, longest, 0} : StepShape{1, 1, longest - 1})) {
  for (StepShape trial : trials)
    sizes.push_back(arguments.sizes(trial));
  for (Value past : arguments.pasts())
    seats[past] = std::make_unique<Seat>(Seat{past, widthOfPast(past.getType()), numbersOfPast(past.getType())});
}

std::shared_ptr<const StepRows::Numbers> StepRows::numbersOfPast(Type type) {
  std::shared_ptr<const Numbers> &known = pasts[type];
  if (known)
    return known;
  Numbers all;
  for (StepShape shape : trials) {
    std::vector<int32_t> &numbers = all.emplace_back();
    forEachElement(type, shape.sequences, shape.past, [&, width = widthOfPast(type)](int64_t row, int64_t column) {
      numbers.push_back(int32_t(row * width + column));
    });
  }
  return known = std::make_shared<const Numbers>(std::move(all));
}

void StepRows::seat(Value value, Value rows, Tokens tokens) { seat(value, rows, {}, tokens); }

/// Of how many tokens rows are at that shape, and which one row `row` is of.
static int64_t rowCountOf(Tokens tokens, StepShape shape) { return shape.sequences * (tokens == Tokens::All ? shape.length : 1); }
static int64_t tokenOf(Tokens tokens, StepShape shape, int64_t row) {
  return tokens == Tokens::All ? row : (row + 1) * shape.length - 1;
}

void StepRows::seat(Value value, Value rows, ArrayRef<int64_t> columns, Tokens tokens) {
  seats[value] = std::make_unique<Seat>(Seat{rows, widthOf(rows), nullptr, tokens, SmallVector<int64_t>(columns)});
}

void StepRows::seatLike(Value value, Value rows, Value like) {
  auto seat = std::make_unique<Seat>(Seat{rows, widthOf(rows), nullptr});
  seat->turned.resize(size_t(seat->width));
  Numbers all;
  for (size_t trial = 0; trial < trials.size(); ++trial) {
    std::vector<int32_t> &numbers = all.emplace_back();
    std::optional<std::vector<Place>> places = placesOf(like, trial);
    if (!places) // the budget ended
      return;
    for (const Place &place : *places) {
      int64_t number = place.row * seat->width + place.column;
      if (number > std::numeric_limits<int32_t>::max())
        return;
      numbers.push_back(int32_t(number));
      seat->turned[size_t(place.column)] = true;
      seat->unturned = place.seat->from;
    }
  }
  seat->numbers = std::make_shared<const Numbers>(std::move(all));
  seats[value] = std::move(seat);
}

int64_t StepRows::countOf(const Seat &seat, size_t trial) const {
  return seat.numbers ? int64_t((*seat.numbers)[trial].size()) : rowCountOf(seat.tokens, trials[trial]) * seat.rowWidth();
}

StepRows::Place StepRows::placeOf(const Seat &seat, size_t trial, int64_t index) const {
  if (seat.numbers) {
    int64_t number = (*seat.numbers)[trial][size_t(index)];
    return {&seat, number / seat.width, number % seat.width};
  }
  int64_t row = tokenOf(seat.tokens, trials[trial], index / seat.rowWidth()), column = index % seat.rowWidth();
  return {&seat, row, seat.columns.empty() ? column : seat.columns[size_t(column)]};
}

SmallVector<Value> StepRows::sourcesOf(Value value) {
  constexpr size_t most = 256;
  SetVector<Value> found;
  SmallVector<Value> sources;
  found.insert(value);
  for (size_t next = 0; next < found.size() && found.size() < most; ++next) {
    if (seats.contains(found[next])) {
      sources.push_back(found[next]);
      continue;
    }
    Operation *op = found[next].getDefiningOp();
    if (!op || !isMovement(op))
      continue;
    for (Value read : valuesReadBy(op))
      if (isa<RankedTensorType>(read.getType()))
        found.insert(read);
  }
  return sources;
}

std::optional<std::vector<StepRows::Place>> StepRows::placesOf(Value value, size_t trial) {
  std::vector<Place> places;
  // A seat may lie between, so that looking stops at the first.
  for (Value seen = value;; seen = seen.getDefiningOp()->getOperand(0)) {
    if (auto known = seats.find(seen); known != seats.end()) {
      for (int64_t index = 0; index < countOf(*known->second, trial); ++index)
        places.push_back(placeOf(*known->second, trial, index));
      return places;
    }
    if (!isa_and_nonnull<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp>(seen.getDefiningOp()))
      break;
  }
  SmallVector<Value> sources = sourcesOf(value);
  if (sources.empty())
    return std::nullopt;
  std::optional<Origins> origins =
      Origins::of(value, sources, sizes[trial], arguments.budget(), arguments.integers(), arguments.values(trials[trial]));
  if (!origins)
    return std::nullopt;
  for (const std::optional<Origin> &origin : origins->elements) {
    if (!origin)
      return std::nullopt;
    const Seat &seat = *seats[sources[origin->source]];
    if (origin->index >= countOf(seat, trial))
      return std::nullopt;
    places.push_back(placeOf(seat, trial, origin->index));
  }
  return places;
}

void StepRows::takeUnturned(Columns &columns) const {
  DenseMap<Value, const Seat *> turnedFrom; // the last that was made, in an order that does not depend on where values lie
  for (const auto &[value, seat] : seats)
    if (seat->unturned && llvm::any_of(columns, [&, &seat = seat](const Column &column) { return column.from == seat->from; }))
      turnedFrom[seat->unturned] = seat.get();
  for (Column &column : columns)
    if (auto found = turnedFrom.find(column.from); found != turnedFrom.end() && !found->second->turned[size_t(column.index)])
      column.from = found->second->from;
}

std::optional<Columns> StepRows::columnsOf(ArrayRef<std::vector<Place>> places, Tokens tokens) const {
  Columns columns;
  for (auto [shape, elements] : llvm::zip_equal(trials, places)) {
    int64_t count = rowCountOf(tokens, shape);
    if (elements.empty() || int64_t(elements.size()) % count)
      return std::nullopt;
    int64_t width = int64_t(elements.size()) / count;
    if (columns.empty())
      for (const Place &place : ArrayRef(elements).take_front(size_t(width)))
        columns.push_back({place.seat->from, place.column});
    for (auto [index, place] : llvm::enumerate(elements)) {
      int64_t column = int64_t(index) % width;
      if (place.row != tokenOf(tokens, shape, int64_t(index) / width) || column >= int64_t(columns.size()) ||
          isa<BlockArgument>(place.seat->from) || columns[size_t(column)] != Column{place.seat->from, place.column})
        return std::nullopt;
    }
  }
  takeUnturned(columns);
  return columns;
}

std::optional<Columns> StepRows::rowsOf(Value value, Tokens *tokens) {
  std::vector<std::vector<Place>> places;
  for (size_t trial = 0; trial < trials.size(); ++trial)
    if (std::optional<std::vector<Place>> elements = placesOf(value, trial))
      places.push_back(std::move(*elements));
    else
      return std::nullopt;
  for (Tokens candidate : {Tokens::All, Tokens::Last}) {
    if (candidate == Tokens::Last && !tokens)
      break;
    if (std::optional<Columns> columns = columnsOf(places, candidate)) {
      if (tokens)
        *tokens = candidate;
      return columns;
    }
  }
  return std::nullopt;
}

std::optional<Value> StepRows::shuffled(Value value, int64_t together) {
  Value rows;
  for (auto [trial, shape] : llvm::enumerate(trials)) {
    std::optional<std::vector<Place>> places = placesOf(value, trial);
    if (!places || places->empty())
      return std::nullopt;
    const Seat *seat = places->front().seat;
    llvm::BitVector met(unsigned(places->size()));
    if (int64_t(places->size()) != shape.sequences * shape.length * seat->width || isa<BlockArgument>(seat->from))
      return std::nullopt;
    for (auto [index, place] : llvm::enumerate(*places)) {
      const Place &first = (*places)[index - index % size_t(together)];
      if (place.seat != seat || first.row != place.row || first.column % together ||
          first.column + int64_t(index) % together != place.column)
        return std::nullopt;
      met.set(unsigned(place.row * seat->width + place.column));
    }
    if (!met.all())
      return std::nullopt;
    rows = seat->from;
  }
  return rows;
}

std::optional<Value> StepRows::pastOf(Value value) {
  Value past;
  for (auto [trial, shape] : llvm::enumerate(trials)) {
    if (shape.past == 0) // of no elements it is not to be said whose they are
      continue;
    std::optional<std::vector<Place>> places = placesOf(value, trial);
    if (!places || places->empty() || (past && places->front().seat->from != past))
      return std::nullopt;
    past = places->front().seat->from;
    for (auto [index, place] : llvm::enumerate(*places))
      if (place.seat->from != past || place.row * place.seat->width + place.column != int64_t(index))
        return std::nullopt;
    if (!isa<BlockArgument>(past) || int64_t(places->size()) != shape.sequences * shape.past * places->front().seat->width)
      return std::nullopt;
  }
  return past;
}

/// Whether there are as many positions however many there have been: a cache that rolls holds no more than it has room for.
bool StepRows::keepsAll(Value value, int64_t width) {
  std::optional<SmallVector<int64_t>> dims = longSizes.shape(value);
  return !dims || passes::countOf(*dims) == longest * width;
}

std::optional<Context> StepRows::contextOf(Value value, Value like, Held held) {
  Context context;
  for (auto [trial, shape] : llvm::enumerate(trials)) {
    if (held == Held::Last && shape.past == 0) // of no elements it is not to be said whose they are
      continue;
    std::optional<std::vector<Place>> places = placesOf(value, trial);
    int64_t gone = held == Held::Last ? shape.length : 0; // of the first positions
    int64_t positions = shape.past + shape.length - gone, rows = shape.sequences * positions;
    if (!places || places->empty() || int64_t(places->size()) % rows)
      return std::nullopt;
    int64_t width = int64_t(places->size()) / rows;
    // For each element which row and column it should be.
    std::vector<std::pair<int64_t, int64_t>> wanted;
    if (like) {
      if (width != widthOfPast(like.getType()))
        return std::nullopt;
      forEachElement(like.getType(), shape.sequences, positions,
                     [&](int64_t row, int64_t column) { wanted.emplace_back(row, column); });
    } else {
      for (int64_t index = 0; index < int64_t(places->size()); ++index)
        wanted.emplace_back(index / width, index % width);
    }
    if (context.fresh.empty()) {
      context.fresh.resize(size_t(width));
      context.past.resize(shape.past ? size_t(width) : 0);
    }
    if (int64_t(context.fresh.size()) != width)
      return std::nullopt;
    for (auto [place, want] : llvm::zip_equal(*places, wanted)) {
      auto [row, index] = want;
      int64_t sequence = row / positions, position = gone + row % positions;
      bool isPast = position < shape.past;
      Column &column = (isPast ? context.past : context.fresh)[size_t(index)];
      if (!column.from)
        column = {place.seat->from, place.column};
      int64_t source = isPast ? sequence * shape.past + position : sequence * shape.length + position - shape.past;
      if (place.row != source || column != Column{place.seat->from, place.column} || isa<BlockArgument>(column.from) != isPast)
        return std::nullopt;
    }
  }
  if (held == Held::All && !keepsAll(value, int64_t(context.fresh.size())))
    return std::nullopt;
  takeUnturned(context.fresh);
  return context;
}
