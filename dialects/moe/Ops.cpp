// Verifiers of the moe dialect's operations; each message cites its constraint.
#include "dialects/moe/Verification.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::moe;

#define GET_OP_CLASSES
#include "dialects/moe/MoEOps.cpp.inc"

LogicalResult WeightOp::verify() {
  if (!isWeight(getType()))
    return emitOpError() << "expected a statically shaped tensor of a storage type, got " << getType();
  if (getSlices().empty())
    return emitOpError() << "C2: expected at least one slice";
  int64_t rows = 0, dim = cast<RankedTensorType>(getType()).getDimSize(0), rank = cast<RankedTensorType>(getType()).getRank();
  bool overflow = false;
  for (auto slice : getSlices().getAsRange<SliceAttr>()) {
    overflow |= llvm::AddOverflow(rows, slice.getAllRows(), rows);
    if (slice.isStrided() && !(rank == 2 || (rank == 3 && slice.getRows() == 1)))
      return emitOpError() << "C3: expected a strided slice to be one matrix, got " << slice.getRows() << " rows of " << getType();
    Type element = cast<RankedTensorType>(getType()).getElementType();
    if (!slice.getWords().empty() && !(element.isUnsignedInteger() && element.getIntOrFloatBitWidth() >= slice.getPlaceBits()))
      return emitOpError() << "C4: expected unsigned integers of " << slice.getPlaceBits() << " bits or more in words, got "
                           << getType();
  }
  if (overflow || rows != dim)
    return emitOpError() << "C1: expected slices of " << dim << " rows in all, got " << rows;
  return success();
}

LogicalResult GetWeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight)
    return emitOpError() << "C1: expected '" << getWeight() << "' to name a moe.weight";
  if (weight.getType() != getType())
    return emitOpError() << "C1: expected the weight's type " << weight.getType() << ", got " << getType();
  return success();
}

LogicalResult CacheOp::verify() {
  if (!isCache(getType()))
    return emitOpError() << "C1: expected tensor<?xWxf32> or tensor<?xWxbf16>, got " << getType();
  return success();
}

LogicalResult AppendOp::verify() {
  if (getValues().empty())
    return emitOpError() << "C2: expected at least one value";
  return success();
}

LogicalResult AppendOp::verifySymbolUses(SymbolTableCollection &symbols) {
  CacheOp cache = lookUpCache(*this, symbols, getCacheAttr(), "C1");
  if (!cache)
    return failure();
  int64_t width = 0;
  for (Value value : getValues())
    width += widthOf(value.getType());
  if (width != widthOf(cache.getType()))
    return emitOpError() << "C1: expected values " << widthOf(cache.getType()) << " wide together, got " << width;
  return success();
}

LogicalResult EmbedOp::verify() {
  ArrayRef<int64_t> table = shapeOf(getTable());
  if (table.size() != 2 || widthOf(getType()) % table[1])
    return emitOpError() << "C1: expected a table [vocabulary, a divisor of " << widthOf(getType()) << "], got "
                         << getTable().getType();
  return success();
}

bool moec::moe::isRowwise(Operation *op) {
  if (isa<RMSNormOp, LayerNormOp, RopeOp, ScaleByPositionOp, AppendOp, RouteOp, ColumnsOp, ActivateOp, StreamWeightsOp,
          MergeStreamsOp, MixStreamsOp>(op))
    return true;
  return isa_and_nonnull<arith::ArithDialect>(op->getDialect()) && op->hasTrait<OpTrait::Elementwise>() &&
         llvm::all_of(op->getOperandTypes(), isRows) && llvm::all_of(op->getResultTypes(), isRows);
}

LogicalResult RowwiseOp::verify() {
  Block &body = getBody().front();
  if (body.getArgumentTypes() != getInputs().getTypes())
    return emitOpError() << "C1: expected region arguments of the operands' types";
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  if (!yield || yield.getValues().getTypes() != getResultTypes())
    return emitOpError() << "C1: expected a moe.yield of the results' types";
  for (Operation &op : body.without_terminator())
    if (!isRowwise(&op) && op.getName().getDialectNamespace() != "arith")
      return (emitOpError() << "C2: expected row-wise ops only").attachNote(op.getLoc()) << "'" << op.getName() << "' is not";
  return success();
}

LogicalResult ColumnsOp::verify() {
  int64_t available = widthOf(getInput().getType()), width = widthOf(getType());
  if (width > available || int64_t(getOffset()) > available - width)
    return emitOpError() << "C1: expected " << width << " columns within " << available << ", got offset " << getOffset();
  return success();
}

OpFoldResult ColumnsOp::fold(FoldAdaptor) {
  if (getType() == getInput().getType())
    return getInput();
  auto outer = getInput().getDefiningOp<ColumnsOp>();
  if (!outer)
    return {};
  setOffset(outer.getOffset() + getOffset());
  getInputMutable().assign(outer.getInput());
  return getResult();
}

LogicalResult LinearOp::verify() {
  int64_t out = widthOf(getType()), in = widthOf(getInput().getType());
  if (!hasShape(getWeight(), {out, in}))
    return emitOpError() << "C1: expected a weight [" << out << ", " << in << "], got " << getWeight().getType();
  if (getBias() && !hasShape(getBias(), {out}))
    return emitOpError() << "C2: expected a bias [" << out << "], got " << getBias().getType();
  if (getResidual() && getResidual().getType() != getType())
    return emitOpError() << "C3: expected a residual of type " << getType() << ", got " << getResidual().getType();
  return success();
}

LogicalResult GroupedLinearOp::verify() {
  int64_t out = widthOf(getType()), in = widthOf(getInput().getType());
  ArrayRef<int64_t> weight = shapeOf(getWeight());
  if (weight.size() != 2 || weight[0] != out || in % weight[1] || out % (in / weight[1]))
    return emitOpError() << "C1: expected a weight [" << out << ", " << in << " / groups] for groups that divide both, got "
                         << getWeight().getType();
  return success();
}

LogicalResult RMSNormOp::verify() {
  if (bool(getWeight()) == getGroup().has_value())
    return emitOpError() << "C1: expected exactly one of a weight and 'group'";
  if (getWeight() && shapeOf(getWeight()).size() != 1)
    return emitOpError() << "C2: expected a weight of rank 1, got " << getWeight().getType();
  int64_t group = getWeight() ? shapeOf(getWeight())[0] : *getGroup();
  if (group <= 0 || widthOf(getType()) % group)
    return emitOpError() << "C2: expected groups that divide " << widthOf(getType()) << " columns, got " << group;
  if (!(getEpsilon().convertToDouble() >= 0))
    return emitOpError() << "C3: expected epsilon >= 0, got " << getEpsilon().convertToDouble();
  return success();
}

LogicalResult LayerNormOp::verify() {
  ArrayRef<int64_t> weight = shapeOf(getWeight());
  if (weight.size() != 1 || widthOf(getType()) % weight[0])
    return emitOpError() << "C1: expected a weight whose size divides " << widthOf(getType()) << " columns, got "
                         << getWeight().getType();
  if (getBias() && shapeOf(getBias()) != weight)
    return emitOpError() << "C1: expected a bias of the weight's size, got " << getWeight().getType() << " and "
                         << getBias().getType();
  if (!(getEpsilon().convertToDouble() >= 0))
    return emitOpError() << "C2: expected epsilon >= 0, got " << getEpsilon().convertToDouble();
  return success();
}

LogicalResult RopeOp::verify() {
  int64_t headDim = getHeadDim();
  if (widthOf(getType()) % headDim)
    return emitOpError() << "C1: expected head_dim to divide " << widthOf(getType()) << " columns, got " << headDim;
  int64_t dims = getRotary().getDims(), offset = getRotary().getOffset();
  if (dims > headDim || offset > headDim - dims)
    return emitOpError() << "C2: expected a rotary slice within " << headDim << " columns, got " << dims << " dims at offset "
                         << offset;
  if (getBatch() && !getCos() && !getSin())
    return getRotary().getTheta() || getRotary().getFrequencies()
               ? success()
               : LogicalResult(emitOpError() << "C3: expected theta or frequencies where a batch gives positions");
  if (getBatch() || !getCos() || !getSin() || widthOf(getCos().getType()) != dims / 2 || widthOf(getSin().getType()) != dims / 2)
    return emitOpError() << "C3: expected a batch, or cosines and sines of " << dims / 2 << " columns";
  if (getRotary().getTheta() || getRotary().getYarn() || getRotary().getFrequencies() || getPositionScaleAttr() || getBlock() != 1)
    return emitOpError() << "C3: expected no theta, yarn, frequencies, position scale or block beside cosines and sines";
  return success();
}

/// C1 of the gated products: gate and up [lead..., intermediate, in], down [lead..., out, intermediate].
static LogicalResult verifyGatedShapes(Operation *op, Value gate, Value up, Value down, size_t rank, int64_t in, int64_t out,
                                       StringRef constraint) {
  ArrayRef<int64_t> gateShape = shapeOf(gate), downShape = shapeOf(down);
  bool fits = gateShape.size() == rank && downShape.size() == rank && shapeOf(up) == gateShape && gateShape[rank - 1] == in &&
              downShape[rank - 2] == out && downShape[rank - 1] == gateShape[rank - 2] &&
              (rank == 2 || gateShape[0] == downShape[0]);
  if (!fits)
    return op->emitOpError() << constraint << ": expected gate and up [" << (rank == 3 ? "experts, " : "") << "intermediate, " << in
                             << "] and down [" << (rank == 3 ? "experts, " : "") << out << ", intermediate], got " << gate.getType()
                             << ", " << up.getType() << " and " << down.getType();
  return success();
}

LogicalResult GateUpOp::verify() {
  int64_t in = widthOf(getInput().getType()), intermediate = widthOf(getType());
  if (!hasShape(getGate(), {intermediate, in}) || !hasShape(getUp(), {intermediate, in}))
    return emitOpError() << "C1: expected gate and up [" << intermediate << ", " << in << "], got " << getGate().getType()
                         << " and " << getUp().getType();
  return success();
}

LogicalResult GatedMLPOp::verify() {
  if (failed(verifyGatedShapes(*this, getGate(), getUp(), getDown(), 2, widthOf(getInput().getType()), widthOf(getType()), "C1")))
    return failure();
  if (getResidual() && getResidual().getType() != getType())
    return emitOpError() << "C2: expected a residual of type " << getType() << ", got " << getResidual().getType();
  return success();
}

/// That the groups of `routing` divide `experts`, can be scored, and leave at least k experts to choose from.
static LogicalResult verifyGroups(Operation *op, RoutingAttr routing, int64_t experts, StringRef constraint) {
  int64_t groups = routing.getGroups();
  if (experts % groups)
    return op->emitOpError() << constraint << ": expected groups that divide " << experts << " experts, got " << groups;
  if (groups > 1 && routing.getGroupScore() == GroupScore::Top2Sum && experts / groups < 2)
    return op->emitOpError() << constraint << ": expected at least two experts a group for 'top2_sum', got one";
  if (routing.getKeptGroups() * (experts / groups) < routing.getK())
    return op->emitOpError() << constraint << ": expected at least " << routing.getK() << " experts in the kept groups, got "
                             << routing.getKeptGroups() * (experts / groups);
  return success();
}

LogicalResult RouteOp::verify() {
  int64_t experts = widthOf(getLogits().getType()), k = getRouting().getK();
  if (widthOf(getIds().getType()) != k || widthOf(getWeights().getType()) != k || k > experts)
    return emitOpError() << "C1: expected " << k << " columns of ids and weights and at least as many logits, got "
                         << widthOf(getIds().getType()) << ", " << widthOf(getWeights().getType()) << " and " << experts;
  if (failed(verifyGroups(*this, getRouting(), experts, "C2")))
    return failure();
  if (getBias() && !hasShape(getBias(), {experts}))
    return emitOpError() << "C3: expected a bias [" << experts << "], got " << getBias().getType();
  if (bool(getTable()) != bool(getTokenIds()))
    return emitOpError() << "C4: expected a table and token ids together";
  if (getTable() && (getBias() || getRouting().getGroups() != 1))
    return emitOpError() << "C4: expected neither bias nor groups beside a table";
  if (getTable() && (shapeOf(getTable()).size() != 2 || shapeOf(getTable())[1] != k ||
                     !cast<RankedTensorType>(getTable().getType()).getElementType().isInteger()))
    return emitOpError() << "C4: expected an integer table [vocabulary, " << k << "], got " << getTable().getType();
  if (getRouting().getScore() == Score::SparseMixer && (getBias() || getTable()))
    return emitOpError() << "C5: expected neither bias nor table beside the score 'sparse_mixer'";
  return success();
}

/// C3 of moe.experts, of which the fused form has the same biases.
template <typename OpT> static LogicalResult verifyExpertBiases(OpT op, StringRef constraint) {
  ArrayRef<int64_t> gate = shapeOf(op.getGate());
  int64_t out = widthOf(op.getResult().getType());
  bool all = op.getGateBias() && op.getUpBias() && op.getDownBias();
  bool none = !op.getGateBias() && !op.getUpBias() && !op.getDownBias();
  if (!(all || none) || (all && (!hasShape(op.getGateBias(), {gate[0], gate[1]}) || !hasShape(op.getUpBias(), {gate[0], gate[1]}) ||
                                 !hasShape(op.getDownBias(), {gate[0], out}))))
    return op.emitOpError() << constraint << ": expected no biases or all of [" << gate[0] << ", " << gate[1] << "], [" << gate[0]
                            << ", " << gate[1] << "] and [" << gate[0] << ", " << out << "]";
  return success();
}

LogicalResult ExpertsOp::verify() {
  if (failed(verifyGatedShapes(*this, getGate(), getUp(), getDown(), 3, widthOf(getInput().getType()), widthOf(getType()), "C1")))
    return failure();
  if (widthOf(getIds().getType()) != widthOf(getWeights().getType()))
    return emitOpError() << "C2: expected as many ids as weights, got " << widthOf(getIds().getType()) << " and "
                         << widthOf(getWeights().getType());
  return verifyExpertBiases(*this, "C3");
}

LogicalResult FusedExpertsOp::verify() {
  int64_t in = widthOf(getInput().getType()), out = widthOf(getResult().getType()), experts = widthOf(getLogits().getType());
  if (failed(verifyGatedShapes(*this, getGate(), getUp(), getDown(), 3, in, out, "C1")))
    return failure();
  if (failed(verifyExpertBiases(*this, "C1")))
    return failure();
  if (shapeOf(getGate())[0] != experts)
    return emitOpError() << "C1: expected one logit per expert, got " << experts << " for " << shapeOf(getGate())[0];
  if (getBias() && !hasShape(getBias(), {experts}))
    return emitOpError() << "C2: expected a bias [" << experts << "], got " << getBias().getType();
  if (getBias() && getRouting().getScore() == Score::SparseMixer)
    return emitOpError() << "C2: expected no bias beside the score 'sparse_mixer'";
  if (widthOf(getIds().getType()) != getRouting().getK())
    return emitOpError() << "C2: expected " << getRouting().getK() << " columns of ids, got " << widthOf(getIds().getType());
  if (failed(verifyGroups(*this, getRouting(), experts, "C2")))
    return failure();
  bool all = getSharedGate() && getSharedUp() && getSharedDown(), none = !getSharedGate() && !getSharedUp() && !getSharedDown();
  if (!all && !none)
    return emitOpError() << "C3: expected all shared weights or none";
  if (all && failed(verifyGatedShapes(*this, getSharedGate(), getSharedUp(), getSharedDown(), 2, in, out, "C3")))
    return failure();
  if (getResidual() && getResidual().getType() != getResult().getType())
    return emitOpError() << "C4: expected a residual of type " << getResult().getType() << ", got " << getResidual().getType();
  return success();
}

LogicalResult DispatchOp::verify() {
  if (!cast<RankedTensorType>(getOffsets().getType()).hasStaticShape() || getExperts() < 1)
    return emitOpError() << "C1: expected at least two offsets, got " << getOffsets().getType();
  return success();
}

LogicalResult ExpertHiddenOp::verify() {
  int64_t in = widthOf(getInput().getType()), k = widthOf(getOrder().getType());
  ArrayRef<int64_t> gate = shapeOf(getGate());
  if (gate.size() != 3 || gate[2] != in || shapeOf(getUp()) != gate)
    return emitOpError() << "C1: expected gate and up [experts, intermediate, " << in << "], got " << getGate().getType() << " and "
                         << getUp().getType();
  if (bool(getSharedGate()) != bool(getSharedUp()))
    return emitOpError() << "C1: expected both shared weights or none";
  if (getSharedGate() && (shapeOf(getSharedGate()).size() != 2 || shapeOf(getSharedGate())[1] != in ||
                          shapeOf(getSharedUp()) != shapeOf(getSharedGate())))
    return emitOpError() << "C1: expected shared gate and up [shared intermediate, " << in << "], got " << getSharedGate().getType()
                         << " and " << getSharedUp().getType();
  int64_t width = k * gate[1] + (getSharedGate() ? shapeOf(getSharedGate())[0] : 0);
  if (widthOf(getType()) != width || !hasShape(getOffsets(), {gate[0] + 1}))
    return emitOpError() << "C2: expected a result " << width << " wide and " << gate[0] + 1 << " offsets, got "
                         << widthOf(getType()) << " and " << getOffsets().getType();
  if (bool(getGateBias()) != bool(getUpBias()) ||
      (getGateBias() && (!hasShape(getGateBias(), {gate[0], gate[1]}) || !hasShape(getUpBias(), {gate[0], gate[1]}))))
    return emitOpError() << "C3: expected no biases or both of [" << gate[0] << ", " << gate[1] << "]";
  if (getWeights() && widthOf(getWeights().getType()) != k)
    return emitOpError() << "C4: expected weights " << k << " wide, got " << widthOf(getWeights().getType());
  return success();
}

LogicalResult CombineOp::verify() {
  int64_t out = widthOf(getType()), k = widthOf(getOrder().getType());
  ArrayRef<int64_t> down = shapeOf(getDown());
  if (down.size() != 3 || down[1] != out || !hasShape(getOffsets(), {down[0] + 1}))
    return emitOpError() << "C1: expected down [experts, " << out << ", intermediate] and one more offset than experts, got "
                         << getDown().getType() << " and " << getOffsets().getType();
  if (getSharedDown() && (shapeOf(getSharedDown()).size() != 2 || shapeOf(getSharedDown())[0] != out))
    return emitOpError() << "C1: expected a shared down [" << out << ", shared intermediate], got " << getSharedDown().getType();
  int64_t width = k * down[2] + (getSharedDown() ? shapeOf(getSharedDown())[1] : 0);
  int64_t weights = getWeights() ? widthOf(getWeights().getType()) : k;
  if (widthOf(getHidden().getType()) != width || weights != k)
    return emitOpError() << "C2: expected hidden " << width << " and weights " << k << " wide, got "
                         << widthOf(getHidden().getType()) << " and " << weights;
  if (getDownBias() && !hasShape(getDownBias(), {down[0], out}))
    return emitOpError() << "C3: expected a bias [" << down[0] << ", " << out << "], got " << getDownBias().getType();
  if (getResidual() && getResidual().getType() != getType())
    return emitOpError() << "C4: expected a residual of type " << getType() << ", got " << getResidual().getType();
  return success();
}

LogicalResult StreamWeightsOp::verify() {
  int64_t width = widthOf(getType()), streams = getStreams();
  if (width != streams && (width / streams != streams + 2 || width % streams))
    return emitOpError() << "C1: expected n or n x (n + 2) columns for " << streams << " streams, got " << width;
  int64_t parts = mixes() ? 3 : 1;
  if (!hasShape(getScale(), {parts}) || !hasShape(getBase(), {width}))
    return emitOpError() << "C2: expected a scale [" << parts << "] and a base [" << width << "], got " << getScale().getType()
                         << " and " << getBase().getType();
  if (!(getEpsilon().convertToDouble() >= 0))
    return emitOpError() << "C3: expected epsilon >= 0, got " << getEpsilon().convertToDouble();
  return success();
}

LogicalResult MergeStreamsOp::verify() {
  int64_t all = widthOf(getStreams().getType()), width = widthOf(getType()), weights = widthOf(getWeights().getType());
  if (all % width || weights < all / width)
    return emitOpError() << "C1: expected streams that are a multiple of " << width << " wide, and a weight for each, got " << all
                         << " columns and " << weights << " weights";
  return success();
}

LogicalResult MixStreamsOp::verify() {
  int64_t all = widthOf(getStreams().getType()), width = widthOf(getInput().getType()), weights = widthOf(getWeights().getType());
  int64_t streams = all / width;
  if (all % width || weights % streams || weights / streams != streams + 2)
    return emitOpError() << "C1: expected n streams of " << width << " columns and n x (n + 2) weights, got " << all
                         << " columns and " << weights << " weights";
  return success();
}
