// Verifiers of the plan dialect's operations; each message cites its constraint.
#include "dialects/plan/Plan.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::plan;

#define GET_OP_CLASSES
#include "dialects/plan/PlanOps.cpp.inc"

//===- Model ----------------------------------------------------------------------------------------------------------------===//

static int64_t bytesOf(RankedTensorType type) { return type.getNumElements() * type.getElementTypeBitWidth() / 8; }

/// Whether `type` is a tensor with rows of whole bytes whose size is positive and fits an int64_t.
static bool hasSize(RankedTensorType type) {
  if (!type.hasStaticShape() || type.getRank() == 0 || !type.getElementType().isIntOrFloat())
    return false;
  int64_t bits = type.getElementTypeBitWidth();
  if (type.getShape().back() % 8 * bits % 8)
    return false;
  return llvm::all_of(type.getShape(), [&](int64_t dim) { return dim > 0 && !llvm::MulOverflow(bits, dim, bits); });
}

LogicalResult WeightOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (!hasSize(type))
    return emitOpError() << "C1: expected a statically shaped tensor of bytes, got " << type;
  int64_t bytes = 0, rowBytes = bytesOf(type) / type.getDimSize(0);
  bool overflow = false;
  for (auto part : getParts().getAsRange<PartAttr>()) {
    if (part.getBytes() % rowBytes)
      return emitOpError() << "C2: expected parts of whole rows of " << rowBytes << " bytes, got " << part;
    overflow |= llvm::AddOverflow(bytes, part.getAllBytes(), bytes);
  }
  if (overflow || bytes != bytesOf(type))
    return emitOpError() << "C1: expected parts of " << bytesOf(type) << " bytes in all, got " << bytes;
  return success();
}

SmallVector<int64_t> WeightOp::getPartRows() {
  auto type = cast<RankedTensorType>(getType());
  int64_t rowBytes = bytesOf(type) / type.getDimSize(0);
  auto rowsOf = [&](PartAttr part) { return part.getBytes() / rowBytes; };
  auto parts = getParts().getAsRange<PartAttr>();
  if (llvm::all_equal(llvm::map_range(parts, rowsOf)))
    return {rowsOf(*parts.begin())};
  SmallVector<int64_t> rows;
  for (PartAttr part : parts)
    rows.append(part.getTimes(), rowsOf(part));
  return rows;
}

LogicalResult CacheOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (type.getRank() != 2 || !type.isDynamicDim(0) || type.isDynamicDim(1) || type.getDimSize(1) == 0 ||
      !(type.getElementType().isF32() || type.getElementType().isBF16()))
    return emitOpError() << "C1: expected tensor<?xWxf32> or tensor<?xWxbf16>, got " << type;
  return success();
}

LogicalResult ConstantOp::verify() {
  if (!hasSize(cast<RankedTensorType>(getType())))
    return emitOpError() << "C1: expected a statically shaped tensor of bytes, got " << getType();
  return success();
}

//===- Kernels --------------------------------------------------------------------------------------------------------------===//

ValueRange KernelOp::getResults() { return getBody().front().getTerminator()->getOperands(); }

SmallVector<Operation *> KernelOp::getCaches() {
  return llvm::map_to_vector(llvm::make_filter_range(getBody().front(), [](Operation &op) { return isa<SymbolOpInterface>(op); }),
                             [](Operation &op) { return &op; });
}

LogicalResult KernelOp::verifyRegions() {
  if (getRows() != Extent::Tokens && getRows() != Extent::Outputs)
    return emitOpError() << "C1: expected rows that count tokens or outputs, got " << stringifyExtent(getRows());
  Block &body = getBody().front();
  if (getPartRows().size() != body.getNumArguments())
    return emitOpError() << "C2: expected parts of " << body.getNumArguments() << " arguments, got " << getPartRows().size();
  for (auto [argument, entry] : llvm::zip(body.getArguments(), getPartRows().getAsRange<DenseI64ArrayAttr>())) {
    ArrayRef<int64_t> rows = entry;
    if (rows.empty())
      continue;
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || !type.hasStaticShape() || type.getRank() == 0)
      return emitOpError() << "C2: expected no parts for an argument of type " << argument.getType();
    int64_t sum = 0, dim = type.getDimSize(0);
    bool fits = true;
    for (int64_t count : rows)
      fits &= count > 0 && !llvm::AddOverflow(sum, count, sum);
    fits = fits && (rows.size() == 1 ? dim % sum == 0 : sum == dim);
    if (!fits)
      return emitOpError() << "C2: expected parts of " << dim << " rows in all for " << type << ", got " << entry;
  }
  auto end = dyn_cast<ReturnOp>(body.getTerminator());
  if (!end || !llvm::all_of(end.getValues().getTypes(), llvm::IsaPred<RankedTensorType>))
    return emitOpError() << "C3: expected a region that ends with a plan.return of tensors";
  return success();
}

//===- Programs -------------------------------------------------------------------------------------------------------------===//

LogicalResult ProgramOp::verifyRegions() {
  llvm::StringSet<> outputs;
  for (Operation &op : getBody().front()) {
    if (!isa<BufferOp, LaunchOp, OutputOp>(op))
      return (emitOpError() << "C1: expected buffers, launches and outputs only").attachNote(op.getLoc())
             << "'" << op.getName() << "' is none of these";
    if (auto output = dyn_cast<OutputOp>(op); output && !outputs.insert(output.getName()).second)
      return emitOpError() << "C2: expected one output '" << output.getName() << "', got two";
  }
  return success();
}

static bool hasSymbol(BufferKind kind) {
  return kind == BufferKind::Weight || kind == BufferKind::Constant || kind == BufferKind::Cache;
}

LogicalResult BufferOp::verify() {
  BufferKind kind = getKind();
  auto type = cast<MemRefType>(getType());
  if (hasSymbol(kind) != bool(getSymbol()))
    return emitOpError() << "C1: expected " << (hasSymbol(kind) ? "a" : "no") << " symbol for a buffer of kind "
                         << stringifyBufferKind(kind);
  if (getOffset() && kind != BufferKind::Arena)
    return emitOpError() << "C2: expected no offset for a buffer of kind " << stringifyBufferKind(kind);
  bool wantsExtent = kind == BufferKind::Arena && !type.hasStaticShape();
  if (wantsExtent != getExtent().has_value() || (wantsExtent && *getExtent() == Extent::Constant))
    return emitOpError() << "C3: expected " << (wantsExtent ? "an extent that is not constant" : "no extent") << " for " << type;
  int64_t rank = kind == BufferKind::Pages || kind == BufferKind::Sampling ? 2 : 1;
  if (kind != BufferKind::Arena && !hasSymbol(kind) &&
      (!type.getElementType().isInteger(32) || type.getRank() != rank || !type.isDynamicDim(0) ||
       (kind == BufferKind::Sampling && type.getDimSize(1) != 5)))
    return emitOpError() << "C4: expected i32 of unknown length for " << stringifyBufferKind(kind) << ", got " << type;
  return success();
}

/// Whether memory of type `buffer` can hold a tensor of type `value`.
static bool holds(Type buffer, Type value) {
  auto memory = dyn_cast<MemRefType>(buffer);
  auto tensor = dyn_cast<RankedTensorType>(value);
  return memory && tensor && memory.getShape() == tensor.getShape() && memory.getElementType() == tensor.getElementType();
}

LogicalResult BufferOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!getSymbol())
    return success();
  Operation *target = symbols.lookupNearestSymbolFrom(*this, getSymbolAttr());
  bool fits = target && (getKind() == BufferKind::Weight     ? isa<WeightOp>(target)
                         : getKind() == BufferKind::Constant ? isa<ConstantOp>(target)
                                                             : isa<CacheOp>(target));
  if (!fits)
    return emitOpError() << "C1: expected '" << *getSymbol() << "' to name a plan." << stringifyBufferKind(getKind());
  Type type = target->getAttrOfType<TypeAttr>("type").getValue();
  if (!holds(getType(), type))
    return emitOpError() << "C1: expected a buffer shaped like " << type << ", got " << getType();
  return success();
}

Extent BufferOp::getRowExtent() {
  switch (getKind()) {
  case BufferKind::Arena:
    return getExtent().value_or(Extent::Constant);
  case BufferKind::TokenIds:
  case BufferKind::Positions:
  case BufferKind::TokenSequence:
    return Extent::Tokens;
  case BufferKind::Starts:
  case BufferKind::Pages:
    return Extent::Sequences;
  case BufferKind::OutputTokens:
  case BufferKind::Sampling:
    return Extent::Outputs;
  case BufferKind::Weight:
  case BufferKind::Constant:
  case BufferKind::Cache:
    return Extent::Constant;
  }
  llvm_unreachable("every kind has an extent");
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError() << "C1: expected '" << getKernel() << "' to name a plan.kernel";
  SmallVector<Type> expected; // null: one of the batch's buffers, whose kinds say their shape
  for (Type type : kernel.getBody().front().getArgumentTypes())
    isa<RankedTensorType>(type) ? expected.push_back(type) : expected.append(5, Type());
  for (Operation *cache : kernel.getCaches())
    expected.push_back(cache->getAttrOfType<TypeAttr>("type").getValue());
  llvm::append_range(expected, kernel.getResults().getTypes());

  if (getBuffers().size() < expected.size())
    return emitOpError() << "C2: expected at least " << expected.size() << " buffers for '" << getKernel() << "', got "
                         << getBuffers().size();
  for (auto [index, buffer] : llvm::enumerate(getBuffers())) {
    if (index >= expected.size()) {
      auto op = buffer.getDefiningOp<BufferOp>();
      if (!op || op.getKind() != BufferKind::Constant)
        return emitOpError() << "C2: expected a constant as buffer " << index << " of '" << getKernel() << "'";
    } else if (expected[index] && !holds(buffer.getType(), expected[index])) {
      return emitOpError() << "C2: expected buffer " << index << " of '" << getKernel() << "' shaped like " << expected[index]
                           << ", got " << buffer.getType();
    }
  }
  return success();
}

LogicalResult OutputOp::verify() {
  auto buffer = getBuffer().getDefiningOp<BufferOp>();
  if (!buffer || buffer.getKind() != BufferKind::Arena)
    return emitOpError() << "C1: expected an arena buffer as output '" << getName() << "'";
  return success();
}
