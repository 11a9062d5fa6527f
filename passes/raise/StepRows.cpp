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

StepRows::StepRows(const StepArguments &arguments)
    : trials(arguments.trials()),
      longSizes(arguments.sizes(arguments.pasts().empty() ? StepShape{1, longest, 0} : StepShape{1, 1, longest - 1})) {
  for (StepShape trial : trials)
    sizes.push_back(arguments.sizes(trial));
  for (Value past : arguments.pasts()) {
    auto [sequenceDim, positionDim] = *dimsOfPast(past.getType());
    auto seat = std::make_unique<Seat>(Seat{past, 1, {}, {}, {}});
    for (int64_t size : cast<RankedTensorType>(past.getType()).getShape())
      seat->width *= ShapedType::isDynamic(size) ? 1 : size;
    for (auto [trial, shape] : llvm::enumerate(trials)) {
      std::vector<int64_t> &numbers = seat->numbers.emplace_back();
      SmallVector<int64_t> dims = *sizes[trial].shape(past);
      evaluator::forEachPlace(dims, [&, sequenceDim = sequenceDim, positionDim = positionDim](std::span<const int64_t> place) {
        int64_t column = 0;
        for (auto [dim, index] : llvm::enumerate(place))
          if (int64_t(dim) != sequenceDim && int64_t(dim) != positionDim)
            column = column * dims[dim] + index;
        int64_t row = place[size_t(sequenceDim)] * shape.past + place[size_t(positionDim)];
        numbers.push_back(row * seat->width + column);
        return true;
      });
    }
    seats[past] = std::move(seat);
  }
}

void StepRows::seat(Value value, Value rows) {
  std::vector<int64_t> all(size_t(widthOf(rows)));
  std::iota(all.begin(), all.end(), 0);
  seat(value, rows, all);
}

void StepRows::seat(Value value, Value rows, ArrayRef<int64_t> columns) {
  auto seat = std::make_unique<Seat>(Seat{rows, widthOf(rows), {}, {}, {}});
  for (StepShape shape : trials) {
    std::vector<int64_t> &numbers = seat->numbers.emplace_back();
    for (int64_t row = 0; row < shape.sequences * shape.length; ++row)
      for (int64_t column : columns)
        numbers.push_back(row * seat->width + column);
  }
  seats[value] = std::move(seat);
}

void StepRows::seatLike(Value value, Value rows, Value like) {
  auto seat = std::make_unique<Seat>(Seat{rows, widthOf(rows), {}, {}, std::vector<bool>(size_t(widthOf(rows)))});
  for (size_t trial = 0; trial < trials.size(); ++trial) {
    std::vector<int64_t> &numbers = seat->numbers.emplace_back();
    std::vector<Place> places = *placesOf(like, trial);
    for (const Place &place : places) {
      numbers.push_back(place.row * seat->width + place.column);
      seat->turned[size_t(place.column)] = true;
      seat->unturned = place.seat->from;
    }
  }
  seats[value] = std::move(seat);
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
  auto placeOf = [&](const Seat &seat, int64_t number) { return Place{&seat, number / seat.width, number % seat.width}; };
  std::vector<Place> places;
  // A seat may lie between, so that looking stops at the first.
  for (Value seen = value;; seen = seen.getDefiningOp()->getOperand(0)) {
    if (auto known = seats.find(seen); known != seats.end()) {
      for (int64_t number : known->second->numbers[trial])
        places.push_back(placeOf(*known->second, number));
      return places;
    }
    if (!isa_and_nonnull<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp>(seen.getDefiningOp()))
      break;
  }
  SmallVector<Value> sources = sourcesOf(value);
  if (sources.empty())
    return std::nullopt;
  std::optional<Origins> origins = Origins::of(value, sources, sizes[trial]);
  if (!origins)
    return std::nullopt;
  for (const std::optional<Origin> &origin : origins->elements) {
    if (!origin)
      return std::nullopt;
    const Seat &seat = *seats[sources[origin->source]];
    if (size_t(origin->index) >= seat.numbers[trial].size())
      return std::nullopt;
    places.push_back(placeOf(seat, seat.numbers[trial][size_t(origin->index)]));
  }
  return places;
}

void StepRows::takeUnturned(Columns &columns) const {
  DenseMap<Value, const Seat *> turnedFrom;
  for (const auto &[value, seat] : seats)
    if (seat->unturned && llvm::any_of(columns, [&, &seat = seat](const Column &column) { return column.from == seat->from; }))
      turnedFrom[seat->unturned] = seat.get();
  for (Column &column : columns)
    if (auto found = turnedFrom.find(column.from); found != turnedFrom.end() && !found->second->turned[size_t(column.index)])
      column.from = found->second->from;
}

std::optional<Columns> StepRows::rowsOf(Value value) {
  Columns columns;
  for (auto [trial, shape] : llvm::enumerate(trials)) {
    std::optional<std::vector<Place>> places = placesOf(value, trial);
    int64_t tokens = shape.sequences * shape.length;
    if (!places || places->empty() || int64_t(places->size()) % tokens)
      return std::nullopt;
    int64_t width = int64_t(places->size()) / tokens;
    if (columns.empty())
      for (const Place &place : ArrayRef(*places).take_front(size_t(width)))
        columns.push_back({place.seat->from, place.column});
    for (auto [index, place] : llvm::enumerate(*places)) {
      int64_t column = int64_t(index) % width;
      if (place.row != int64_t(index) / width || column >= int64_t(columns.size()) || isa<BlockArgument>(place.seat->from) ||
          columns[size_t(column)] != Column{place.seat->from, place.column})
        return std::nullopt;
    }
  }
  takeUnturned(columns);
  return columns;
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
    std::optional<std::vector<Place>> places = placesOf(value, trial);
    if (!places || places->empty())
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
  return !dims || countOf(*dims) == longest * width;
}

std::optional<Context> StepRows::contextOf(Value value, Value like) {
  Context context;
  for (auto [trial, shape] : llvm::enumerate(trials)) {
    std::optional<std::vector<Place>> places = placesOf(value, trial);
    int64_t positions = shape.past + shape.length, rows = shape.sequences * positions;
    if (!places || places->empty() || int64_t(places->size()) % rows)
      return std::nullopt;
    int64_t width = int64_t(places->size()) / rows;
    // For each element which row and column it should be.
    std::vector<std::pair<int64_t, int64_t>> wanted;
    if (like) {
      auto [sequenceDim, positionDim] = *dimsOfPast(like.getType());
      SmallVector<int64_t> dims = *sizes[trial].shape(like);
      dims[size_t(positionDim)] = positions;
      if (countOf(dims) != int64_t(places->size()))
        return std::nullopt;
      evaluator::forEachPlace(dims, [&, sequenceDim = sequenceDim, positionDim = positionDim](std::span<const int64_t> place) {
        int64_t column = 0;
        for (auto [dim, index] : llvm::enumerate(place))
          if (int64_t(dim) != sequenceDim && int64_t(dim) != positionDim)
            column = column * dims[dim] + index;
        wanted.emplace_back(place[size_t(sequenceDim)] * positions + place[size_t(positionDim)], column);
        return true;
      });
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
      int64_t sequence = row / positions, position = row % positions;
      bool isPast = position < shape.past;
      Column &column = (isPast ? context.past : context.fresh)[size_t(index)];
      if (!column.from)
        column = {place.seat->from, place.column};
      int64_t source = isPast ? sequence * shape.past + position : sequence * shape.length + position - shape.past;
      if (place.row != source || column != Column{place.seat->from, place.column} || isa<BlockArgument>(column.from) != isPast)
        return std::nullopt;
    }
  }
  if (!keepsAll(value, int64_t(context.fresh.size())))
    return std::nullopt;
  takeUnturned(context.fresh);
  return context;
}
