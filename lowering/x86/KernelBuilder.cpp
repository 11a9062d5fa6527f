// Vectors and functions of kernels.
#include "lowering/x86/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numeric>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::x86;

Number KernelBuilder::zero(int64_t count) {
  if (!count)
    return real(0);
  return {*this, arith::ConstantOp::create(*this, cast<TypedAttr>(getZeroAttr(VectorType::get(count, f32))))};
}

Number KernelBuilder::iota(int64_t count) {
  SmallVector<int32_t> values(count);
  std::iota(values.begin(), values.end(), 0);
  return {*this, arith::ConstantOp::create(*this, getI32VectorAttr(values))};
}

void KernelBuilder::forColumns(int64_t width, function_ref<void(Number, int64_t)> body) {
  int64_t whole = width / lanes * lanes;
  if (whole == lanes)
    body(integer(0), lanes);
  else if (whole)
    forRange(integer(0), integer(whole), lanes, [&](Number i) { body(i, lanes); });
  if (whole < width)
    forRange(integer(whole), integer(width), 1, [&](Number i) { body(i, 0); });
}

void KernelBuilder::forColumns(Number width, function_ref<void(Number, int64_t)> body) {
  Number whole = width - width % lanes;
  forRange(integer(0), whole, lanes, [&](Number i) { body(i, lanes); });
  forRange(whole, width, 1, [&](Number i) { body(i, 0); });
}

/// Halves `vector` with `combine` until one lane is left.
static Number foldLanes(Number vector, function_ref<Number(Number, Number)> combine) {
  for (int64_t half = vector.lanes() / 2; half; half /= 2) {
    SmallVector<int64_t> low(half), high(half);
    std::iota(low.begin(), low.end(), 0);
    std::iota(high.begin(), high.end(), half);
    vector = combine(vector.shuffle(vector, low), vector.shuffle(vector, high));
  }
  return vector.lane(0);
}

Number KernelBuilder::sumOfLanes(Number vector) {
  return foldLanes(vector, [](Number a, Number b) { return a + b; });
}
Number KernelBuilder::maximumOfLanes(Number vector) { return foldLanes(vector, maximum); }

LLVM::LLVMFuncOp KernelBuilder::buildFunction(StringRef name, ArrayRef<Type> arguments, bool exported, Body body) {
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToEnd(module.getBody());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(getContext()), arguments);
  auto function = LLVM::LLVMFuncOp::create(*this, name, type, exported ? LLVM::Linkage::External : LLVM::Linkage::Internal);
  // Kernels call nothing outside themselves: no loop may become a call of memset or memcpy.
  std::string bits = std::to_string(target.vectorBits);
  SmallVector<Attribute> attributes{getStringAttr("no-builtins"), getStringAttr("nounwind"),
                                    getStrArrayAttr({"min-legal-vector-width", bits}),
                                    getStrArrayAttr({"prefer-vector-width", bits})};
  if (!exported)
    attributes.push_back(getStringAttr("noinline"));
  function.setPassthroughAttr(getArrayAttr(attributes));
  Block *entry = function.addEntryBlock(*this);
  setInsertionPointToStart(entry);
  body(Numbers(llvm::map_range(entry->getArguments(), [&](Value v) { return number(v); })));
  LLVM::ReturnOp::create(*this, ValueRange());
  return function;
}

void KernelBuilder::exportedFunction(StringRef name, ArrayRef<Type> arguments, Body body) {
  buildFunction(name, arguments, /*exported=*/true, body);
}

void KernelBuilder::callShared(StringRef name, ArrayRef<Value> arguments, Body body) {
  auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(name);
  if (!function)
    function = buildFunction(name, llvm::to_vector(llvm::map_range(arguments, [](Value v) { return v.getType(); })),
                             /*exported=*/false, body);
  LLVM::CallOp::create(*this, function, arguments);
}
