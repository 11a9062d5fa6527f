// How a function meets its caller: the signature of runtime/kernels/Function.h.
#include "lowering/function/Boundary.h"

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <map>

using namespace mlir;

namespace {

/// The fields of FunctionCalls, and of FunctionTensor, in order.
enum Call { Context, Allocate, Release, Fail };
enum TensorField { Data, Shape };

class BoundaryConverter {
public:
  explicit BoundaryConverter(func::FuncOp function)
      : function(function), builder(function.getLoc(), function.getContext()), types(function.getContext()),
        pointer(LLVM::LLVMPointerType::get(function.getContext())), i64(builder.getI64Type()) {}

  void convert() {
    Block &entry = function.getBody().front();
    SmallVector<BlockArgument> tensors(entry.getArguments());
    Value arguments = entry.addArgument(pointer, function.getLoc());
    results = entry.addArgument(pointer, function.getLoc());
    calls = entry.insertArgument(0u, pointer, function.getLoc());
    builder.setInsertionPointToStart(&entry);
    for (auto [index, tensor] : llvm::enumerate(tensors))
      tensor.replaceAllUsesWith(argument(arguments, int64_t(index), cast<MemRefType>(tensor.getType())));
    entry.eraseArguments(1, unsigned(tensors.size()));
    function.setFunctionType(builder.getFunctionType({pointer, pointer, pointer}, {}));
    function.removeArgAttrsAttr();
    function.removeResAttrsAttr();

    SmallVector<Operation *> ops;
    function.walk([&](Operation *op) {
      if (isa<memref::AllocOp, memref::DeallocOp, cf::AssertOp, func::ReturnOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      builder.setInsertionPoint(op);
      builder.setLoc(op->getLoc());
      if (auto alloc = dyn_cast<memref::AllocOp>(op))
        convertAlloc(alloc);
      else if (auto dealloc = dyn_cast<memref::DeallocOp>(op))
        convertDealloc(dealloc);
      else if (auto assertion = dyn_cast<cf::AssertOp>(op))
        convertAssert(assertion);
      else
        convertReturn(cast<func::ReturnOp>(op));
    }
  }

private:
  Value integer(int64_t value) { return LLVM::ConstantOp::create(builder, i64, value); }
  Value toI64(Value index) { return arith::IndexCastOp::create(builder, i64, index); }

  /// The address of word `word` from `base` on.
  Value wordAt(Value base, int64_t word) {
    return LLVM::GEPOp::create(builder, pointer, i64, base, ArrayRef<LLVM::GEPArg>{int32_t(word)});
  }
  Value load(Type type, Value base, int64_t word) { return LLVM::LoadOp::create(builder, type, wordAt(base, word)); }
  void store(Value value, Value base, int64_t word) { LLVM::StoreOp::create(builder, value, wordAt(base, word)); }

  /// Calls one of `calls` with its context and `operands`.
  Value call(Call which, TypeRange results, ValueRange operands) {
    SmallVector<Value> all{load(pointer, calls, which), load(pointer, calls, Context)};
    llvm::append_range(all, operands);
    SmallVector<Type> inputs(ValueRange(all).drop_front().getTypes());
    Type result = results.empty() ? Type(LLVM::LLVMVoidType::get(builder.getContext())) : results.front();
    auto op = LLVM::CallOp::create(builder, LLVM::LLVMFunctionType::get(result, inputs), all);
    return results.empty() ? Value() : op.getResult();
  }

  /// Memory at `data` as a contiguous memref of `type` with these sizes.
  Value memory(MemRefType type, Value data, ArrayRef<Value> sizes) {
    Value descriptor = LLVM::PoisonOp::create(builder, types.convertType(type));
    auto insert = [&](Value value, ArrayRef<int64_t> position) {
      descriptor = LLVM::InsertValueOp::create(builder, descriptor, value, position);
    };
    insert(data, {0});
    insert(data, {1});
    insert(integer(0), {2});
    Value stride = integer(1);
    for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
      insert(sizes[size_t(dim)], {3, dim});
      insert(stride, {4, dim});
      stride = LLVM::MulOp::create(builder, stride, sizes[size_t(dim)]);
    }
    return UnrealizedConversionCastOp::create(builder, TypeRange(type), ValueRange(descriptor)).getResult(0);
  }

  Value argument(Value arguments, int64_t index, MemRefType type) {
    Value data = load(pointer, arguments, 2 * index + Data);
    Value shape = load(pointer, arguments, 2 * index + Shape);
    SmallVector<Value> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      sizes.push_back(type.isDynamicDim(unsigned(dim)) ? load(i64, shape, dim) : integer(type.getDimSize(unsigned(dim))));
    return memory(type, data, sizes);
  }

  void convertAlloc(memref::AllocOp op) {
    MemRefType type = op.getType();
    SmallVector<Value> sizes;
    auto dynamic = op.getDynamicSizes().begin();
    unsigned bits = type.getElementType().isIndex() ? 64 : type.getElementTypeBitWidth();
    Value bytes = arith::ConstantIntOp::create(builder, i64, std::max(1u, bits / 8));
    Value overflows = arith::ConstantIntOp::create(builder, builder.getI1Type(), 0);
    Value zero = arith::ConstantIntOp::create(builder, i64, 0);
    for (int64_t dim : type.getShape()) {
      Value size = ShapedType::isDynamic(dim) ? toI64(*dynamic++) : arith::ConstantIntOp::create(builder, i64, dim);
      sizes.push_back(size);
      auto product = arith::MulUIExtendedOp::create(builder, bytes, size);
      bytes = product.getLow();
      Value high = arith::CmpIOp::create(builder, arith::CmpIPredicate::ne, product.getHigh(), zero);
      overflows = arith::OrIOp::create(builder, overflows, high);
    }
    bytes = arith::SelectOp::create(builder, overflows, arith::ConstantIntOp::create(builder, i64, -1), bytes);
    op.replaceAllUsesWith(memory(type, call(Allocate, {pointer}, {bytes}), sizes));
    op.erase();
  }

  Value addressOf(Value memory) {
    Value index = memref::ExtractAlignedPointerAsIndexOp::create(builder, memory);
    return LLVM::IntToPtrOp::create(builder, pointer, toI64(index));
  }

  void convertDealloc(memref::DeallocOp op) {
    call(Release, {}, {addressOf(op.getMemref())});
    op.erase();
  }

  void convertAssert(cf::AssertOp op) {
    Block *block = op->getBlock(), *rest = block->splitBlock(op), *failing = builder.createBlock(rest);
    call(Fail, {}, {messageAddress(op.getMsg()), integer(int64_t(op.getMsg().size()))});
    LLVM::UnreachableOp::create(builder);
    builder.setInsertionPointToEnd(block);
    cf::CondBranchOp::create(builder, op.getArg(), rest, ValueRange(), failing, ValueRange());
    op.erase();
  }

  /// The address of a string of the code that is `text`.
  Value messageAddress(StringRef text) {
    StringAttr &name = messages[text];
    if (!name) {
      name = builder.getStringAttr(function.getSymName() + ".message." + Twine(messages.size() - 1));
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPoint(function);
      LLVM::GlobalOp::create(builder, LLVM::LLVMArrayType::get(builder.getI8Type(), text.size()), /*isConstant=*/true,
                             LLVM::Linkage::Internal, name, builder.getStringAttr(text));
    }
    return LLVM::AddressOfOp::create(builder, pointer, name);
  }

  void convertReturn(func::ReturnOp op) {
    for (auto [index, result] : llvm::enumerate(op.getOperands())) {
      store(addressOf(result), results, 2 * int64_t(index) + Data);
      Value shape = load(pointer, results, 2 * int64_t(index) + Shape);
      for (int64_t dim = 0; dim < cast<MemRefType>(result.getType()).getRank(); ++dim)
        store(toI64(memref::DimOp::create(builder, result, dim)), shape, dim);
    }
    func::ReturnOp::create(builder);
    op.erase();
  }

  func::FuncOp function;
  ImplicitLocOpBuilder builder;
  LLVMTypeConverter types;
  Type pointer, i64;
  Value calls, results;
  std::map<StringRef, StringAttr> messages; ///< names of the strings
};

} // namespace

void moec::lowering::convertBoundary(func::FuncOp function) { BoundaryConverter(function).convert(); }
