// Loops as scf.while, whose types are settled by trying.
#include "importers/onnx/operators/Loops.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

FailureOr<RankedTensorType> onnx::commonType(Call &call, const Tensor &a, const Tensor &b) {
  if (a.type != b.type || a.rank() != b.rank())
    return call.refuse("If and loops: expected values of one type and rank, got " + nameOf(a.type) + " " + spelled(a.shape) +
                       " and " + nameOf(b.type) + " " + spelled(b.shape));
  SmallVector<int64_t> dims;
  for (auto [x, y] : llvm::zip(a.shape, b.shape))
    dims.push_back(x.dim() == y.dim() ? x.dim() : ShapedType::kDynamic);
  return RankedTensorType::get(dims, call.e.elementType(a.type));
}

Value onnx::castTo(Emitter &e, Value value, RankedTensorType type) {
  return value.getType() == type ? value : Value(tensor::CastOp::create(e.b, type, value));
}

bool onnx::isScalar(const Tensor &tensor, DataType type) { return tensor.type == type && tensor.isStatic() && tensor.count() == 1; }

/// `collected` with one more entry at its end.
static Value appended(Emitter &e, Value collected, const Tensor &entry, Value count) {
  auto type = cast<RankedTensorType>(collected.getType());
  Value one = e.extents.value(1);
  Shape sizes = {e.extents.of(arith::AddIOp::create(e.b, count, one), true)};
  sizes.append(entry.shape.begin(), entry.shape.end());
  Value larger = tensor::EmptyOp::create(e.b, type, e.extents.dynamicSizes(sizes));
  SmallVector<OpFoldResult> ones(sizes.size(), e.b.getIndexAttr(1)), offsets(sizes.size(), e.b.getIndexAttr(0)),
      extents = e.extents.sizes(sizes);
  extents[0] = count;
  larger = tensor::InsertSliceOp::create(e.b, collected, larger, offsets, extents, ones);
  extents[0] = e.b.getIndexAttr(1);
  offsets[0] = count;
  return tensor::InsertSliceOp::create(e.b, e.value(entry), larger, offsets, extents, ones);
}

FailureOr<Tensors> onnx::runLoop(Call &call, Value count, Value goesOn, Tensors carried, TurnFunction turn) {
  Emitter &e = call.e;
  Region region;
  SmallVector<Type> types = {e.b.getIndexType(), e.b.getI1Type()};
  SmallVector<Value> begin = {e.extents.value(0), goesOn ? goesOn : Value(arith::ConstantIntOp::create(e.b, 1, 1))};
  size_t states = carried.size();
  Tensors entries;
  // The types that go round are those of a turn that leaves them as they are; each try knows fewer sizes than the one before.
  for (bool isSettled = false; !isSettled;) {
    region.getBlocks().clear();
    Block &block = region.emplaceBlock();
    OpBuilder::InsertPoint outside = e.b.saveInsertionPoint();
    OpBuilder::InsertionGuard guard(e.b);
    Extents::Region scope(e.extents);
    Location location = e.b.getLoc();
    e.b.setInsertionPointToEnd(&block);
    Value index = block.addArgument(e.b.getIndexType(), location), before = block.addArgument(e.b.getI1Type(), location);
    Tensors inside;
    for (const Tensor &state : carried)
      inside.push_back(e.fromValue(block.addArgument(e.tensorType(state.shape, state.type), location), state.type));
    FailureOr<Turn> made = turn(index, before, inside);
    e.b.setLoc(location);
    if (failed(made))
      return failure();
    isSettled = true;
    SmallVector<RankedTensorType> common;
    for (auto [state, after] : llvm::zip(carried, made->carried)) {
      FailureOr<RankedTensorType> type = commonType(call, state, after);
      if (failed(type))
        return failure();
      common.push_back(*type);
      isSettled &= *type == e.tensorType(state.shape, state.type);
    }
    if (!isSettled) {
      e.b.restoreInsertionPoint(outside);
      for (auto [state, type] : llvm::zip(carried, common))
        state = e.fromValue(castTo(e, e.value(state), type), state.type);
      continue;
    }
    SmallVector<Value> next = {arith::AddIOp::create(e.b, index, e.extents.value(1)), made->goesOn ? made->goesOn : before};
    for (auto [after, type] : llvm::zip(made->carried, common))
      next.push_back(castTo(e, e.value(after), type));
    entries = made->entries;
    for (const Tensor &entry : entries) {
      SmallVector<int64_t> dims = {ShapedType::kDynamic};
      llvm::append_range(dims, e.tensorType(entry.shape, entry.type).getShape());
      auto type = RankedTensorType::get(dims, e.elementType(entry.type));
      next.push_back(appended(e, block.addArgument(type, location), entry, index));
    }
    scf::YieldOp::create(e.b, next);
  }
  for (const Tensor &state : carried) {
    begin.push_back(e.value(state));
    types.push_back(begin.back().getType());
  }
  for (BlockArgument argument : region.front().getArguments().drop_front(2 + states)) {
    auto type = cast<RankedTensorType>(argument.getType());
    types.push_back(type);
    SmallVector<Value> none(type.getNumDynamicDims(), e.extents.value(0));
    begin.push_back(tensor::EmptyOp::create(e.b, type, none));
  }
  auto loop = scf::WhileOp::create(e.b, types, begin);
  loop.getAfter().takeBody(region);
  {
    OpBuilder::InsertionGuard guard(e.b);
    SmallVector<Location> locations(types.size(), e.b.getLoc());
    Block *test = e.b.createBlock(&loop.getBefore(), {}, types, locations);
    Value condition = test->getArgument(1);
    if (count)
      condition =
          arith::AndIOp::create(e.b, condition, arith::CmpIOp::create(e.b, arith::CmpIPredicate::slt, test->getArgument(0), count));
    scf::ConditionOp::create(e.b, condition, test->getArguments());
  }
  Tensors results;
  for (auto [index, value] : llvm::enumerate(loop.getResults().drop_front(2)))
    results.push_back(e.fromValue(value, index < states ? carried[index].type : entries[index - states].type));
  return results;
}
