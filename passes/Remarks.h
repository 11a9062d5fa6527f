// How the passes label their remarks.
#ifndef MOEC_PASSES_REMARKS_H
#define MOEC_PASSES_REMARKS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"

namespace moec::passes {

/// A remark named after the pass (--remarks-filter matches it) that says in which function `op` is.
inline mlir::remark::RemarkOpts remarkOf(llvm::StringRef pass, mlir::Operation *op) {
  auto function = op->getParentOfType<mlir::func::FuncOp>();
  return mlir::remark::RemarkOpts::name(pass).category(pass).function(function ? function.getName() : "");
}

} // namespace moec::passes

#endif // MOEC_PASSES_REMARKS_H
