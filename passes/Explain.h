// A table of what each pass saved.
#ifndef MOEC_PASSES_EXPLAIN_H
#define MOEC_PASSES_EXPLAIN_H

#include "llvm/Support/raw_ostream.h"

#include <memory>

namespace mlir {
class PassInstrumentation;
}

namespace moec::passes {

/// Measures every function before and after each pass, for a step of the typical size of its phase, and prints one table of FLOP,
/// bytes and launches to `os` when the pass manager that owns it is destroyed. A pass that changes none of them has no row.
std::unique_ptr<mlir::PassInstrumentation> createExplanation(llvm::raw_ostream &os);

} // namespace moec::passes

#endif // MOEC_PASSES_EXPLAIN_H
