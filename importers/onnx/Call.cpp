// Attributes by name and type, inputs by position, and the checks that many operators share.
#include "importers/onnx/Call.h"
#include "importers/onnx/Compound.h"
#include "importers/onnx/GraphBuilder.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

Call::Call(const Node &node, int64_t opset, SmallVector<const Tensor *, 4> inputs, const Bindings *bindings, GraphBuilder &graph)
    : e(graph.shared.emitter), node(node), version(opset), inputs(std::move(inputs)), bindings(bindings), builder(graph) {}

std::string Call::place() const { return ("node '" + node.name + "' (" + node.type + ")").str(); }

LogicalResult Call::refuse(const Twine &why) {
  if (builder.shared.problem.empty())
    builder.shared.problem = (place() + ": " + why).str();
  return failure();
}

bool Call::hasFailed() const { return !builder.shared.problem.empty(); }

void Call::give(size_t index, Tensor tensor) {
  if (wants(index))
    builder.define(node.outputs[index], std::move(tensor));
}

const onnx::Attribute *Call::find(StringRef name, AttributeType type) {
  auto own = llvm::find_if(node.attributes, [&](const onnx::Attribute &attribute) { return attribute.name == name; });
  if (own == node.attributes.end())
    return nullptr;
  const onnx::Attribute *found = &*own;
  seen.push_back(found);
  if (!found->reference.empty())
    found = bindings ? bindings->lookup(found->reference) : nullptr;
  if (!found || type == AttributeType::Undefined || found->type == type)
    return found;
  (void)refuse("attribute '" + name + "': expected " + nameOf(type) + ", got " + nameOf(found->type));
  return nullptr;
}

const onnx::Attribute *Call::unread() const {
  for (const onnx::Attribute &attribute : node.attributes)
    if (!llvm::is_contained(seen, &attribute))
      return &attribute;
  return nullptr;
}

int64_t Call::integer(StringRef name, int64_t absent) {
  const onnx::Attribute *found = find(name, AttributeType::Int);
  return found ? found->integer : absent;
}
double Call::number(StringRef name, double absent) {
  const onnx::Attribute *found = find(name, AttributeType::Float);
  return found ? found->number : absent;
}
StringRef Call::text(StringRef name, StringRef absent) {
  const onnx::Attribute *found = find(name, AttributeType::String);
  return found ? found->text : absent;
}
std::vector<int64_t> Call::integers(StringRef name) {
  const onnx::Attribute *found = find(name, AttributeType::Ints);
  return found ? found->integers() : std::vector<int64_t>();
}
std::vector<float> Call::numbers(StringRef name) {
  const onnx::Attribute *found = find(name, AttributeType::Floats);
  return found ? found->numbers() : std::vector<float>();
}
const StoredTensor *Call::tensor(StringRef name) {
  const onnx::Attribute *found = find(name, AttributeType::Tensor);
  return found ? found->tensor.get() : nullptr;
}
const Graph *Call::graph(StringRef name) {
  const onnx::Attribute *found = find(name, AttributeType::Graph);
  if (!found || !found->graph)
    (void)refuse("attribute '" + name + "': expected a graph, got none");
  return found ? found->graph.get() : nullptr;
}

const ValueInfo *Call::declared(StringRef name) {
  const onnx::Attribute *found = find(name, AttributeType::TypeProto);
  return found ? found->declared.get() : nullptr;
}

FailureOr<int64_t> Call::axis(int64_t value, int64_t rank, StringRef name) {
  if (value < -rank || value >= rank)
    return refuse("attribute '" + name + "': expected an axis of " + Twine(rank) + " dimensions, got " + Twine(value));
  return value < 0 ? value + rank : value;
}

FailureOr<SmallVector<int64_t>> Call::axes(ArrayRef<Extent> values, int64_t rank, StringRef name) {
  SmallVector<int64_t> result;
  for (const Extent &value : values) {
    if (!value.isConstant())
      return refuse(name + ": expected numbers known before it runs");
    FailureOr<int64_t> one = axis(value.constant(), rank, name);
    if (failed(one))
      return failure();
    if (llvm::is_contained(result, *one))
      return refuse("attribute '" + name + "': expected distinct axes, got " + Twine(*one) + " twice");
    result.push_back(*one);
  }
  return result;
}

FailureOr<Shape> Call::broadcastShape(ArrayRef<Tensor> tensors) {
  Shape shape;
  for (const Tensor &tensor : tensors)
    if (tensor.shape.size() > shape.size())
      shape.insert(shape.begin(), tensor.shape.size() - shape.size(), Extent(1));
  for (const Tensor &tensor : tensors)
    for (auto [result, size] : llvm::zip(MutableArrayRef<Extent>(shape).take_back(tensor.rank()), tensor.shape)) {
      if (size == result || size.is(1))
        continue;
      if (result.is(1)) {
        result = size;
      } else if (size.isConstant() && result.isConstant()) {
        return refuse("shapes do not broadcast: " + spelled(tensors.front().shape) + " and " + spelled(tensor.shape));
      } else if (size.isConstant()) {
        result = size;
      } else if (!result.isConstant()) {
        result = e.extents.ifEqual(result, 1, size, result);
      }
    }
  return shape;
}

LogicalResult Call::sameType(size_t a, size_t b) {
  return expect(in(a).type == in(b).type, "expected inputs of one type, got " + nameOf(in(a).type) + " and " + nameOf(in(b).type));
}

LogicalResult Call::elementwise(ArrayRef<Tensor> tensors, ElementFunction element, DataType type) {
  FailureOr<Shape> shape = broadcastShape(tensors);
  if (failed(shape))
    return failure();
  give(0, e.map(tensors, *shape, type == DataType::Undefined ? tensors.front().type : type, element));
  return success();
}

FailureOr<SmallVector<Tensor, 2>> Call::build(const Graph &graph, ArrayRef<Tensor> arguments, bool takesCompounds) {
  if (arguments.size() != graph.inputs.size())
    return refuse("body: expected a graph of " + Twine(arguments.size()) + " inputs, got " + Twine(graph.inputs.size()));
  GraphBuilder inner(builder.shared, builder.opsets, bindings, &builder);
  for (auto [input, argument] : llvm::zip(graph.inputs, arguments))
    inner.define(input.name, argument);
  if (failed(inner.build(graph)))
    return failure();
  SmallVector<Tensor, 2> results;
  for (const ValueInfo &output : graph.outputs) {
    results.push_back(*inner.find(output.name));
    if (!takesCompounds && !results.back().isTensor())
      return refuse("body: output '" + output.name + "': expected a tensor, got " + kindOf(results.back()));
  }
  return results;
}
