// One use of an operator: what its node says, and what becomes of it.
#ifndef MOEC_IMPORTERS_ONNX_CALL_H
#define MOEC_IMPORTERS_ONNX_CALL_H

#include "importers/onnx/Emitter.h"

namespace moec::importers::onnx {

class GraphBuilder;
/// Attributes of a function's call, for the nodes within it that refer to them.
using Bindings = llvm::StringMap<const Attribute *>;

/// What an operator's builder works with. Every attribute must be asked for: one that nobody understood refuses the node.
class Call {
public:
  Call(const Node &node, int64_t opset, llvm::SmallVector<const Tensor *, 4> inputs, const Bindings *bindings, GraphBuilder &graph);

  llvm::StringRef type() const { return node.type; }
  int64_t opset() const { return version; }
  std::string place() const;

  size_t inputCount() const { return inputs.size(); }
  bool has(size_t index) const { return index < inputs.size() && inputs[index]; }
  const Tensor &in(size_t index) const { return *inputs[index]; }
  size_t outputCount() const { return node.outputs.size(); }
  bool wants(size_t index) const { return index < node.outputs.size() && !node.outputs[index].empty(); }
  void give(size_t index, Tensor tensor);

  bool hasAttribute(llvm::StringRef name) { return find(name, AttributeType::Undefined); }
  int64_t integer(llvm::StringRef name, int64_t absent);
  bool flag(llvm::StringRef name, bool absent = false) { return integer(name, absent) != 0; }
  double number(llvm::StringRef name, double absent);
  llvm::StringRef text(llvm::StringRef name, llvm::StringRef absent);
  std::vector<int64_t> integers(llvm::StringRef name);
  std::vector<float> numbers(llvm::StringRef name);
  const StoredTensor *tensor(llvm::StringRef name);
  const Graph *graph(llvm::StringRef name);
  /// An attribute that is a type; null when there is none.
  const ValueInfo *declared(llvm::StringRef name);
  /// Changes nothing that is computed.
  void leaveAside(llvm::StringRef name) { find(name, AttributeType::Undefined); }

  /// Remembers why the node is refused; the first reason stays.
  mlir::LogicalResult refuse(const llvm::Twine &why);
  mlir::LogicalResult expect(bool holds, const llvm::Twine &why) { return holds ? mlir::success() : refuse(why); }
  /// An axis that may count from the end.
  mlir::FailureOr<int64_t> axis(int64_t value, int64_t rank, llvm::StringRef name = "axis");
  /// Distinct ones, in the given order.
  mlir::FailureOr<llvm::SmallVector<int64_t>> axes(llvm::ArrayRef<Extent> values, int64_t rank, llvm::StringRef name = "axes");
  /// The shape to which all broadcast, by numpy's rules.
  mlir::FailureOr<Shape> broadcastShape(llvm::ArrayRef<Tensor> tensors);
  mlir::LogicalResult sameType(size_t a, size_t b);
  /// One output made element by element from inputs that broadcast; by default of the first one's type.
  mlir::LogicalResult elementwise(llvm::ArrayRef<Tensor> inputs, ElementFunction element, DataType type = DataType::Undefined);

  /// Builds a graph that the node holds, at the present place, with these inputs. Its outputs are tensors, or also other values.
  mlir::FailureOr<llvm::SmallVector<Tensor, 2>> build(const Graph &graph, llvm::ArrayRef<Tensor> arguments,
                                                      bool takesCompounds = false);

  /// The first attribute that no one asked for; null when all were understood.
  const Attribute *unread() const;
  bool hasFailed() const;

  Emitter &e;

private:
  const Attribute *find(llvm::StringRef name, AttributeType type);

  const Node &node;
  int64_t version;
  llvm::SmallVector<const Tensor *, 4> inputs;
  const Bindings *bindings;
  GraphBuilder &builder;
  llvm::SmallVector<const Attribute *, 8> seen;
};

using BuildFunction = mlir::LogicalResult (*)(Call &);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_CALL_H
