// The operations of NVVM behind them.
#include "lowering/nvptx/matrix/MatrixUnits.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

void moec::lowering::nvptx::multiplyAdd(KernelBuilder &b, ArrayRef<Number> left, ArrayRef<Number> right,
                                        MutableArrayRef<Number> sums) {
  auto valuesOf = [](ArrayRef<Number> numbers) { return llvm::map_to_vector(numbers, [](Number n) { return n.value; }); };
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(accumulators, b.f32));
  Value after = NVVM::MmaOp::create(b, type, valuesOf(left), valuesOf(right), valuesOf(sums),
                                    ArrayRef<int64_t>{MatrixTile::rows, MatrixTile::columns, MatrixTile::depth}, std::nullopt,
                                    std::nullopt, std::array{NVVM::MMATypes::bf16, NVVM::MMATypes::bf16},
                                    std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
  for (auto [i, sum] : llvm::enumerate(sums))
    sum = b.number(LLVM::ExtractValueOp::create(b, after, int64_t(i)));
}

Number moec::lowering::nvptx::packBf16(Number two) {
  ImplicitLocOpBuilder &b = *two.builder;
  Value rounded = arith::TruncFOp::create(b, VectorType::get(2, b.getBF16Type()), two.value);
  return {b, LLVM::BitcastOp::create(b, b.getI32Type(), rounded)};
}

Number moec::lowering::nvptx::packBf16(Number first, Number second) {
  ImplicitLocOpBuilder &b = *first.builder;
  auto type = VectorType::get(2, b.getF32Type());
  return packBf16(Number(b, vector::FromElementsOp::create(b, type, ValueRange{first.value, second.value})));
}

static Value inSpace(KernelBuilder &b, Pointer address, NVVM::NVVMMemorySpace space) {
  return LLVM::AddrSpaceCastOp::create(b, LLVM::LLVMPointerType::get(b.getContext(), unsigned(space)), address);
}

Pointer moec::lowering::nvptx::laneAddress(KernelBuilder &b, MatrixLoad load, const SharedRows &layout, Pointer base) {
  Number lane = b.lane();
  return base.plusBytes(layout.place(load.row(lane), load.chunk(lane)));
}

KernelBuilder::Numbers moec::lowering::nvptx::loadMatrices(KernelBuilder &b, MatrixLoad load, Pointer laneAddress) {
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(4, b.i32));
  auto shape = NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8);
  Value loaded =
      NVVM::LdMatrixOp::create(b, type, inSpace(b, laneAddress, NVVM::NVVMMemorySpace::Shared), 4,
                               load.transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row, shape, NVVM::LdStMatrixEltType::B16);
  KernelBuilder::Numbers registers;
  for (int64_t i = 0; i < 4; ++i)
    registers.push_back(b.number(LLVM::ExtractValueOp::create(b, loaded, i)));
  return registers;
}

void moec::lowering::nvptx::beginCopy(KernelBuilder &b, Pointer to, Pointer from, Number isInside) {
  Number bytes = select(isInside, b.integer32(chunkBytes), b.integer32(0));
  NVVM::CpAsyncOp::create(b, inSpace(b, to, NVVM::NVVMMemorySpace::Shared), inSpace(b, from, NVVM::NVVMMemorySpace::Global),
                          b.getI32IntegerAttr(chunkBytes),
                          NVVM::LoadCacheModifierKindAttr::get(b.getContext(), NVVM::LoadCacheModifierKind::CG), bytes.value);
}

void moec::lowering::nvptx::closeGroup(KernelBuilder &b) { NVVM::CpAsyncCommitGroupOp::create(b); }

void moec::lowering::nvptx::finishCopies(KernelBuilder &b) {
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.cp.async.wait.all"), ValueRange());
}

void moec::lowering::nvptx::awaitGroups(KernelBuilder &b, int64_t groups) {
  NVVM::CpAsyncWaitGroupOp::create(b, b.getI32IntegerAttr(int32_t(groups)));
}

void moec::lowering::nvptx::beginCopy(KernelBuilder &b, int64_t threads, const SharedRows &layout, Pointer to, Number rows,
                                      Number chunks, function_ref<Pointer(Number)> source) {
  // Lanes side by side take chunks side by side, of one row as far as it goes.
  int64_t lanes = std::clamp<int64_t>(int64_t(llvm::PowerOf2Ceil(uint64_t(layout.chunks))), chunkElements, warpSize);
  Number firstRow = b.thread() / lanes, firstChunk = b.thread() % lanes;
  b.forRange(firstRow, b.integer(layout.rows), threads / lanes, [&](Number row) {
    Pointer from = source(row).as(b.i8);
    for (int64_t before = 0; before < layout.chunks; before += lanes) {
      Number chunk = firstChunk + before;
      auto copy = [&] {
        beginCopy(b, to.plusBytes(layout.place(row, chunk)), from + chunk * chunkBytes, (row < rows) & (chunk < chunks));
      };
      if (before + lanes <= layout.chunks)
        copy();
      else
        b.ifThen(chunk < layout.chunks, copy);
    }
  });
}
