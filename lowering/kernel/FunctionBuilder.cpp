// Control flow of kernels.
#include "lowering/kernel/FunctionBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec::lowering;

FunctionBuilder::FunctionBuilder(ModuleOp module)
    : ImplicitLocOpBuilder(module.getLoc(), OpBuilder::atBlockEnd(module.getBody())), f32(getF32Type()), bf16(getBF16Type()),
      i8(getI8Type()), i16(getI16Type()), i32(getI32Type()), i64(getI64Type()), ptr(LLVM::LLVMPointerType::get(getContext())),
      module(module) {}

Value FunctionBuilder::integerOf(Type type, int64_t value) { return arith::ConstantOp::create(*this, getIntegerAttr(type, value)); }

Number FunctionBuilder::real(double value) { return {*this, arith::ConstantOp::create(*this, getF32FloatAttr(float(value)))}; }

void FunctionBuilder::forRange(Number lower, Number upper, int64_t step, function_ref<void(Number)> body) {
  forRange(lower, upper, step, {}, [&](Number i, ArrayRef<Number>) {
    body(i);
    return Numbers();
  });
}

static SmallVector<Value> valuesOf(ArrayRef<Number> numbers) {
  return llvm::map_to_vector(numbers, [](Number n) { return n.value; });
}

FunctionBuilder::Numbers FunctionBuilder::forRange(Number lower, Number upper, int64_t step, ArrayRef<Number> initial,
                                                   function_ref<Numbers(Number, ArrayRef<Number>)> body) {
  auto numbersOf = [&](ValueRange values) { return Numbers(llvm::map_range(values, [&](Value v) { return number(v); })); };
  auto loop = scf::ForOp::create(*this, lower.value, upper.value, lower.like(step).value, valuesOf(initial));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  Numbers results = body(number(loop.getInductionVar()), numbersOf(loop.getRegionIterArgs()));
  if (!initial.empty())
    scf::YieldOp::create(*this, valuesOf(results));
  return numbersOf(loop.getResults());
}

FunctionBuilder::Numbers FunctionBuilder::repeatWhile(ArrayRef<Number> initial, function_ref<Number(ArrayRef<Number>)> condition,
                                                      function_ref<Numbers(ArrayRef<Number>)> body) {
  auto numbersOf = [&](ValueRange values) { return Numbers(llvm::map_range(values, [&](Value v) { return number(v); })); };
  auto before = [&](OpBuilder &, Location, ValueRange values) {
    scf::ConditionOp::create(*this, condition(numbersOf(values)).value, values);
  };
  auto after = [&](OpBuilder &, Location, ValueRange values) { scf::YieldOp::create(*this, valuesOf(body(numbersOf(values)))); };
  SmallVector<Value> first = valuesOf(initial);
  return numbersOf(scf::WhileOp::create(*this, ValueRange(first).getTypes(), first, before, after).getResults());
}

void FunctionBuilder::ifThen(Number condition, function_ref<void()> then) {
  auto branch = scf::IfOp::create(*this, condition.value, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  then();
}

void FunctionBuilder::ifThenElse(Number condition, function_ref<void()> then, function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(*this, condition.value, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  then();
  setInsertionPointToStart(branch.elseBlock());
  otherwise();
}

Number FunctionBuilder::computeIf(Number condition, function_ref<Number()> then, function_ref<Number()> otherwise) {
  auto yield = [](function_ref<Number()> body) {
    return [body](OpBuilder &, Location) {
      Number result = body();
      scf::YieldOp::create(*result.builder, result.value);
    };
  };
  return number(scf::IfOp::create(*this, condition.value, yield(then), yield(otherwise)).getResult(0));
}

Number FunctionBuilder::computeIf(Number condition, function_ref<Number()> then, Number otherwise) {
  return computeIf(condition, then, [&] { return otherwise; });
}
