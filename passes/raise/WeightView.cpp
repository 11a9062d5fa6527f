// A weight as places in files, which can be cut, turned and stacked without moving a byte.
#include "passes/raise/WeightView.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

/// Of dimensions that follow each other in memory.
static SmallVector<int64_t> denseStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i > 1; --i)
    strides[i - 2] = strides[i - 1] * shape[i - 1];
  return strides;
}

std::optional<WeightView> WeightView::of(moe::WeightOp weight) {
  auto type = cast<RankedTensorType>(weight.getType());
  WeightView view;
  view.element = view.stored = type.getElementType();
  if (auto stored = weight->getAttrOfType<TypeAttr>("moe.stored_as"))
    view.stored = stored.getValue();
  view.shape.assign(type.getShape().begin(), type.getShape().end());
  if (view.stored.getIntOrFloatBitWidth() % 8 || type.getRank() < 1)
    return std::nullopt;
  ArrayRef<int64_t> inner = ArrayRef(view.shape).drop_front();
  int64_t entryBytes = llvm::product_of(inner) * view.elementBytes();
  for (Attribute attribute : weight.getSlices()) {
    auto slice = cast<moe::SliceAttr>(attribute);
    if (!slice.getWords().empty())
      return std::nullopt;
    for (int64_t i = 0; i < (slice.getRows() == 1 ? 1 : slice.getTimes()); ++i) {
      Run run{slice.getTensor().str(), slice.getFile().str(), slice.getOffsetOf(i), slice.getRows(), entryBytes,
              denseStrides(inner)};
      if (slice.getRows() == 1 && slice.getTimes() > 1) {
        run.count = slice.getTimes();
        run.every = slice.getEvery();
      }
      if (slice.isStrided() && type.getRank() == 2) {
        if (slice.getRows() == 1 && slice.getTimes() > 1)
          return std::nullopt;
        run.every = slice.getRowStride() * view.elementBytes();
        run.strides = {slice.getColumnStride()};
      } else if (slice.isStrided()) {
        if (type.getRank() != 3)
          return std::nullopt;
        run.strides = {slice.getRowStride(), slice.getColumnStride()};
      }
      view.runs.push_back(std::move(run));
    }
  }
  view.join();
  return view;
}

std::optional<WeightView::Place> WeightView::placeOf(ArrayRef<int64_t> index) const {
  int64_t entry = index.front();
  for (const Run &run : runs) {
    if (entry >= run.count) {
      entry -= run.count;
      continue;
    }
    int64_t offset = run.offset + entry * run.every;
    for (auto [at, stride] : llvm::zip_equal(index.drop_front(), run.strides))
      offset += at * stride * elementBytes();
    return Place{run.file, offset};
  }
  return std::nullopt;
}

void WeightView::join() {
  std::vector<Run> joined;
  for (Run &run : runs) {
    if (!joined.empty()) {
      Run &last = joined.back();
      int64_t distance = run.offset - last.offset;
      bool isAlike = run.file == last.file && run.strides == last.strides;
      // One entry may be continued by anything behind it.
      int64_t every = last.count > 1 ? last.every : distance;
      if (isAlike && every > 0 && distance == last.count * every && (run.count == 1 || run.every == every)) {
        last.every = every;
        last.count += run.count;
        continue;
      }
    }
    joined.push_back(std::move(run));
  }
  runs = std::move(joined);
}

std::optional<WeightView> WeightView::concatenated(ArrayRef<WeightView> views) {
  WeightView all = views.front();
  for (const WeightView &view : views.drop_front()) {
    if (view.element != all.element || view.stored != all.stored ||
        ArrayRef(view.shape).drop_front() != ArrayRef(all.shape).drop_front())
      return std::nullopt;
    all.shape.front() += view.shape.front();
    all.runs.insert(all.runs.end(), view.runs.begin(), view.runs.end());
  }
  all.join();
  return all;
}

std::optional<WeightView> WeightView::transposed() const {
  WeightView view = *this;
  size_t rank = shape.size();
  if (rank < 2)
    return std::nullopt;
  std::swap(view.shape[rank - 2], view.shape[rank - 1]);
  if (rank > 2) {
    for (Run &run : view.runs)
      std::swap(run.strides[rank - 3], run.strides[rank - 2]);
    return view;
  }
  if (runs.size() != 1 || runs.front().every % elementBytes())
    return std::nullopt;
  Run &run = view.runs.front();
  run.count = shape[1];
  run.every = runs.front().strides.front() * elementBytes();
  run.strides = {runs.front().every / elementBytes()};
  return view;
}

std::optional<WeightView> WeightView::sliced(size_t axis, int64_t offset, int64_t count, int64_t stride) const {
  WeightView view = *this;
  view.shape[axis] = count;
  if (axis == 0 && runs.size() != 1)
    return std::nullopt;
  for (Run &run : view.runs) {
    if (axis == 0) {
      run.offset += offset * run.every;
      run.every *= stride;
      run.count = count;
    } else {
      run.offset += offset * run.strides[axis - 1] * elementBytes();
      run.strides[axis - 1] *= stride;
    }
  }
  return view;
}

std::optional<WeightView> WeightView::reshaped(ArrayRef<int64_t> target) const {
  if (target == ArrayRef(shape))
    return *this;
  if (runs.size() != 1 || runs.front().every % elementBytes())
    return std::nullopt;
  // Strides of all dimensions; those of size 1 may have any.
  SmallVector<int64_t> sizes, strides;
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != 1) {
      sizes.push_back(shape[i]);
      strides.push_back(i ? runs.front().strides[i - 1] : runs.front().every / elementBytes());
    }
  SmallVector<int64_t> all;
  size_t next = 0;
  for (int64_t size : target) {
    if (size == 1) {
      all.push_back(0);
      continue;
    }
    if (next == sizes.size() || size == 0 || sizes[next] % size)
      return std::nullopt;
    // Of a dimension that is split, the first part steps over the others.
    sizes[next] /= size;
    all.push_back(strides[next] * sizes[next]);
    if (sizes[next] == 1)
      ++next;
  }
  if (next != sizes.size() || target.empty())
    return std::nullopt;
  // As if dense, where nothing is stepped over.
  for (size_t i = target.size(); i-- > 0;)
    if (target[i] == 1)
      all[i] = i + 1 < target.size() ? all[i + 1] * target[i + 1] : 1;
  WeightView view = *this;
  view.shape.assign(target.begin(), target.end());
  Run &run = view.runs.front();
  run.count = target.front();
  run.every = all.front() * elementBytes();
  run.strides.assign(all.begin() + 1, all.end());
  return view;
}

std::optional<SmallVector<Attribute>> WeightView::slices() const {
  SmallVector<Attribute> result;
  size_t rank = shape.size();
  ArrayRef<int64_t> inner = ArrayRef(shape).drop_front();
  SmallVector<int64_t> dense = denseStrides(inner);
  int64_t entryBytes = llvm::product_of(inner) * elementBytes();
  for (const Run &run : runs) {
    // Backwards, or again and again, no slice goes.
    if ((run.count > 1 && run.every <= 0) || llvm::any_of(run.strides, [](int64_t stride) { return stride <= 0; }))
      return std::nullopt;
    bool isDense = ArrayRef(run.strides) == ArrayRef(dense);
    bool follows = run.count == 1 || run.every == entryBytes;
    auto add = [&](int64_t rows, int64_t times, int64_t rowStride, int64_t columnStride) {
      result.push_back(moe::SliceAttr::get(element.getContext(), run.tensor, run.file, run.offset, rows, times,
                                           times > 1 ? run.every : 0, rowStride, columnStride));
    };
    if (isDense && follows)
      add(run.count, 1, 0, 0);
    else if (isDense && rank != 2)
      add(1, run.count, 0, 0);
    else if (rank == 2 && run.count == 1)
      add(1, 1, run.strides[0], run.strides[0]);
    else if (rank == 2 && run.every % elementBytes() == 0)
      add(run.count, 1, run.every / elementBytes(), run.strides[0]);
    else if (isDense)
      add(1, run.count, 0, 0);
    else if (rank == 3)
      add(1, run.count, run.strides[0], run.strides[1]);
    else
      return std::nullopt;
  }
  return result;
}
