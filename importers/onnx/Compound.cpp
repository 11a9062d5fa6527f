// Sequences are packed, and optional values joined with their flags, where what they are is known only when it runs.
#include "importers/onnx/Compound.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

Ranks onnx::join(Ranks a, Ranks b) {
  if (a.kind == Ranks::None || b.kind == Ranks::None)
    return a.kind == Ranks::None ? b : a;
  if (a.kind == Ranks::Unknown || b.kind == Ranks::Unknown)
    return {Ranks::Unknown, 0};
  return a == b ? a : Ranks{Ranks::AtMost, std::max(a.most, b.most)};
}

std::optional<bool> Optional::known() const {
  if (!isPresent.elements || !isPresent.elements->front().isConstant())
    return std::nullopt;
  return !isPresent.elements->front().is(0);
}

Tensor onnx::asValue(Sequence sequence) {
  Tensor value;
  value.sequence = std::make_shared<const Sequence>(std::move(sequence));
  return value;
}
Tensor onnx::asValue(Optional optional) {
  Tensor value;
  value.optional = std::make_shared<const Optional>(std::move(optional));
  return value;
}

Tensor onnx::asText(const Tensor &bytes) {
  Tensor value;
  value.type = DataType::String;
  value.text = std::make_shared<const Tensor>(bytes);
  value.shape.assign(bytes.shape.begin(), bytes.shape.end() - 1);
  return value;
}

StringRef onnx::kindOf(const Tensor &value) {
  return value.sequence ? "a sequence" : value.optional ? "an optional value" : value.text ? "strings" : "a tensor";
}

static Ranks ranksOf(const Sequence &sequence) {
  if (!sequence.list)
    return sequence.ranks;
  Ranks ranks;
  for (const Tensor &element : *sequence.list)
    ranks = join(ranks, Ranks{Ranks::Equal, element.rank()});
  return ranks;
}

Form onnx::formOf(const Tensor &value) {
  if (value.optional) {
    Form form = value.optional->form;
    form.isOptional = true;
    return form;
  }
  if (value.sequence)
    return {false, true, value.sequence->type, ranksOf(*value.sequence)};
  return {false, false, value.type, {Ranks::Equal, value.rank()}};
}

FailureOr<Form> onnx::join(Call &call, const Form &a, const Form &b) {
  Form both{a.isOptional || b.isOptional, a.isSequence, a.type, join(a.ranks, b.ranks)};
  if (a.isSequence != b.isSequence)
    return call.refuse("If and loops: expected values of one kind, got a sequence and a tensor");
  if ((a.type == DataType::String) != (b.type == DataType::String))
    return call.refuse("If and loops: expected values of one type, got " + nameOf(a.type) + " and " + nameOf(b.type));
  bool isPlain = !both.isOptional && !both.isSequence; // held to each other elsewhere
  if (isPlain)
    both.ranks = a.ranks;
  if (!isPlain && a.type != b.type)
    return call.refuse("If and loops: expected elements of one type, got " + nameOf(a.type) + " and " + nameOf(b.type));
  if (!both.isSequence && both.ranks.kind == Ranks::AtMost)
    return call.refuse("If and loops: expected optional tensors of one rank, got " + Twine(a.ranks.most) + " and " +
                       Twine(b.ranks.most));
  return both;
}

bool onnx::countElements(Emitter &e, ArrayRef<Tensor> elements) {
  for (const Tensor &element : elements) {
    uint64_t cost = 1 + element.shape.size() + (element.elements ? element.elements->size() / 4 : 0); // what each takes of memory
    if (e.sequenceElements < cost)
      return false;
    e.sequenceElements -= cost;
  }
  return true;
}

Tensor onnx::widened(Emitter &e, const Tensor &shapes, const Extent &columns) {
  if (shapes.shape[1] == columns)
    return shapes;
  Shape before = {shapes.shape[0], e.extents.subtract(columns, shapes.shape[1])}, all = {shapes.shape[0], columns};
  Tensor joined = e.concat({e.filled(before, DataType::Int64, -1), shapes}, 1);
  return e.tensor(joined.value, DataType::Int64, all);
}

/// The list's elements one after another, and their sizes.
static Sequence packedList(Emitter &e, const Sequence &sequence) {
  Sequence result;
  result.type = sequence.type;
  result.ranks = ranksOf(sequence);
  Tensors flat;
  SmallVector<Extent> sizes;
  for (const Tensor &element : *sequence.list) {
    flat.push_back(e.reshape(element, {e.extents.product(element.shape)}));
    sizes.append(result.ranks.most - element.rank(), Extent(-1));
    llvm::append_range(sizes, element.shape);
  }
  result.scalars = flat.empty() ? e.filled({0}, result.type, 0) : e.concat(flat, 0);
  Shape shape = {sequence.length(), result.ranks.most};
  result.shapes = sizes.empty() ? e.filled(shape, DataType::Int64, 0) : e.known(sizes, shape);
  return result;
}

Sequence onnx::packed(Emitter &e, const Sequence &sequence, Ranks ranks) {
  Sequence result = sequence.list ? packedList(e, sequence) : sequence;
  if (result.ranks.kind == Ranks::None && ranks.kind != Ranks::None) // no row, so any columns
    result.shapes = e.filled({result.shapes.shape[0], ranks.most}, DataType::Int64, 0);
  else if (ranks.kind == Ranks::AtMost)
    result.shapes = widened(e, result.shapes, ranks.most);
  result.ranks = ranks;
  return result;
}

/// Stands for what is absent.
static Tensor nothing(Emitter &e, const Form &form) {
  if (form.isSequence)
    return asValue(Sequence{form.type, std::vector<Tensor>(), {}, {}, {}});
  return e.filled(Shape(form.ranks.kind == Ranks::None ? 1 : form.ranks.most, Extent(0)), form.type, 0);
}

LogicalResult onnx::takeApart(Emitter &e, const Tensor &value, const Form &form, Tensors &parts) {
  Tensor inner = value;
  if (form.isOptional) {
    parts.push_back(value.optional ? value.optional->isPresent : e.known({1}, {}, DataType::Bool));
    if (value.optional)
      inner = value.optional->known() == false ? nothing(e, form) : value.optional->payload;
  }
  if (!inner.sequence) {
    parts.push_back(inner.text ? *inner.text : inner);
    return success();
  }
  if (inner.sequence->list && !countElements(e, *inner.sequence->list))
    return failure();
  Sequence sequence = packed(e, *inner.sequence, form.ranks);
  parts.push_back(sequence.scalars);
  parts.push_back(sequence.shapes);
  return success();
}

Tensor onnx::putTogether(Emitter &e, ArrayRef<Tensor> parts, const Form &form) {
  if (form.isOptional) {
    Form payload = form;
    payload.isOptional = false;
    return asValue(Optional{parts.front(), putTogether(e, parts.drop_front(), payload), payload});
  }
  if (!form.isSequence)
    return form.type == DataType::String ? asText(parts.front()) : parts.front();
  return asValue(Sequence{form.type, std::nullopt, parts[0], parts[1], form.ranks});
}

/// More scalars than any sequence has; a larger count is taken to be this, so that products of two fit.
constexpr int64_t tooManyScalars = int64_t(1) << 31;

Tensor onnx::countsOf(Emitter &e, const Tensor &shapes) {
  Tensor counts = e.reduce(shapes, {1}, 1, [](Scalars &s, ValueRange x) {
    Value size = s.select(s.less(x[0], s.like(x[0], 0)), s.like(x[0], 1), x[0]);
    return s.minimum(s.multiply(s.minimum(size, s.like(size, tooManyScalars)), x[1]), s.like(size, tooManyScalars));
  });
  return e.reshape(counts, {shapes.shape[0]});
}

Value onnx::haveSize(Emitter &e, const Tensor &shapes, int64_t dim, Value size) {
  Tensor differ = e.reduce(e.sliceAxis(shapes, 1, dim, 1), {0, 1}, 0, [&](Scalars &s, ValueRange values) {
    return s.select(s.equal(s.toIndex(values[0]), size), values[1], s.like(values[1], 1));
  });
  Scalars s(e.b);
  Value differs = e.scalar(differ);
  return s.equal(differs, s.like(differs, 0));
}

void onnx::requirePacked(Emitter &e, const Sequence &sequence, const Twine &name) {
  Scalars s(e.b);
  Value elements = e.extents.value(sequence.shapes.shape[0]), columns = e.extents.value(sequence.shapes.shape[1]),
        scalars = e.extents.value(sequence.scalars.shape[0]);
  // Without sizes each element is a scalar. Held first: rows of no sizes take no memory, however many a file says there are.
  e.require(s.either(s.less(s.index(0), columns), s.equal(elements, scalars)),
            name + ": expected as many scalars as elements of no dimensions");
  double least = sequence.ranks.kind == Ranks::Equal ? 0 : -1;
  Tensor lowest = e.reduce(sequence.shapes, {0, 1}, 0, [](Scalars &s, ValueRange x) { return s.minimum(x[0], x[1]); });
  Tensor highest = e.reduce(sequence.shapes, {0, 1}, 0, [](Scalars &s, ValueRange x) { return s.maximum(x[0], x[1]); });
  Tensor total = e.sum(countsOf(e, sequence.shapes), {0});
  Value low = e.scalar(lowest), high = e.scalar(highest);
  e.require(s.both(s.lessOrEqual(s.like(low, least), low), s.less(high, s.like(high, tooManyScalars))),
            name + ": expected sizes of elements of at least 0 and less than 2^31");
  e.require(s.both(s.equal(s.toIndex(e.scalar(total)), scalars), s.less(scalars, s.index(tooManyScalars))),
            name + ": expected as many scalars as the elements' shapes say");
}
