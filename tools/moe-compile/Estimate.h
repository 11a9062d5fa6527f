// What a model needs when it runs, from its plan alone.
#ifndef MOEC_TOOLS_MOE_COMPILE_ESTIMATE_H
#define MOEC_TOOLS_MOE_COMPILE_ESTIMATE_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace moec::compile {

/// A page: parameters, bytes of weights, cache and activations, and whether that fits this machine's memory.
std::string estimate(mlir::ModuleOp plan);

} // namespace moec::compile

#endif // MOEC_TOOLS_MOE_COMPILE_ESTIMATE_H
