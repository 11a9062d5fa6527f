// Element types of the compiler as an artifact names them.
#include "lowering/artifact/ElementType.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;

Expected<artifact::ElementType> moec::lowering::elementOf(mlir::Type type, const Twine &where) {
  if (type.isF32())
    return artifact::ElementType::f32;
  if (type.isF16())
    return artifact::ElementType::f16;
  if (type.isBF16())
    return artifact::ElementType::bf16;
  if (type.isF64())
    return artifact::ElementType::f64;
  if (type.isInteger(8))
    return artifact::ElementType::u8;
  if (type.isInteger(16))
    return artifact::ElementType::i16;
  if (type.isInteger(32))
    return artifact::ElementType::i32;
  if (type.isInteger(64))
    return artifact::ElementType::i64;
  std::string text;
  raw_string_ostream(text) << type;
  return createStringError(where + ": element type " + text + " has no place in an artifact");
}
