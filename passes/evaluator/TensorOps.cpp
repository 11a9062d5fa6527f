// Evaluation of the tensor dialect: shapes, slices, and tensors made element by element.
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/evaluator/ElementProgram.h"

using namespace mlir;
using namespace moec::evaluator;

/// Offsets, sizes or strides of which some are known at compile time.
static SmallVector<int64_t> valuesOf(ArrayRef<OpFoldResult> mixed, const Frame &frame) {
  SmallVector<int64_t> values;
  for (OpFoldResult value : mixed)
    values.push_back(isa<Attribute>(value) ? cast<IntegerAttr>(cast<Attribute>(value)).getInt() : frame.index(cast<Value>(value)));
  return values;
}

/// Gives `value` the `elements`, which must be as many as `shape` says and as its type does.
static LogicalResult shaped(Operation *op, Frame &frame, std::vector<double> elements, ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (auto [dim, expected] : llvm::zip(shape, cast<RankedTensorType>(op->getResult(0).getType()).getShape())) {
    if (dim < 0 || (!ShapedType::isDynamic(expected) && dim != expected))
      return op->emitError() << "expected a result of its type, got the shape " << shape;
    count *= dim;
  }
  if (count != int64_t(elements.size()))
    return op->emitError() << "expected a shape for " << elements.size() << " elements, got " << shape;
  frame.set(op->getResult(0), Tensor(std::vector<int64_t>(shape.begin(), shape.end()), std::move(elements)));
  return success();
}

/// The shape of a result whose dynamic dimensions are `sizes`.
static SmallVector<int64_t> shapeOf(Type type, ValueRange sizes, const Frame &frame) {
  SmallVector<int64_t> shape(cast<RankedTensorType>(type).getShape());
  auto size = sizes.begin();
  for (int64_t &dim : shape)
    if (ShapedType::isDynamic(dim))
      dim = frame.index(*size++);
  return shape;
}

/// Whether a tensor of `shape` can be made.
static LogicalResult checkShape(Operation *op, ArrayRef<int64_t> shape, const Frame &frame) {
  constexpr int64_t mostElements = int64_t(1) << 31;
  int64_t count = 1;
  for (int64_t dim : shape) {
    if (dim < 0 || (dim > 0 && count > mostElements / dim))
      return op->emitError() << "expected a shape that fits into memory, got " << shape;
    count *= dim;
  }
  return frame.allocate(op, uint64_t(count));
}

static Tensor zeros(ArrayRef<int64_t> shape) { return Tensor(std::vector<int64_t>(shape.begin(), shape.end())); }

static LogicalResult evaluateEmpty(tensor::EmptyOp op, Frame &frame) {
  SmallVector<int64_t> shape = shapeOf(op.getType(), op.getDynamicSizes(), frame);
  if (failed(checkShape(op, shape, frame)))
    return failure();
  Tensor result = zeros(shape);
  // Nobody is to read what nobody wrote.
  if (isa<FloatType>(op.getType().getElementType()))
    llvm::fill(result.elements, std::numeric_limits<double>::quiet_NaN());
  frame.set(op, std::move(result));
  return success();
}

static LogicalResult evaluateDim(tensor::DimOp op, Frame &frame) {
  const Tensor &source = frame[op.getSource()];
  int64_t dim = frame.index(op.getIndex());
  if (dim < 0 || dim >= int64_t(source.shape.size()))
    return op.emitError() << "expected a dimension of " << source.shape.size() << ", got " << dim;
  frame.set(op, Tensor({}, {double(source.shape[size_t(dim)])}));
  return success();
}

static LogicalResult evaluateCast(tensor::CastOp op, Frame &frame) {
  const Tensor &source = frame[op.getSource()];
  return shaped(op, frame, source.elements, source.shape);
}

static LogicalResult evaluateExtract(tensor::ExtractOp op, Frame &frame) {
  const Tensor &source = frame[op.getTensor()];
  SmallVector<int64_t> place;
  for (Value index : op.getIndices())
    place.push_back(frame.index(index));
  std::optional<size_t> offset = offsetOf(source, place);
  if (!offset)
    return op.emitError() << "expected indices within the tensor, got " << place;
  frame.set(op, Tensor({}, {source.elements[*offset]}));
  return success();
}

static LogicalResult evaluateInsert(tensor::InsertOp op, Frame &frame) {
  Tensor result = frame[op.getDest()];
  SmallVector<int64_t> place;
  for (Value index : op.getIndices())
    place.push_back(frame.index(index));
  std::optional<size_t> offset = offsetOf(result, place);
  if (!offset)
    return op.emitError() << "expected indices within the tensor, got " << place;
  result.elements[*offset] = frame[op.getScalar()].elements.front();
  frame.set(op, std::move(result));
  return success();
}

static LogicalResult evaluateFromElements(tensor::FromElementsOp op, Frame &frame) {
  std::vector<double> elements;
  for (Value element : op.getElements())
    elements.push_back(frame[element].elements.front());
  return shaped(op, frame, std::move(elements), op.getType().getShape());
}

static LogicalResult evaluateSplat(tensor::SplatOp op, Frame &frame) {
  SmallVector<int64_t> shape = shapeOf(op.getType(), op.getDynamicSizes(), frame);
  if (failed(checkShape(op, shape, frame)))
    return failure();
  Tensor result = zeros(shape);
  llvm::fill(result.elements, frame[op.getInput()].elements.front());
  frame.set(op, std::move(result));
  return success();
}

/// Computes every element of `result` by `block`, whose arguments are the element's place.
static LogicalResult generate(Block &block, Frame &frame, Tensor &result, function_ref<bool(ArrayRef<int64_t>)> isWanted) {
  auto program = ElementProgram::make(block, frame);
  if (failed(program))
    return failure();
  LogicalResult status = success();
  size_t offset = 0;
  forEachPlace(result.shape, [&](std::span<const int64_t> span) {
    ArrayRef<int64_t> place(span.data(), span.size());
    size_t at = offset++;
    if (!isWanted(place))
      return true;
    auto yielded = program->run(SmallVector<double>(place.begin(), place.end()), place);
    if (failed(yielded)) {
      status = failure();
      return false;
    }
    result.elements[at] = yielded->front();
    return true;
  });
  return status;
}

static LogicalResult evaluateGenerate(tensor::GenerateOp op, Frame &frame) {
  SmallVector<int64_t> shape = shapeOf(op.getType(), op.getDynamicExtents(), frame);
  if (failed(checkShape(op, shape, frame)))
    return failure();
  Tensor result = zeros(shape);
  if (failed(generate(op.getBody().front(), frame, result, [](ArrayRef<int64_t>) { return true; })))
    return failure();
  frame.set(op, std::move(result));
  return success();
}

static LogicalResult evaluatePad(tensor::PadOp op, Frame &frame) {
  const Tensor &source = frame[op.getSource()];
  SmallVector<int64_t> low = valuesOf(op.getMixedLowPad(), frame), high = valuesOf(op.getMixedHighPad(), frame), shape;
  for (auto [dim, before, behind] : llvm::zip(source.shape, low, high))
    shape.push_back(before + dim + behind);
  if (failed(checkShape(op, shape, frame)))
    return failure();
  Tensor result = zeros(shape);
  auto offsetInSource = [&](ArrayRef<int64_t> place) {
    SmallVector<int64_t> inner;
    for (auto [index, before] : llvm::zip(place, low))
      inner.push_back(index - before);
    return offsetOf(source, inner);
  };
  if (failed(generate(op.getRegion().front(), frame, result, [&](ArrayRef<int64_t> place) { return !offsetInSource(place); })))
    return failure();
  size_t at = 0;
  forEachPlace(result.shape, [&](std::span<const int64_t> place) {
    if (std::optional<size_t> offset = offsetInSource(ArrayRef(place.data(), place.size())))
      result.elements[at] = source.elements[*offset];
    ++at;
    return true;
  });
  frame.set(op, std::move(result));
  return success();
}

static LogicalResult evaluateConcat(tensor::ConcatOp op, Frame &frame) {
  size_t along = size_t(op.getDim());
  std::vector<int64_t> shape = frame[op.getInputs().front()].shape;
  int64_t total = 0;
  for (Value input : op.getInputs()) {
    std::vector<int64_t> other = frame[input].shape;
    total += other[along];
    other[along] = shape[along];
    if (other != shape)
      return op.emitError() << "expected inputs alike but for dimension " << along << ", got " << ArrayRef(frame[input].shape);
  }
  shape[along] = total;
  int64_t outer = 1;
  for (int64_t dim : ArrayRef(shape).take_front(along))
    outer *= dim;
  std::vector<double> elements;
  for (int64_t i = 0; i < outer; ++i)
    for (Value input : op.getInputs()) {
      ArrayRef<double> all = frame[input].elements;
      size_t piece = all.size() / size_t(outer);
      llvm::append_range(elements, all.slice(size_t(i) * piece, piece));
    }
  return shaped(op, frame, std::move(elements), shape);
}

/// Visits the offsets of a slice in `whole`, in order; fails after an error when it reaches beyond.
static LogicalResult forSlice(OffsetSizeAndStrideOpInterface op, const Frame &frame, const Tensor &whole,
                              function_ref<void(size_t)> visit) {
  SmallVector<int64_t> offsets = valuesOf(op.getMixedOffsets(), frame), strides = valuesOf(op.getMixedStrides(), frame);
  SmallVector<int64_t> sizes = valuesOf(op.getMixedSizes(), frame);
  LogicalResult status = llvm::any_of(sizes, [](int64_t size) { return size < 0; })
                             ? op->emitError() << "expected sizes of 0 or more, got " << sizes
                             : success();
  if (failed(status))
    return status;
  forEachPlace(sizes, [&](std::span<const int64_t> place) {
    SmallVector<int64_t> at;
    for (auto [offset, index, stride] : llvm::zip(offsets, place, strides))
      at.push_back(offset + index * stride);
    std::optional<size_t> offset = offsetOf(whole, at);
    if (offset)
      visit(*offset);
    else
      status = op->emitError() << "expected a slice within the shape " << ArrayRef(whole.shape) << ", got offsets " << offsets
                               << ", sizes " << sizes << ", strides " << strides;
    return offset.has_value();
  });
  return status;
}

static LogicalResult evaluateExtractSlice(tensor::ExtractSliceOp op, Frame &frame) {
  const Tensor &source = frame[op.getSource()];
  std::vector<double> elements;
  if (failed(forSlice(op, frame, source, [&](size_t offset) { elements.push_back(source.elements[offset]); })))
    return failure();
  SmallVector<int64_t> sizes = valuesOf(op.getMixedSizes(), frame), shape;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [dim, size] : llvm::enumerate(sizes))
    if (!dropped.test(unsigned(dim)))
      shape.push_back(size);
  return shaped(op, frame, std::move(elements), shape);
}

static LogicalResult evaluateInsertSlice(tensor::InsertSliceOp op, Frame &frame) {
  const Tensor &source = frame[op.getSource()];
  Tensor result = frame[op.getDest()];
  size_t next = 0;
  if (failed(forSlice(op, frame, result, [&](size_t offset) {
        if (next < source.elements.size())
          result.elements[offset] = source.elements[next];
        ++next;
      })))
    return failure();
  if (next != source.elements.size())
    return op.emitError() << "expected a source of " << next << " elements, got " << source.elements.size();
  frame.set(op, std::move(result));
  return success();
}

static LogicalResult evaluateExpandShape(tensor::ExpandShapeOp op, Frame &frame) {
  return shaped(op, frame, frame[op.getSrc()].elements, valuesOf(op.getMixedOutputShape(), frame));
}

static LogicalResult evaluateCollapseShape(tensor::CollapseShapeOp op, Frame &frame) {
  const Tensor &source = frame[op.getSrc()];
  SmallVector<int64_t> shape;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    int64_t dim = 1;
    for (int64_t index : group)
      dim *= source.shape[size_t(index)];
    shape.push_back(dim);
  }
  return shaped(op, frame, source.elements, shape);
}

static LogicalResult evaluateReshape(tensor::ReshapeOp op, Frame &frame) {
  const std::vector<double> &dims = frame[op.getShape()].elements;
  return shaped(op, frame, frame[op.getSource()].elements, SmallVector<int64_t>(dims.begin(), dims.end()));
}

void moec::evaluator::populateTensorOps(OpTable &table) {
  table.add(evaluateEmpty);
  table.add(evaluateDim);
  table.add(evaluateCast);
  table.add(evaluateExtract);
  table.add(evaluateInsert);
  table.add(evaluateFromElements);
  table.add(evaluateSplat);
  table.add(evaluateGenerate);
  table.add(evaluatePad);
  table.add(evaluateConcat);
  table.add(evaluateExtractSlice);
  table.add(evaluateInsertSlice);
  table.add(evaluateExpandShape);
  table.add(evaluateCollapseShape);
  table.add(evaluateReshape);
}
