// Functions of numbers by arithmetic: code calls no library.
#include "lowering/function/ExpandMath.h"

#include "lowering/function/PreciseFunctions.h"
#include "lowering/loops/LoopBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

#include <functional>
#include <numbers>

using namespace mlir;
using namespace moec::lowering;

namespace {

using Unary = Number (*)(Number);
using Binary = Number (*)(Number, Number);

/// A wider float in `type`; in two steps to those for which there is no instruction.
Value narrow(ImplicitLocOpBuilder &b, Value wide, FloatType type) {
  if (wide.getType() == type)
    return wide;
  if (wide.getType().isF64() && type.getWidth() < 32)
    wide = arith::TruncFOp::create(b, b.getF32Type(), wide);
  return arith::TruncFOp::create(b, type, wide);
}

/// Conversions to the floats of 16 bits go through f32.
template <typename OpT> struct InSteps : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    auto type = dyn_cast<FloatType>(op.getType());
    if (!type || type.getWidth() != 16 || op.getIn().getType().isF32())
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, narrow(b, OpT::create(b, b.getF32Type(), op.getIn()), type));
    return success();
  }
};

/// Floats of 8 bits have no instructions: f32 is made of their bits.
struct FromEightBits : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::ExtFOp op, PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Number stored(b, op.getIn());
    Value real;
    if (isa<Float8E4M3FNType, Float8E8M0FNUType>(stored.type()))
      real = realOf(stored);
    else if (isa<Float8E5M2Type>(stored.type())) // the upper half of an f16
      real = widen((stored.bitsAs(b.getI8Type()).toUnsigned(b.getI16Type()) << 8).bitsAs(b.getF16Type()));
    else
      return failure();
    if (op.getType().isF64())
      real = arith::ExtFOp::create(b, op.getType(), real);
    rewriter.replaceOp(op, narrow(b, real, cast<FloatType>(op.getType())));
    return success();
  }
};

/// Computes `op` on scalars in f64.
template <typename OpT> struct InDouble : OpRewritePattern<OpT> {
  InDouble(MLIRContext *context, std::function<Number(ArrayRef<Number>)> compute)
      : OpRewritePattern<OpT>(context), compute(std::move(compute)) {}

  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    auto type = dyn_cast<FloatType>(op->getResult(0).getType());
    if (!type || type.getWidth() > 64)
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    SmallVector<Number> operands;
    for (Value operand : op->getOperands()) {
      if (operand.getType().isInteger())
        operand = arith::SIToFPOp::create(b, b.getF64Type(), operand);
      else if (!operand.getType().isF64())
        operand = arith::ExtFOp::create(b, b.getF64Type(), operand);
      operands.emplace_back(b, operand);
    }
    rewriter.replaceOp(op, narrow(b, compute(operands), type));
    return success();
  }

  std::function<Number(ArrayRef<Number>)> compute;
};

template <typename OpT> void add(RewritePatternSet &patterns, Unary function) {
  patterns.add<InDouble<OpT>>(patterns.getContext(), [=](ArrayRef<Number> x) { return function(x[0]); });
}
template <typename OpT> void add(RewritePatternSet &patterns, Binary function) {
  patterns.add<InDouble<OpT>>(patterns.getContext(), [=](ArrayRef<Number> x) { return function(x[0], x[1]); });
}

Number exp2(Number x) { return precise::exp(x * x.like(std::numbers::ln2)); }
Number log2(Number x) { return precise::log(x) * x.like(std::numbers::log2e); }
Number log10(Number x) { return precise::log(x) * x.like(std::numbers::log10e); }
Number inverseRoot(Number x) { return x.like(1.0) / precise::squareRoot(x); }

} // namespace

void moec::lowering::expandMath(ModuleOp module) {
  RewritePatternSet patterns(module.getContext());
  add<math::AcosOp>(patterns, precise::acos);
  add<math::AcoshOp>(patterns, precise::acosh);
  add<math::AsinOp>(patterns, precise::asin);
  add<math::AsinhOp>(patterns, precise::asinh);
  add<math::AtanOp>(patterns, precise::atan);
  add<math::Atan2Op>(patterns, precise::atan2);
  add<math::AtanhOp>(patterns, precise::atanh);
  add<math::CbrtOp>(patterns, precise::cbrt);
  add<math::CosOp>(patterns, precise::cos);
  add<math::CoshOp>(patterns, precise::cosh);
  add<math::ErfOp>(patterns, precise::erf);
  add<math::ErfcOp>(patterns, precise::erfc);
  add<math::ExpOp>(patterns, precise::exp);
  add<math::Exp2Op>(patterns, exp2);
  add<math::ExpM1Op>(patterns, precise::expm1);
  add<math::FPowIOp>(patterns, precise::pow);
  add<math::LogOp>(patterns, precise::log);
  add<math::Log10Op>(patterns, log10);
  add<math::Log1pOp>(patterns, precise::log1p);
  add<math::Log2Op>(patterns, log2);
  add<math::PowFOp>(patterns, precise::pow);
  add<math::RoundOp>(patterns, precise::round);
  add<math::RsqrtOp>(patterns, inverseRoot);
  add<math::SinOp>(patterns, precise::sin);
  add<math::SinhOp>(patterns, precise::sinh);
  add<math::TanOp>(patterns, precise::tan);
  add<math::TanhOp>(patterns, precise::tanh);
  add<arith::RemFOp>(patterns, precise::remainder);
  patterns.add<FromEightBits>(patterns.getContext());
  patterns.add<InSteps<arith::TruncFOp>, InSteps<arith::SIToFPOp>, InSteps<arith::UIToFPOp>>(patterns.getContext());
  walkAndApplyPatterns(module, std::move(patterns));
}
