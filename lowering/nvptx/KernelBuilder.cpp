// Threads, warps, blocks and their memory.
#include "lowering/nvptx/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numeric>

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

static constexpr unsigned globalSpace = 1, sharedSpace = 3;
static constexpr int64_t addressBytes = 8;
/// What the runtime passes, and each part of a weight, begins at such a multiple.
static constexpr int64_t argumentAlignment = 16, weightAlignment = 256;
static constexpr llvm::StringLiteral sharedName = "moec_shared";

template <typename RegisterOp> static Number readRegister(KernelBuilder &b) {
  return Number(b, RegisterOp::create(b, b.i32)).toUnsigned(b.i64);
}

Number KernelBuilder::thread() { return readRegister<NVVM::ThreadIdXOp>(*this); }
Number KernelBuilder::lane() { return thread() & integer(warpSize - 1); }
Number KernelBuilder::warp() { return thread() >> 5; }

Number KernelBuilder::block(unsigned dimension) {
  if (taken)
    return (*taken)[dimension];
  switch (dimension) {
  case 0:
    return readRegister<NVVM::BlockIdXOp>(*this);
  case 1:
    return readRegister<NVVM::BlockIdYOp>(*this);
  default:
    return readRegister<NVVM::BlockIdZOp>(*this);
  }
}

Number KernelBuilder::gridSize() { return readRegister<NVVM::GridDimXOp>(*this); }

LogicalResult KernelBuilder::asBlock(std::array<Number, 3> number, function_ref<LogicalResult()> body) {
  taken = number;
  LogicalResult outcome = body();
  taken.reset();
  return outcome;
}

void KernelBuilder::barrier() { NVVM::Barrier0Op::create(*this); }

void KernelBuilder::syncWarp() { NVVM::SyncWarpOp::create(*this, integer32(-1).value); }

void KernelBuilder::sleep() {
  auto dialect = LLVM::AsmDialectAttr::get(getContext(), LLVM::AsmDialect::AD_ATT);
  LLVM::InlineAsmOp::create(*this, TypeRange(), ValueRange(), "nanosleep.u32 100;", "", /*has_side_effects=*/true,
                            /*is_align_stack=*/false, LLVM::TailCallKind::None, dialect, ArrayAttr());
}

static Number shuffle(KernelBuilder &b, Number value, Value offset, NVVM::ShflKind kind) {
  if (value.type() == b.i64) {
    Number low = shuffle(b, value.toInteger(b.i32), offset, kind), high = shuffle(b, (value >> 32).toInteger(b.i32), offset, kind);
    return (high.toUnsigned(b.i64) << 32) | low.toUnsigned(b.i64);
  }
  Value everyLane = b.integer32(-1), clamp = b.integer32(warpSize - 1);
  return {b, NVVM::ShflOp::create(b, value.type(), everyLane, value.value, offset, clamp, kind, UnitAttr())};
}

Number KernelBuilder::shuffleXor(Number value, int64_t mask) {
  return shuffle(*this, value, integer32(mask), NVVM::ShflKind::bfly);
}
Number KernelBuilder::shuffleFrom(Number value, Number from) { return shuffle(*this, value, from, NVVM::ShflKind::idx); }

Number KernelBuilder::ballot(Number condition) {
  return {*this, NVVM::VoteSyncOp::create(*this, i32, integer32(-1).value, condition.value, NVVM::VoteSyncKind::ballot)};
}

Number KernelBuilder::countLanes(Number mask) { return {*this, math::CtPopOp::create(*this, mask.value)}; }
Number KernelBuilder::firstLane(Number mask) { return {*this, math::CountTrailingZerosOp::create(*this, mask.value)}; }
Number KernelBuilder::lanesBelow(Number mask) { return mask & ((integer32(1) << lane().toInteger(i32)) - 1); }

Number KernelBuilder::sumOverWarp(Number value) {
  for (int64_t mask = warpSize / 2; mask; mask /= 2)
    value = value + shuffleXor(value, mask);
  return value;
}

Number KernelBuilder::maximumOverWarp(Number value) {
  for (int64_t mask = warpSize / 2; mask; mask /= 2)
    value = maximum(value, shuffleXor(value, mask));
  return value;
}

Number KernelBuilder::sumBefore(Number value) {
  Number own = lane().toInteger(i32), sum = value;
  for (int64_t distance = 1; distance < warpSize; distance *= 2)
    sum = sum + select(own >= distance, shuffleFrom(sum, own - distance), value.like(int64_t(0)));
  return sum - value;
}

Number KernelBuilder::gather(ArrayRef<Number> elements) {
  SmallVector<Value> values = llvm::map_to_vector(elements, [](Number n) { return n.value; });
  auto type = VectorType::get(int64_t(values.size()), elements.front().type());
  return number(vector::FromElementsOp::create(*this, type, values));
}

Number KernelBuilder::sumOfElements(Number vector) {
  if (!vector.isVector())
    return vector;
  for (int64_t half = vector.lanes() / 2; half; half /= 2) {
    SmallVector<int64_t> low(half), high(half);
    std::iota(low.begin(), low.end(), 0);
    std::iota(high.begin(), high.end(), half);
    vector = vector.shuffle(vector, low) + vector.shuffle(vector, high);
  }
  return vector.lane(0);
}

Number KernelBuilder::roundToBf16(Number value) { return widen(narrow(value, bf16)); }

Number KernelBuilder::powerOfTwo(Number exponent) {
  auto dialect = LLVM::AsmDialectAttr::get(getContext(), LLVM::AsmDialect::AD_ATT);
  return {*this, LLVM::InlineAsmOp::create(*this, f32, ValueRange(exponent.value), "ex2.approx.ftz.f32 $0, $1;", "=f,f",
                                           /*has_side_effects=*/false, /*is_align_stack=*/false, LLVM::TailCallKind::None, dialect,
                                           ArrayAttr())
                     .getResult(0)};
}

Number KernelBuilder::loadIf(Number condition, Pointer address, Number otherwise) {
  return computeIf(condition, [&] { return address.load(); }, otherwise);
}

void KernelBuilder::forThreads(Number count, int64_t threads, function_ref<void(Number)> body) {
  forRange(thread(), count, threads, body);
}

void KernelBuilder::keepRolled(ArrayRef<Number> results) {
  auto unroll = LLVM::LoopUnrollAttr::get(getContext(), /*disable=*/getBoolAttr(true), {}, {}, {}, {}, {}, {});
  auto annotation = LLVM::LoopAnnotationAttr::get(getContext(), {}, {}, {}, unroll, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {});
  results.front().value.getDefiningOp<scf::ForOp>()->setAttr("llvm.loop_annotation", annotation);
}

KernelBuilder::ThreadColumns KernelBuilder::columnsOfThread(int64_t width, int64_t threads) {
  constexpr int64_t most = 4; // f32 that a thread loads at once
  if (width <= threads || width % most)
    return {.lanes = 0, .count = 1};
  return {.lanes = most, .count = most};
}

void KernelBuilder::forColumns(int64_t width, int64_t threads, function_ref<void(Number, int64_t)> body) {
  ThreadColumns columns = columnsOfThread(width, threads);
  forRange(thread() * columns.count, integer(width), threads * columns.count, [&](Number column) { body(column, columns.lanes); });
}

void KernelBuilder::forLanes(int64_t count, function_ref<void(Number)> body) { forRange(lane(), integer(count), warpSize, body); }

/// LLVM follows the address space, and from the multiple and from what rows and columns are multiplied with it concludes how wide
/// loads can be.
Value KernelBuilder::genericOf(Value global, int64_t multiple) {
  Value address = LLVM::AddrSpaceCastOp::create(*this, ptr, global);
  LLVM::AssumeOp::create(*this, arith::ConstantIntOp::create(*this, 1, 1), LLVM::AssumeAlignTag(), address, integer(multiple));
  return address;
}

Pointer KernelBuilder::loadAddress(Pointer from, Type pointee) {
  Value there = LLVM::LoadOp::create(*this, LLVM::LLVMPointerType::get(getContext(), globalSpace), from.value, addressBytes);
  return pointer(genericOf(there, weightAlignment), pointee);
}

Value KernelBuilder::sharedMemory() {
  auto global = module.lookupSymbol<LLVM::GlobalOp>(sharedName);
  if (!global) {
    OpBuilder::InsertionGuard guard(*this);
    setInsertionPointToStart(module.getBody());
    global = LLVM::GlobalOp::create(*this, LLVM::LLVMArrayType::get(i8, 0), /*isConstant=*/false, LLVM::Linkage::External,
                                    sharedName, Attribute(), /*alignment=*/128, sharedSpace);
  }
  return LLVM::AddressOfOp::create(*this, global);
}

Pointer KernelBuilder::shared(int64_t offset, Type element) {
  Value generic = LLVM::AddrSpaceCastOp::create(*this, ptr, sharedMemory());
  return (pointer(generic, i8) + offset).as(element);
}

void KernelBuilder::kernel(StringRef name, unsigned arguments, Body body) {
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToEnd(module.getBody());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(getContext()), SmallVector<Type>(arguments, ptr));
  auto function = LLVM::LLVMFuncOp::create(*this, name, type, LLVM::Linkage::External);
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), getUnitAttr());
  function.setPassthroughAttr(getArrayAttr({getStringAttr("no-builtins"), getStringAttr("nounwind")}));
  Block *entry = function.addEntryBlock(*this);
  setInsertionPointToStart(entry);
  SmallVector<Value> addresses;
  for (Value argument : entry->getArguments()) {
    Value there = LLVM::AddrSpaceCastOp::create(*this, LLVM::LLVMPointerType::get(getContext(), globalSpace), argument);
    addresses.push_back(genericOf(there, argumentAlignment));
  }
  int64_t threads = body(addresses);
  function->setAttr(NVVM::NVVMDialect::getReqntidAttrName(), getDenseI32ArrayAttr({int32_t(threads)}));
  // Without a limit of its own the assembler spills a register here and there to have one block more at a time.
  function->setAttr(NVVM::NVVMDialect::getMaxnregAttrName(), getI32IntegerAttr(int32_t(std::min<int64_t>(255, 65536 / threads))));
  LLVM::ReturnOp::create(*this, ValueRange());
}
