// Scan: a loop over the entries of its inputs, since opset 9 along any axes, before that for each sequence of a batch.
#include "importers/onnx/Operators.h"
#include "importers/onnx/operators/Loops.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

/// Entry `index` along `axis`, without that dimension.
static Tensor entryOf(Emitter &e, const Tensor &tensor, int64_t axis, const Extent &index) {
  Tensor cut = e.sliceAxis(tensor, axis, index, 1);
  Shape shape = cut.shape;
  shape.erase(shape.begin() + axis);
  return e.reshape(cut, shape);
}

static Tensor reversed(Emitter &e, const Tensor &tensor) {
  Value source = e.value(tensor), last = e.extents.value(e.extents.subtract(tensor.shape[0], 1));
  return e.generate(tensor.shape, tensor.type, [&](Scalars &s, ValueRange at) -> Value {
    SmallVector<Value> place(at);
    place[0] = s.subtract(last, place[0]);
    return tensor::ExtractOp::create(s.b, source, place);
  });
}

namespace {
/// An input of which each turn takes an entry.
struct Scanned {
  Tensor tensor;
  int64_t axis;
  bool isBackward;
};

struct Body {
  const Graph *graph;
  size_t states, scanned; ///< how many inputs are carried on, and how many an entry is taken of
};
} // namespace

/// A turn of `body` for each of `count` entries: what is carried, then what is collected.
static FailureOr<Tensors> scanEntries(Call &call, const Graph &body, const Extent &count, const Tensors &carried,
                                      ArrayRef<Scanned> inputs) {
  Extents &x = call.e.extents;
  return runLoop(call, x.value(count), Value(), carried, [&](Value index, Value, ArrayRef<Tensor> inside) -> FailureOr<Turn> {
    Tensors arguments(inside);
    Extent forward = x.of(index, true), backward = x.subtract(x.subtract(count, 1), forward);
    for (const Scanned &input : inputs)
      arguments.push_back(entryOf(call.e, input.tensor, input.axis, input.isBackward ? backward : forward));
    FailureOr<Tensors> made = call.build(body, arguments);
    if (failed(made))
      return failure();
    Turn turn;
    turn.carried.append(made->begin(), made->begin() + carried.size());
    turn.entries.append(made->begin() + carried.size(), made->end());
    return turn;
  });
}

/// The graph of a turn, for a node of which `given` inputs are states or scanned.
static FailureOr<Body> bodyOf(Call &call, size_t given) {
  const Graph *graph = call.graph("body");
  int64_t scanned = call.integer("num_scan_inputs", 0);
  if (!graph)
    return failure();
  if (scanned < 1 || scanned > static_cast<int64_t>(given))
    return call.refuse("attribute 'num_scan_inputs': expected 1 to " + Twine(given) + ", got " + Twine(scanned));
  size_t states = given - scanned;
  if (graph->inputs.size() != given || graph->outputs.size() < states || graph->outputs.size() < call.outputCount())
    return call.refuse("body: expected as many inputs and outputs as the node has");
  return Body{graph, states, static_cast<size_t>(scanned)};
}

static LogicalResult scan(Call &call) {
  Emitter &e = call.e;
  FailureOr<Body> found = bodyOf(call, call.inputCount());
  if (failed(found))
    return failure();
  auto [body, states, scanned] = *found;
  size_t collected = body->outputs.size() - states;
  auto list = [&](StringRef name, size_t count) {
    std::vector<int64_t> values = call.integers(name);
    values.resize(count, 0);
    return values;
  };
  std::vector<int64_t> axes = list("scan_input_axes", scanned), directions = list("scan_input_directions", scanned);
  std::vector<int64_t> outAxes = list("scan_output_axes", collected), outDirections = list("scan_output_directions", collected);
  Tensors carried;
  std::vector<Scanned> inputs;
  Extent count;
  for (size_t index = 0; index < call.inputCount(); ++index) {
    if (!call.has(index))
      return call.refuse("expected a value for input " + Twine(index));
    if (index < states) {
      carried.push_back(call.in(index));
      continue;
    }
    size_t which = index - states;
    FailureOr<int64_t> axis = call.axis(axes[which], call.in(index).rank(), "scan_input_axes");
    if (failed(axis))
      return failure();
    inputs.push_back({e.tensor(e.value(call.in(index)), call.in(index).type, call.in(index).shape), *axis, directions[which] != 0});
    const Extent &length = call.in(index).shape[*axis];
    if (which == 0)
      count = length;
    if (length.isConstant() && count.isConstant() && length != count)
      return call.refuse("expected scanned inputs of one length, got " + Twine(count.constant()) + " and " +
                         Twine(length.constant()));
    e.requireEqual(length, count, call.place() + ": scanned inputs are not of one length");
  }
  FailureOr<Tensors> results = scanEntries(call, *body, count, carried, inputs);
  if (failed(results))
    return failure();
  for (auto [index, result] : llvm::enumerate(*results)) {
    if (index >= states) {
      size_t which = index - states;
      FailureOr<int64_t> axis = call.axis(outAxes[which], result.rank(), "scan_output_axes");
      if (failed(axis))
        return failure();
      // As many entries as turns.
      Shape shape = result.shape;
      shape[0] = count;
      result = e.tensor(result.value, result.type, shape);
      if (outDirections[which])
        result = reversed(e, result);
      SmallVector<int64_t> permutation;
      for (int64_t dim = 1; dim < result.rank(); ++dim)
        permutation.push_back(dim);
      permutation.insert(permutation.begin() + *axis, 0);
      result = e.transpose(result, permutation);
    }
    call.give(index, result);
  }
  return success();
}

/// `tensor` with zeros behind its entries, so that there are `length`.
static Tensor padded(Emitter &e, const Tensor &tensor, const Extent &length) {
  if (tensor.shape[0] == length)
    return tensor;
  Shape shape = tensor.shape;
  shape[0] = length;
  Value zeros = e.filled(shape, tensor.type, 0).value;
  SmallVector<OpFoldResult> offsets(shape.size(), e.b.getIndexAttr(0)), strides(shape.size(), e.b.getIndexAttr(1));
  return e.tensor(tensor::InsertSliceOp::create(e.b, e.value(tensor), zeros, offsets, e.extents.sizes(tensor.shape), strides),
                  tensor.type, shape);
}

/// The version of opset 8: the first dimension of everything is the batch's, whose sequences each have a state of their own, and
/// may be shorter than the longest. What lies behind a sequence's end is undefined: zeros here, as in ONNX Runtime.
static LogicalResult scanOfBatch(Call &call) {
  Emitter &e = call.e;
  size_t given = std::max<size_t>(call.inputCount(), 1) - 1; // behind the lengths
  FailureOr<Body> found = bodyOf(call, given);
  if (failed(found))
    return failure();
  auto [body, states, scanned] = *found;
  std::vector<int64_t> directions = call.integers("directions");
  directions.resize(scanned, 0);
  Tensors inputs;
  Extent batch, length;
  for (size_t index = 0; index < given; ++index) {
    int64_t least = index < states ? 1 : 2;
    if (!call.has(index + 1) || call.in(index + 1).rank() < least)
      return call.refuse("expected input " + Twine(index + 1) + " to have at least " + Twine(least) + " dimensions");
    const Tensor &input = call.in(index + 1);
    inputs.push_back(e.tensor(e.value(input), input.type, input.shape));
    if (index == 0)
      batch = input.shape[0];
    if (index == states)
      length = input.shape[1];
    const Extent &own = index < states ? length : input.shape[1];
    if ((input.shape[0].isConstant() && batch.isConstant() && input.shape[0] != batch) ||
        (own.isConstant() && length.isConstant() && own != length))
      return call.refuse("expected inputs of one batch and scanned ones of one length, got " + spelled(input.shape));
    e.requireEqual(input.shape[0], batch, call.place() + ": inputs are not of one batch");
    e.requireEqual(own, length, call.place() + ": scanned inputs are not of one length");
  }
  Value lengths;
  if (call.has(0)) {
    const Tensor &lens = call.in(0);
    if (lens.type != DataType::Int64 || lens.rank() != 1 ||
        (lens.shape[0].isConstant() && batch.isConstant() && lens.shape[0] != batch))
      return call.refuse("sequence_lens: expected int64, one for each sequence, got " + nameOf(lens.type) + " " +
                         spelled(lens.shape));
    e.requireEqual(lens.shape[0], batch, call.place() + ": sequence_lens are not one for each sequence");
    lengths = e.value(lens);
  }
  auto ofSequence = [&](Value sequence) -> FailureOr<Turn> {
    Extent which = e.extents.of(sequence, true), own = length;
    if (lengths) {
      Scalars s(e.b);
      Value count = s.toIndex(tensor::ExtractOp::create(e.b, lengths, sequence));
      e.require(s.both(s.lessOrEqual(s.index(0), count), s.lessOrEqual(count, e.extents.value(length))),
                call.place() + ": sequence_lens: expected 0 to the length of the scanned inputs");
      own = e.extents.of(count, true);
    }
    Tensors carried;
    std::vector<Scanned> scannedInputs;
    for (auto [index, input] : llvm::enumerate(inputs))
      if (Tensor entry = entryOf(e, input, 0, which); index < states)
        carried.push_back(entry);
      else
        scannedInputs.push_back({entry, 0, directions[index - states] != 0});
    FailureOr<Tensors> results = scanEntries(call, *body, own, carried, scannedInputs);
    if (failed(results))
      return failure();
    Turn turn;
    for (auto [index, result] : llvm::enumerate(*results)) {
      if (index >= states) { // as many entries as turns
        if (!llvm::all_of(ArrayRef(result.shape).drop_front(), [](const Extent &size) { return size.isConstant(); })) {
          Scalars s(e.b);
          e.require(s.less(s.index(0), e.extents.value(own)),
                    call.place() + ": expected no sequence of length 0, whose outputs' sizes nothing tells");
        }
        result.shape[0] = own;
        result = padded(e, e.tensor(result.value, result.type, result.shape), length);
      }
      turn.entries.push_back(result);
    }
    return turn;
  };
  auto results = runLoop(call, e.extents.value(batch), Value(), {},
                         [&](Value index, Value, ArrayRef<Tensor>) -> FailureOr<Turn> { return ofSequence(index); });
  if (failed(results))
    return failure();
  for (auto [index, result] : llvm::enumerate(*results)) {
    result.shape[0] = batch;
    call.give(index, e.tensor(result.value, result.type, result.shape));
  }
  return success();
}

ArrayRef<Operator> onnx::scanOperators() {
  static constexpr Operator operators[] = {{"Scan", scanOfBatch, 0, anyNumber, anyNumber, 8, 8},
                                           {"Scan", scan, 1, anyNumber, anyNumber, 9}};
  return operators;
}
