// Who gives each value of a graph, and in which order nodes can be computed.
#ifndef MOEC_IMPORTERS_ONNX_TOPOLOGY_H
#define MOEC_IMPORTERS_ONNX_TOPOLOGY_H

#include "importers/onnx/Model.h"

namespace moec::importers::onnx {

/// Puts the nodes of every graph and function of the model into an order in which each comes after those it reads, keeping the
/// given order where it is one, and fills in what subgraphs read from outside. Refuses cycles, values that nobody gives and values
/// that are given twice.
llvm::Error sort(Model &model);

/// Holds calls of the model's own functions to a bound before any is inlined: refuses recursion, and more than `limit` nodes in
/// all.
llvm::Error checkCalls(const Model &model, uint64_t limit = 1 << 20);

/// Identifies a function: domain, name and overload.
std::string keyOf(llvm::StringRef domain, llvm::StringRef name, llvm::StringRef overload);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_TOPOLOGY_H
