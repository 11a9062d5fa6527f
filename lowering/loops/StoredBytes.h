// Numbers narrower than a byte, and integers without signs, as functions find them in memory: as bytes.
#ifndef MOEC_LOWERING_LOOPS_STOREDBYTES_H
#define MOEC_LOWERING_LOOPS_STOREDBYTES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace moec::lowering {

/// Whether elements of `type` are stored as parts of bytes, or as what memory has no values of.
bool isStoredAsBytes(mlir::Type element);

/// Makes every argument of `function` whose elements are stored as bytes a tensor of these, cast to what it was for its users.
void bindStoredBytes(mlir::func::FuncOp function);

/// The tensor of bytes behind `value`, or `value` itself where its elements are values of memory.
mlir::Value bytesBehind(mlir::Value value);

/// Makes elements of which a byte holds several values of memory where other ops than moe.dequantize, which reads the bytes, use
/// them.
void unpackStoredBytes(mlir::func::FuncOp function);

} // namespace moec::lowering

#endif // MOEC_LOWERING_LOOPS_STOREDBYTES_H
