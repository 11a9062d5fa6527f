// The plan dialect and its attributes.
#include "dialects/plan/Plan.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec::plan;

#include "dialects/plan/PlanDialect.cpp.inc"
#include "dialects/plan/PlanEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/plan/PlanAttributes.cpp.inc"

LogicalResult PartAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError, StringRef file, int64_t offset, int64_t bytes) {
  if (file.empty())
    return emitError() << "expected a file name for a part";
  if (offset < 0 || bytes <= 0)
    return emitError() << "expected offset >= 0 and bytes > 0 in a part of '" << file << "', got offset " << offset << " and bytes "
                       << bytes;
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
}
