// An option and a TODO without an owner.
#include "llvm/Support/CommandLine.h"
static llvm::cl::opt<bool> fast("fast");
// TODO: make it fast
