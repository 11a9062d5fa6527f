// Walks nodes in order: finds the operator or the function, hands over inputs, holds results to what is allowed.
#include "importers/onnx/GraphBuilder.h"
#include "importers/onnx/Compound.h"
#include "importers/onnx/Operators.h"
#include "importers/onnx/ShapeFolding.h"
#include "importers/onnx/Topology.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

LogicalResult GraphBuilder::refuse(const Twine &why) {
  if (shared.problem.empty())
    shared.problem = why.str();
  return failure();
}

const Tensor *GraphBuilder::find(StringRef name) const {
  for (const GraphBuilder *graph = this; graph; graph = graph->outer)
    if (auto found = graph->values.find(name); found != graph->values.end())
      return &found->second;
  return nullptr;
}

void GraphBuilder::define(StringRef name, Tensor tensor) {
  int64_t elements = 1;
  for (const Extent &extent : tensor.shape)
    if (extent.isConstant() && llvm::MulOverflow(elements, std::max<int64_t>(extent.constant(), 1), elements))
      (void)refuse("value '" + name + "': its sizes overflow 63 bits");
  if (tensor.stored && !tensor.elements)
    tensor.elements = shared.emitter.weights.integers(*tensor.stored);
  if (tensor.elements && tensor.elements->size() > 4) { // beyond what lies in the tensor itself
    bool keep = shared.knownElements >= tensor.elements->size() && tensor.elements->size() <= 64;
    if (keep)
      shared.knownElements -= tensor.elements->size();
    else if (!tensor.value && !tensor.stored)
      tensor.value = shared.emitter.value(tensor);
    if (!keep)
      tensor.elements.reset();
  }
  values[name] = std::move(tensor);
}

/// A stored tensor as a value; nothing is made of it before it is used.
static Tensor fromStored(const StoredTensor &stored, WeightTable &weights) {
  Tensor tensor;
  tensor.type = weights.seenAs(stored.type);
  tensor.stored = &stored;
  tensor.shape.assign(stored.dims.begin(), stored.dims.end());
  return tensor;
}

LogicalResult GraphBuilder::build(const Graph &graph) {
  if (shared.depth == 100)
    return refuse("graphs and functions nest deeper than the limit of 100");
  ++shared.depth;
  for (const StoredTensor &stored : graph.initializers)
    if (stored.type == DataType::String || !onnx::typeOf(stored.type, shared.emitter.b.getContext()))
      return refuse("tensor '" + stored.name + "': tensors of " + nameOf(stored.type) + " are not supported");
    else
      define(stored.name, fromStored(stored, shared.emitter.weights));
  for (const Node &node : graph.nodes)
    if (failed(buildNode(node)) || !shared.problem.empty())
      return failure();
  for (const ValueInfo &output : graph.outputs)
    if (!find(output.name))
      return refuse("graph '" + graph.name + "': output '" + output.name + "' is given by nothing in its body");
  --shared.depth;
  return success();
}

LogicalResult GraphBuilder::buildNode(const Node &node) {
  Emitter &e = shared.emitter;
  std::string place = ("node '" + node.name + "' (" + node.type + ")").str();
  e.b.setLoc(NameLoc::get(e.b.getStringAttr(node.name + " (" + node.type + ")")));
  if (shared.nodes-- == 0)
    return refuse(place + ": loops within loops whose sizes change make more nodes than the limit");
  if (const Function *function = shared.functions.lookup(keyOf(node.domain, node.type, node.overload)))
    return callFunction(node, *function);

  auto imported = opsets.find(node.domain);
  int64_t opset = imported == opsets.end() ? 1 : imported->second;
  if (node.domain.empty() && imported == opsets.end())
    return refuse(place + ": expected an opset_import of the default domain, got none");
  const Operator *op = findOperator(node.domain, node.type, opset);
  if (!op)
    return refuse("node '" + node.name + "': operator " + node.type + " (" + (node.domain.empty() ? "ai.onnx" : node.domain) +
                  ", opset " + Twine(opset) + ") is not supported");
  if (node.inputs.size() < op->minInputs || node.inputs.size() > op->maxInputs)
    return refuse(place + ": expected " + Twine(op->minInputs) +
                  (op->maxInputs == anyNumber ? Twine(" or more") : " to " + Twine(op->maxInputs)) + " inputs, got " +
                  Twine(node.inputs.size()));
  if (node.outputs.size() > op->maxOutputs)
    return refuse(place + ": expected at most " + Twine(op->maxOutputs) + " outputs, got " + Twine(node.outputs.size()));
  SmallVector<const Tensor *, 4> inputs;
  for (auto [index, name] : llvm::enumerate(node.inputs)) {
    inputs.push_back(name.empty() ? nullptr : find(name));
    if (!inputs.back() && index < op->minInputs)
      return refuse(place + ": expected input " + Twine(index) + ", got none");
    if (inputs.back() && !inputs.back()->isTensor() && !op->takesCompounds)
      return refuse(place + ": input " + Twine(index) + ": expected a tensor, got " + kindOf(*inputs.back()));
  }
  Call call(node, opset, std::move(inputs), bindings, *this);
  if (node.domain.empty() && succeeded(foldShape(call)))
    return success();
  if (!shared.problem.empty() || failed(op->build(call)))
    return shared.problem.empty() ? refuse(place + ": is not supported in this form") : failure();
  if (const onnx::Attribute *unread = call.unread())
    return refuse(place + ": attribute '" + unread->name + "' is not understood");
  for (StringRef output : node.outputs)
    if (!output.empty() && !values.count(output))
      return refuse(place + ": output '" + output + "' is not supported");
  if (e.extents.hasOverflowed())
    return refuse(place + ": its sizes overflow 63 bits");
  if (!e.weights.problem.empty())
    return refuse(place + ": " + e.weights.problem);
  return success();
}

LogicalResult GraphBuilder::callFunction(const Node &node, const Function &function) {
  if (node.inputs.size() > function.inputs.size() || node.outputs.size() > function.outputs.size())
    return refuse("node '" + node.name + "' (" + node.type + "): expected at most " + Twine(function.inputs.size()) +
                  " inputs and " + Twine(function.outputs.size()) + " outputs as the function has, got " +
                  Twine(node.inputs.size()) + " and " + Twine(node.outputs.size()));
  Bindings given;
  for (const onnx::Attribute &attribute : function.defaults)
    given[attribute.name] = &attribute;
  for (const onnx::Attribute &attribute : node.attributes) {
    const onnx::Attribute *value = &attribute;
    if (!attribute.reference.empty())
      value = bindings ? bindings->lookup(attribute.reference) : nullptr;
    if (value)
      given[attribute.name] = value;
  }
  GraphBuilder inner(shared, function.opsets, &given, nullptr);
  for (auto [parameter, argument] : llvm::zip(function.inputs, node.inputs))
    if (!argument.empty())
      inner.define(parameter, *find(argument));
  if (failed(inner.build(function.body)))
    return failure();
  for (auto [result, name] : llvm::zip(function.outputs, node.outputs)) {
    if (name.empty())
      continue;
    const Tensor *tensor = inner.find(result);
    if (!tensor)
      return refuse("function '" + function.name + "': output '" + result + "' is given by nothing");
    define(name, *tensor);
  }
  return success();
}
