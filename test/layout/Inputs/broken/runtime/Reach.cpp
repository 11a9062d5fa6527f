// Reaches across.
#include "mlir/IR/Value.h"
#include "dialects/moe/MoE.h"
