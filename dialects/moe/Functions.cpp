// Modules of functions of named tensors.
#include "dialects/moe/Functions.h"

#include "dialects/moe/MoE.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace moec::moe;

bool moec::moe::isOfFunctions(Operation *module) {
  auto isFunction = [](FunctionOpInterface function) {
    bool names = false;
    for (unsigned index = 0; index < function.getNumResults(); ++index)
      names |= bool(function.getResultAttr(index, "moe.output"));
    return names && llvm::none_of(function.getArgumentTypes(), llvm::IsaPred<BatchType>);
  };
  auto functions = module->getRegion(0).getOps<FunctionOpInterface>();
  return !functions.empty() && llvm::all_of(functions, isFunction);
}
