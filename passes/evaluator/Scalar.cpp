// What upstream ops compute from single numbers; on tensors they do so element by element.
#include "passes/evaluator/Scalar.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"
#include "passes/evaluator/Tensor.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace moec::evaluator;

//===- Integers -------------------------------------------------------------------------------------------------------------===//

static unsigned widthOf(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
}

/// The integer that `value` holds; numbers beyond 64 bits and NaN, for which ops define nothing, come to an end of the range.
static int64_t signedOf(double value) {
  if (std::isnan(value))
    return 0;
  return value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : int64_t(value);
}

/// The same bits as a number without sign.
static uint64_t unsignedOf(double value, unsigned width) {
  return uint64_t(signedOf(value)) & llvm::maskTrailingOnes<uint64_t>(width);
}

/// The lowest `width` bits as a number with sign; a single bit has none.
static double wrapped(uint64_t bits, unsigned width) {
  if (width == 1)
    return double(bits & 1);
  return double(llvm::SignExtend64(bits, width));
}

static uint64_t divideOrZero(uint64_t a, uint64_t b) { return b ? a / b : 0; }
static uint64_t remainderOrZero(uint64_t a, uint64_t b) { return b ? a % b : 0; }
static int64_t divideOrZero(int64_t a, int64_t b) { return b == 0 ? 0 : b == -1 ? int64_t(0 - uint64_t(a)) : a / b; }
static int64_t remainderOrZero(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }

static bool compare(arith::CmpIPredicate predicate, double a, double b, unsigned width) {
  uint64_t ua = unsignedOf(a, width), ub = unsignedOf(b, width);
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return a == b;
  case arith::CmpIPredicate::ne:
    return a != b;
  case arith::CmpIPredicate::slt:
    return a < b;
  case arith::CmpIPredicate::sle:
    return a <= b;
  case arith::CmpIPredicate::sgt:
    return a > b;
  case arith::CmpIPredicate::sge:
    return a >= b;
  case arith::CmpIPredicate::ult:
    return ua < ub;
  case arith::CmpIPredicate::ule:
    return ua <= ub;
  case arith::CmpIPredicate::ugt:
    return ua > ub;
  case arith::CmpIPredicate::uge:
    return ua >= ub;
  }
  llvm_unreachable("a predicate of arith.cmpi");
}

//===- Floating point -------------------------------------------------------------------------------------------------------===//

static bool compare(arith::CmpFPredicate predicate, double a, double b) {
  bool unordered = std::isnan(a) || std::isnan(b);
  switch (predicate) {
  case arith::CmpFPredicate::AlwaysFalse:
    return false;
  case arith::CmpFPredicate::AlwaysTrue:
    return true;
  case arith::CmpFPredicate::OEQ:
    return a == b;
  case arith::CmpFPredicate::OGT:
    return a > b;
  case arith::CmpFPredicate::OGE:
    return a >= b;
  case arith::CmpFPredicate::OLT:
    return a < b;
  case arith::CmpFPredicate::OLE:
    return a <= b;
  case arith::CmpFPredicate::ONE:
    return !unordered && a != b;
  case arith::CmpFPredicate::ORD:
    return !unordered;
  case arith::CmpFPredicate::UEQ:
    return unordered || a == b;
  case arith::CmpFPredicate::UGT:
    return unordered || a > b;
  case arith::CmpFPredicate::UGE:
    return unordered || a >= b;
  case arith::CmpFPredicate::ULT:
    return unordered || a < b;
  case arith::CmpFPredicate::ULE:
    return unordered || a <= b;
  case arith::CmpFPredicate::UNE:
    return unordered || a != b;
  case arith::CmpFPredicate::UNO:
    return unordered;
  }
  llvm_unreachable("a predicate of arith.cmpf");
}

/// Unlike fmax and fmin, arith's maximumf and minimumf pass NaN on.
static double maximum(double a, double b) { return std::isnan(a) || std::isnan(b) ? a + b : std::fmax(a, b); }
static double minimum(double a, double b) { return std::isnan(a) || std::isnan(b) ? a + b : std::fmin(a, b); }

/// `value` as `type` can hold it.
static double roundTo(Type type, double value) {
  auto element = cast<FloatType>(getElementTypeOrSelf(type));
  if (element.isBF16())
    return roundToBF16(value);
  if (element.isF32() || element.isF64())
    return value;
  llvm::APFloat rounded(value);
  bool losesInfo;
  rounded.convert(element.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return rounded.convertToDouble();
}

/// The bits of a number of `from` as a number of `to`.
static double reinterpret(double value, Type from, Type to) {
  from = getElementTypeOrSelf(from), to = getElementTypeOrSelf(to);
  unsigned width = widthOf(from);
  llvm::APInt bits(width, 0);
  if (auto type = dyn_cast<FloatType>(from)) {
    llvm::APFloat number(value);
    bool losesInfo;
    number.convert(type.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
    bits = number.bitcastToAPInt();
  } else {
    bits = llvm::APInt(width, unsignedOf(value, width));
  }
  if (auto type = dyn_cast<FloatType>(to))
    return llvm::APFloat(type.getFloatSemantics(), bits).convertToDouble();
  return wrapped(bits.getZExtValue(), width);
}

double moec::evaluator::numberOf(Attribute number) {
  if (auto real = dyn_cast<FloatAttr>(number))
    return real.getValueAsDouble();
  auto integer = cast<IntegerAttr>(number);
  return wrapped(integer.getValue().getZExtValue(), integer.getValue().getBitWidth());
}

//===- The table ------------------------------------------------------------------------------------------------------------===//

namespace {
class Table {
public:
  Table() {
    addIntegers();
    addReals();
    addConversions();
    addMath();
  }
  ScalarFunction find(Operation *op) const {
    auto found = makers.find(op->getName().getStringRef());
    return found == makers.end() ? ScalarFunction() : found->second(op);
  }

private:
  using Maker = std::function<ScalarFunction(Operation *)>;

  template <typename OpT> void make(ScalarFunction (*maker)(OpT)) {
    makers[OpT::getOperationName()] = [maker](Operation *op) { return maker(cast<OpT>(op)); };
  }
  template <typename OpT> void add(double (*function)(const double *)) {
    makers[OpT::getOperationName()] = [function](Operation *) { return function; };
  }
  template <typename OpT> void add(double (*function)(double)) {
    makers[OpT::getOperationName()] = [function](Operation *) { return [function](const double *x) { return function(x[0]); }; };
  }
  template <typename OpT> void add(double (*function)(double, double)) {
    makers[OpT::getOperationName()] = [function](Operation *) {
      return [function](const double *x) { return function(x[0], x[1]); };
    };
  }
  /// From numbers without sign to one that wraps around.
  template <typename OpT> void addUnsigned(uint64_t (*function)(uint64_t, uint64_t)) {
    makers[OpT::getOperationName()] = [function](Operation *op) {
      unsigned width = widthOf(op->getResult(0).getType());
      return
          [function, width](const double *x) { return wrapped(function(unsignedOf(x[0], width), unsignedOf(x[1], width)), width); };
    };
  }
  template <typename OpT> void addSigned(int64_t (*function)(int64_t, int64_t)) {
    makers[OpT::getOperationName()] = [function](Operation *op) {
      unsigned width = widthOf(op->getResult(0).getType());
      return [function, width](const double *x) { return wrapped(uint64_t(function(signedOf(x[0]), signedOf(x[1]))), width); };
    };
  }

  void addIntegers();
  void addReals();
  void addConversions();
  void addMath();

  llvm::StringMap<Maker> makers;
};
} // namespace

void Table::addIntegers() {
  addUnsigned<arith::AddIOp>([](uint64_t a, uint64_t b) { return a + b; });
  addUnsigned<arith::SubIOp>([](uint64_t a, uint64_t b) { return a - b; });
  addUnsigned<arith::MulIOp>([](uint64_t a, uint64_t b) { return a * b; });
  addUnsigned<arith::AndIOp>([](uint64_t a, uint64_t b) { return a & b; });
  addUnsigned<arith::OrIOp>([](uint64_t a, uint64_t b) { return a | b; });
  addUnsigned<arith::XOrIOp>([](uint64_t a, uint64_t b) { return a ^ b; });
  addUnsigned<arith::ShLIOp>([](uint64_t a, uint64_t b) { return b < 64 ? a << b : 0; });
  addUnsigned<arith::ShRUIOp>([](uint64_t a, uint64_t b) { return b < 64 ? a >> b : 0; });
  addSigned<arith::ShRSIOp>([](int64_t a, int64_t b) { return a >> std::min<int64_t>(b, 63); });
  addUnsigned<arith::DivUIOp>(divideOrZero);
  addUnsigned<arith::RemUIOp>(remainderOrZero);
  addUnsigned<arith::CeilDivUIOp>([](uint64_t a, uint64_t b) { return divideOrZero(a, b) + (remainderOrZero(a, b) != 0); });
  addSigned<arith::DivSIOp>(divideOrZero);
  addSigned<arith::RemSIOp>(remainderOrZero);
  addSigned<arith::FloorDivSIOp>(
      [](int64_t a, int64_t b) { return divideOrZero(a, b) - (remainderOrZero(a, b) != 0 && (a < 0) != (b < 0)); });
  addSigned<arith::CeilDivSIOp>(
      [](int64_t a, int64_t b) { return divideOrZero(a, b) + (remainderOrZero(a, b) != 0 && (a < 0) == (b < 0)); });
  addSigned<arith::MaxSIOp>([](int64_t a, int64_t b) { return std::max(a, b); });
  addSigned<arith::MinSIOp>([](int64_t a, int64_t b) { return std::min(a, b); });
  addUnsigned<arith::MaxUIOp>([](uint64_t a, uint64_t b) { return std::max(a, b); });
  addUnsigned<arith::MinUIOp>([](uint64_t a, uint64_t b) { return std::min(a, b); });
  make<arith::CmpIOp>([](arith::CmpIOp op) -> ScalarFunction {
    return [predicate = op.getPredicate(), width = widthOf(op.getLhs().getType())](const double *x) {
      return double(compare(predicate, x[0], x[1], width));
    };
  });
}

void Table::addReals() {
  add<arith::AddFOp>(+[](double a, double b) { return a + b; });
  add<arith::SubFOp>(+[](double a, double b) { return a - b; });
  add<arith::MulFOp>(+[](double a, double b) { return a * b; });
  add<arith::DivFOp>(+[](double a, double b) { return a / b; });
  add<arith::RemFOp>(+[](double a, double b) { return std::fmod(a, b); });
  add<arith::MaximumFOp>(maximum);
  add<arith::MinimumFOp>(minimum);
  add<arith::MaxNumFOp>(+[](double a, double b) { return std::fmax(a, b); });
  add<arith::MinNumFOp>(+[](double a, double b) { return std::fmin(a, b); });
  add<arith::NegFOp>(+[](double a) { return -a; });
  make<arith::CmpFOp>([](arith::CmpFOp op) -> ScalarFunction {
    return [predicate = op.getPredicate()](const double *x) { return double(compare(predicate, x[0], x[1])); };
  });
}

void Table::addConversions() {
  add<arith::SelectOp>(+[](const double *x) { return x[0] != 0 ? x[1] : x[2]; });
  add<arith::ExtFOp>(+[](double a) { return a; });
  add<arith::SIToFPOp>(+[](double a) { return a; });
  make<arith::TruncFOp>(
      [](arith::TruncFOp op) -> ScalarFunction { return [type = op.getType()](const double *x) { return roundTo(type, x[0]); }; });
  make<arith::UIToFPOp>([](arith::UIToFPOp op) -> ScalarFunction {
    return [width = widthOf(op.getIn().getType())](const double *x) { return double(unsignedOf(x[0], width)); };
  });
  auto toInteger = [](Operation *op) -> ScalarFunction {
    return [width = widthOf(op->getResult(0).getType())](const double *x) { return wrapped(uint64_t(signedOf(x[0])), width); };
  };
  auto withoutSign = [](Operation *op) -> ScalarFunction {
    return [from = widthOf(op->getOperand(0).getType()), to = widthOf(op->getResult(0).getType())](const double *x) {
      return wrapped(unsignedOf(x[0], from), to);
    };
  };
  makers[arith::FPToSIOp::getOperationName()] = toInteger;
  makers[arith::FPToUIOp::getOperationName()] = [](Operation *op) -> ScalarFunction {
    return [width = widthOf(op->getResult(0).getType())](const double *x) {
      return wrapped(x[0] >= 0x1p63 ? uint64_t(x[0] - 0x1p63) + (uint64_t(1) << 63) : uint64_t(signedOf(x[0])), width);
    };
  };
  makers[arith::ExtSIOp::getOperationName()] = [](Operation *op) -> ScalarFunction {
    // The one bit of an i1 is its sign.
    return [bit = widthOf(op->getOperand(0).getType()) == 1](const double *x) { return bit ? -x[0] : x[0]; };
  };
  makers[arith::TruncIOp::getOperationName()] = toInteger;
  makers[arith::IndexCastOp::getOperationName()] = toInteger;
  makers[arith::ExtUIOp::getOperationName()] = withoutSign;
  makers[arith::IndexCastUIOp::getOperationName()] = withoutSign;
  make<arith::BitcastOp>([](arith::BitcastOp op) -> ScalarFunction {
    return [from = op.getIn().getType(), to = op.getType()](const double *x) { return reinterpret(x[0], from, to); };
  });
}

void Table::addMath() {
  add<math::ExpOp>(+[](double a) { return std::exp(a); });
  add<math::Exp2Op>(+[](double a) { return std::exp2(a); });
  add<math::ExpM1Op>(+[](double a) { return std::expm1(a); });
  add<math::LogOp>(+[](double a) { return std::log(a); });
  add<math::Log2Op>(+[](double a) { return std::log2(a); });
  add<math::Log10Op>(+[](double a) { return std::log10(a); });
  add<math::Log1pOp>(+[](double a) { return std::log1p(a); });
  add<math::SqrtOp>(+[](double a) { return std::sqrt(a); });
  add<math::RsqrtOp>(+[](double a) { return 1 / std::sqrt(a); });
  add<math::CbrtOp>(+[](double a) { return std::cbrt(a); });
  add<math::SinOp>(+[](double a) { return std::sin(a); });
  add<math::CosOp>(+[](double a) { return std::cos(a); });
  add<math::TanOp>(+[](double a) { return std::tan(a); });
  add<math::AsinOp>(+[](double a) { return std::asin(a); });
  add<math::AcosOp>(+[](double a) { return std::acos(a); });
  add<math::AtanOp>(+[](double a) { return std::atan(a); });
  add<math::Atan2Op>(+[](double a, double b) { return std::atan2(a, b); });
  add<math::SinhOp>(+[](double a) { return std::sinh(a); });
  add<math::CoshOp>(+[](double a) { return std::cosh(a); });
  add<math::TanhOp>(+[](double a) { return std::tanh(a); });
  add<math::AsinhOp>(+[](double a) { return std::asinh(a); });
  add<math::AcoshOp>(+[](double a) { return std::acosh(a); });
  add<math::AtanhOp>(+[](double a) { return std::atanh(a); });
  add<math::ErfOp>(+[](double a) { return std::erf(a); });
  add<math::ErfcOp>(+[](double a) { return std::erfc(a); });
  add<math::AbsFOp>(+[](double a) { return std::fabs(a); });
  add<math::CeilOp>(+[](double a) { return std::ceil(a); });
  add<math::FloorOp>(+[](double a) { return std::floor(a); });
  add<math::TruncOp>(+[](double a) { return std::trunc(a); });
  add<math::RoundOp>(+[](double a) { return std::round(a); });
  add<math::RoundEvenOp>(+[](double a) { return std::nearbyint(a); });
  add<math::PowFOp>(+[](double a, double b) { return std::pow(a, b); });
  add<math::FPowIOp>(+[](double a, double b) { return std::pow(a, b); });
  add<math::ClampFOp>(+[](const double *x) { return maximum(minimum(x[0], x[2]), x[1]); });
  add<math::CopySignOp>(+[](double a, double b) { return std::copysign(a, b); });
  add<math::FmaOp>(+[](const double *x) { return std::fma(x[0], x[1], x[2]); });
  add<math::IsNaNOp>(+[](double a) { return double(std::isnan(a)); });
  add<math::IsInfOp>(+[](double a) { return double(std::isinf(a)); });
  add<math::IsFiniteOp>(+[](double a) { return double(std::isfinite(a)); });
  addSigned<math::IPowIOp>([](int64_t a, int64_t b) {
    uint64_t power = 1, base = uint64_t(a);
    if (b < 0)
      return int64_t(a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0);
    for (; b; b >>= 1, base *= base)
      power *= b & 1 ? base : 1;
    return int64_t(power);
  });
  make<math::AbsIOp>([](math::AbsIOp op) -> ScalarFunction {
    return [width = widthOf(op.getType())](const double *x) { return wrapped(uint64_t(std::abs(signedOf(x[0]))), width); };
  });
}

ScalarFunction moec::evaluator::scalarFunctionOf(Operation *op) {
  static const Table table;
  return table.find(op);
}
