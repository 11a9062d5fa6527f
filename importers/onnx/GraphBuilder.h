// From a graph's nodes to IR.
#ifndef MOEC_IMPORTERS_ONNX_GRAPHBUILDER_H
#define MOEC_IMPORTERS_ONNX_GRAPHBUILDER_H

#include "importers/onnx/Call.h"

namespace moec::importers::onnx {

/// What all graphs of a model share while they are built.
struct Building {
  const Model &model;
  Emitter &emitter;
  llvm::StringMap<const Function *> functions; ///< by keyOf
  std::string problem;                         ///< the first; building then only unwinds
  uint64_t knownElements = 1 << 22;            ///< how many more elements of small tensors are kept track of
  uint64_t nodes = 1 << 21; ///< how many more may be built; bodies of loops are built again as their sizes change
  unsigned depth = 0;       ///< of graphs and functions within each other
};

/// Builds one graph or one call of a function, node by node, where the emitter stands.
class GraphBuilder {
public:
  /// `outer` is the graph around this one, whose values it may read; null for functions.
  GraphBuilder(Building &shared, const Opsets &opsets, const Bindings *bindings, GraphBuilder *outer)
      : shared(shared), opsets(opsets), bindings(bindings), outer(outer) {}

  mlir::LogicalResult build(const Graph &graph);
  void define(llvm::StringRef name, Tensor tensor);
  const Tensor *find(llvm::StringRef name) const;

  Building &shared;
  const Opsets &opsets;
  const Bindings *bindings;

private:
  mlir::LogicalResult buildNode(const Node &node);
  mlir::LogicalResult callFunction(const Node &node, const Function &function);
  mlir::LogicalResult refuse(const llvm::Twine &why);

  GraphBuilder *outer;
  llvm::StringMap<Tensor> values;
};

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_GRAPHBUILDER_H
