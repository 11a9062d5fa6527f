// Which launches of a program become one.
#ifndef MOEC_LOWERING_NVPTX_LAUNCHES_CHAINLAUNCHES_H
#define MOEC_LOWERING_NVPTX_LAUNCHES_CHAINLAUNCHES_H

#include "lowering/GpuCode.h"
#include "lowering/nvptx/Target.h"

namespace moec::lowering::nvptx {

/// Fills the chains of `code`, whose shapes are known, for the programs whose steps are mostly waiting for launches: those that
/// bring one token for each sequence. A launch joins the one before it when it moves less memory than could be moved while a launch
/// starts and ends. The chain ends where it has the next kernel already, so that equal layers become equal chains, and at
/// attention. Each decision is a remark.
void chainLaunches(mlir::ModuleOp plan, const Machine &machine, GpuCode &code);

} // namespace moec::lowering::nvptx

#endif // MOEC_LOWERING_NVPTX_LAUNCHES_CHAINLAUNCHES_H
