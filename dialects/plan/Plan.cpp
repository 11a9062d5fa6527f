// The plan dialect and its attributes.
#include "dialects/plan/Functions.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::plan;

#include "dialects/plan/PlanDialect.cpp.inc"
#include "dialects/plan/PlanEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/plan/PlanAttributes.cpp.inc"

LogicalResult PartAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError, StringRef file, int64_t offset, int64_t bytes,
                               int64_t times, int64_t every, int64_t rowStride, int64_t columnStride, ArrayRef<int64_t> words,
                               int64_t wordAxis) {
  if (file.empty())
    return emitError() << "expected a file name for a part";
  if (offset < 0 || bytes <= 0)
    return emitError() << "expected offset >= 0 and bytes > 0 in a part of '" << file << "', got offset " << offset << " and bytes "
                       << bytes;
  if (times <= 0 || (times == 1 ? every != 0 : every <= 0))
    return emitError() << "expected times > 1 and every > 0 in a run of parts of '" << file << "', got times " << times
                       << " and every " << every;
  int64_t all, last;
  if (llvm::MulOverflow(bytes, times, all) || llvm::MulOverflow(times - 1, every, last) || llvm::AddOverflow(offset, last, last))
    return emitError() << "expected bytes and offsets below 2^63 in a run of parts of '" << file << "', got times " << times
                       << " and every " << every;
  if ((rowStride || columnStride) && (rowStride <= 0 || columnStride <= 0))
    return emitError() << "expected strides > 0 in a part of '" << file << "', got " << rowStride << " and " << columnStride;
  if (words.empty())
    return success();
  SmallVector<int64_t> places(words);
  llvm::sort(places);
  if (!rowStride || (wordAxis != 0 && wordAxis != 1) || (words.size() != 4 && words.size() != 8) ||
      !llvm::equal(places, llvm::seq<int64_t>(0, int64_t(words.size()))))
    return emitError()
           << "expected strides, dimension 0 or 1 and each of the places 0 to 3, or 0 to 7, beside the words of a part of '" << file
           << "'";
  return success();
}

void PlanDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/plan/PlanAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/plan/PlanOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/plan/PlanFunctionOps.cpp.inc"
      >();
}
