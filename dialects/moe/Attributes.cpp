// Verification and storage of the moe dialect's attributes.
#include "dialects/moe/MoE.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace moec::moe;

#include "dialects/moe/MoEEnums.cpp.inc"

static void printNumbers(AsmPrinter &printer, DenseF64ArrayAttr numbers) {
  printer << '[';
  llvm::interleaveComma(numbers.asArrayRef(), printer, [&](double number) { printer.printFloat(llvm::APFloat(number)); });
  printer << ']';
}

static FailureOr<DenseF64ArrayAttr> parseNumbers(AsmParser &parser) {
  SmallVector<double> numbers;
  auto parseNumber = [&] { return parser.parseFloat(numbers.emplace_back()); };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseNumber))
    return failure();
  return DenseF64ArrayAttr::get(parser.getContext(), numbers);
}

#define GET_ATTRDEF_CLASSES
#include "dialects/moe/MoEAttributes.cpp.inc"

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

/// Positions and columns are counted in 32 bits.
static constexpr int64_t maxCount = std::numeric_limits<int32_t>::max();

LogicalResult SliceAttr::verify(EmitError emitError, StringRef tensor, StringRef file, int64_t offset, int64_t rows, int64_t times,
                                int64_t every, int64_t rowStride, int64_t columnStride, ArrayRef<int64_t> words, int64_t wordAxis) {
  if (file.empty())
    return emitError() << "expected a file name for the slice of '" << tensor << "'";
  if (offset < 0 || rows <= 0)
    return emitError() << "expected offset >= 0 and rows > 0 in the slice of '" << tensor << "', got offset " << offset
                       << " and rows " << rows;
  if (times <= 0 || (times == 1 ? every != 0 : every <= 0))
    return emitError() << "expected times > 1 and every > 0 in the run of '" << tensor << "', got times " << times << " and every "
                       << every;
  int64_t all, last;
  if (llvm::MulOverflow(rows, times, all) || llvm::MulOverflow(times - 1, every, last) || llvm::AddOverflow(offset, last, last))
    return emitError() << "expected rows and offsets below 2^63 in the run of '" << tensor << "', got times " << times
                       << " and every " << every;
  if ((rowStride || columnStride) && (rowStride <= 0 || columnStride <= 0 || rowStride > maxCount || columnStride > maxCount))
    return emitError() << "expected strides from 1 to 2^31 - 1 in the slice of '" << tensor << "', got " << rowStride << " and "
                       << columnStride;
  if (words.empty())
    return success();
  if (!rowStride || (wordAxis != 0 && wordAxis != 1))
    return emitError() << "expected strides and a dimension of a matrix beside the words of '" << tensor << "', got dimension "
                       << wordAxis;
  SmallVector<int64_t> places(words);
  llvm::sort(places);
  if ((words.size() != 4 && words.size() != 8) || !llvm::equal(places, llvm::seq<int64_t>(0, int64_t(words.size()))))
    return emitError() << "expected each of the places 0 to 3, or 0 to 7, once in the words of '" << tensor << "', got "
                       << words.size();
  return success();
}

LogicalResult NumberFormatAttr::verify(EmitError emitError, int64_t rows, int64_t columns, int64_t zeroPoint, bool,
                                       int64_t firstRow, int64_t tensorRows) {
  if (rows <= 0 || rows > maxCount || columns <= 0 || columns > maxCount)
    return emitError() << "expected blocks of 0 < rows, columns < 2^31, got " << rows << " and " << columns;
  if (zeroPoint < 0 || zeroPoint > 255)
    return emitError() << "expected 0 <= zero_point < 256, got " << zeroPoint;
  if (firstRow < 0 || tensorRows < 0 || firstRow > tensorRows || tensorRows > maxCount)
    return emitError() << "expected 0 <= first_row <= tensor_rows < 2^31, got " << firstRow << " and " << tensorRows;
  return success();
}

LogicalResult YarnAttr::verify(EmitError emitError, F64 factor, int64_t original, F64 betaFast, F64 betaSlow, bool) {
  if (!(factor > 0) || !std::isfinite(factor) || original <= 0)
    return emitError() << "expected factor > 0 and original_positions > 0, got " << factor.value << " and " << original;
  if (!(betaSlow > 0) || !(betaFast >= betaSlow) || !std::isfinite(betaFast))
    return emitError() << "expected beta_fast >= beta_slow > 0, got " << betaFast.value << " and " << betaSlow.value;
  return success();
}

LogicalResult PositionScaleAttr::verify(EmitError emitError, F64 beta, int64_t original, int64_t shift) {
  if (!std::isfinite(beta))
    return emitError() << "expected a finite beta, got " << beta.value;
  if (original <= 0)
    return emitError() << "expected original_positions > 0, got " << original;
  if (shift < 0 || shift > maxCount)
    return emitError() << "expected 0 <= shift < 2^31, got " << shift;
  return success();
}

LogicalResult RotaryAttr::verify(EmitError emitError, int64_t dims, std::optional<F64> theta, RotaryLayout, int64_t offset,
                                 F64 multiplier, bool, YarnAttr yarn, DenseF64ArrayAttr frequencies) {
  if (dims <= 0 || dims % 2 || dims > maxCount)
    return emitError() << "expected a positive even number of rotary dims, got " << dims;
  if (theta && (!(*theta > 0) || !std::isfinite(*theta)))
    return emitError() << "expected theta > 0, got " << theta->value;
  if (yarn && !theta)
    return emitError() << "expected theta beside yarn";
  if (yarn && !(*theta > 1))
    return emitError() << "expected theta > 1 beside yarn, got " << theta->value;
  if (frequencies && theta)
    return emitError() << "expected theta or frequencies, got both";
  if (frequencies && frequencies.size() != dims / 2)
    return emitError() << "expected a frequency for each of " << dims / 2 << " pairs, got " << frequencies.size();
  if (frequencies && !llvm::all_of(frequencies.asArrayRef(), [](double each) { return std::isfinite(each); }))
    return emitError() << "expected finite frequencies";
  if (offset < 0)
    return emitError() << "expected offset >= 0, got " << offset;
  if (!std::isfinite(multiplier))
    return emitError() << "expected a finite multiplier, got " << multiplier.value;
  return success();
}

LogicalResult ActivationAttr::verify(EmitError emitError, ActivationKind, F64, std::optional<F64>, std::optional<F64> upLimit,
                                     F64) {
  if (upLimit && !(*upLimit >= 0))
    return emitError() << "expected up_limit >= 0, got " << upLimit->value;
  return success();
}

LogicalResult RoutingAttr::verify(EmitError emitError, int64_t k, Score score, int64_t groups, int64_t keptGroups, GroupScore,
                                  MaskFill, bool, F64 epsilon, F64 scale, F64 jitterEpsilon) {
  if (k <= 0)
    return emitError() << "expected k > 0, got " << k;
  if (groups <= 0 || keptGroups <= 0 || keptGroups > groups)
    return emitError() << "expected 0 < kept_groups <= groups, got " << keptGroups << " of " << groups;
  if (!(epsilon >= 0))
    return emitError() << "expected epsilon >= 0, got " << epsilon.value;
  if (!std::isfinite(scale))
    return emitError() << "expected a finite scale, got " << scale.value;
  if (score == Score::SparseMixer && groups > 1)
    return emitError() << "expected no groups beside the score 'sparse_mixer', got " << groups;
  if (score != Score::SparseMixer && double(jitterEpsilon) != 0)
    return emitError() << "expected no jitter_epsilon beside the score '" << stringifyScore(score) << "', got "
                       << jitterEpsilon.value;
  if (!(jitterEpsilon >= 0) || !std::isfinite(jitterEpsilon))
    return emitError() << "expected a finite jitter_epsilon >= 0, got " << jitterEpsilon.value;
  return success();
}

void MoEDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/moe/MoEAttributes.cpp.inc"
      >();
}
