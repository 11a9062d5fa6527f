// Finds rotary embeddings in products of halves or neighbours with cosines and sines, however they are taken apart.
#include "passes/Remarks.h"
#include "passes/raise/Draft.h"
#include "passes/raise/Flow.h"
#include "passes/raise/Passes.h"
#include "passes/raise/Proof.h"
#include "passes/raise/Rows.h"
#include "passes/raise/Structure.h"
#include "passes/raise/Trials.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace moec;

namespace moec::passes {
#define GEN_PASS_DEF_RAISEROPE
#include "passes/raise/Passes.h.inc"

namespace {

bool isArithmetic(Operation *op) {
  return computes<arith::AddFOp>(op) || computes<arith::SubFOp>(op) || computes<arith::NegFOp>(op);
}

/// Which columns are a pair, before and after.
enum class Pairs { Halves, Neighbours, NeighboursToHalves };

StringRef nameOf(Pairs pairs) {
  switch (pairs) {
  case Pairs::Halves:
    return "of halves";
  case Pairs::Neighbours:
    return "of neighbours";
  case Pairs::NeighboursToHalves:
    return "of neighbours that become halves";
  }
}

/// A factor of a product, and the product's op.
struct Factor {
  Value value;
  linalg::GenericOp product;
};

/// A value that may be `input` rotated by two factors.
struct Candidate {
  Value input, output;
  SmallVector<Factor, 2> factors;
  SmallVector<Operation *> ops; ///< between them
};

/// What a rotary embedding is made of: ops between a value and its rotation are movements, sums, differences and products with
/// what does not depend on the value.
class Surroundings {
public:
  explicit Surroundings(Value output) : output(output) {
    // The nearest first: behind the factors there may be much.
    constexpr size_t most = 96;
    SetVector<Operation *> found;
    values.insert(output);
    for (size_t next = 0; next < values.size() && values.size() < most; ++next) {
      Operation *op = values[next].getDefiningOp();
      if (!op || !found.insert(op) || !(isMovement(op) || isArithmetic(op) || computes<arith::MulFOp>(op)))
        continue;
      for (Value read : valuesReadBy(op))
        values.insert(read);
    }
    ops = found.takeVector();
    llvm::sort(ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  }

  /// Values of the output's type, the latest first.
  SmallVector<Value> inputs() const {
    SmallVector<Value> found;
    for (Value value : values)
      if (value != output && value.getType() == output.getType())
        found.push_back(value);
    sortLatestFirst(found);
    return found;
  }

  std::optional<Candidate> rotationOf(Value input, const Flow &flow) const;

private:
  Value output;
  SetVector<Value> values;
  SmallVector<Operation *> ops; ///< that make them, in order
};

std::optional<Candidate> Surroundings::rotationOf(Value input, const Flow &flow) const {
  Candidate candidate{input, output, {}, {}};
  DenseSet<Value> turned{input};
  unsigned products = 0;
  for (Operation *op : ops) {
    SmallVector<Value> read = valuesReadBy(op);
    if (op == input.getDefiningOp() || !llvm::any_of(read, [&](Value v) { return turned.contains(v); }))
      continue;
    if (!isMovement(op) && !isArithmetic(op) && !computes<arith::MulFOp>(op))
      continue;
    turned.insert_range(op->getResults());
    candidate.ops.push_back(op);
    bool isProduct = computes<arith::MulFOp>(op);
    products += isProduct;
    for (Value operand : read) {
      if (turned.contains(operand) || !(flow.isData(operand) || isProduct))
        continue;
      if (auto generic = dyn_cast<linalg::GenericOp>(op); generic && llvm::is_contained(generic.getOutputs(), operand))
        continue;
      if (!isProduct)
        return std::nullopt;
      if (!llvm::any_of(candidate.factors, [&](const Factor &known) { return known.value == operand; }))
        candidate.factors.push_back({operand, cast<linalg::GenericOp>(op)});
    }
  }
  bool isRotation = turned.contains(output) && candidate.factors.size() == 2 && (products == 2 || products == 4);
  return isRotation ? std::optional(candidate) : std::nullopt;
}

/// Builds a candidate's rotation as a moe.rope.
class Rotation {
public:
  Rotation(const Candidate &candidate, OpBuilder &builder) : of(candidate), b(builder), loc(candidate.output.getLoc()) {
    type = cast<RankedTensorType>(of.input.getType());
    width = type.getShape().back();
    heads = findHeads();
    for (int64_t dim = 0; dim + 1 < type.getRank(); ++dim)
      if (dim != heads)
        order.push_back(dim);
    rowDims = int64_t(order.size());
    if (heads >= 0)
      order.push_back(heads);
    order.push_back(type.getRank() - 1);
  }

  /// The first factor as cosines, the second as sines, or the other way round; null where their shapes do not say it.
  Value build(Pairs pairs, bool isSwapped) {
    auto layout = pairs == Pairs::Neighbours ? moe::RotaryLayout::Interleaved : moe::RotaryLayout::Half;
    Value cos = table(of.factors[isSwapped], layout), sin = table(of.factors[!isSwapped], layout);
    if (!cos || !sin)
      return {};
    Value arranged = transposed(b, loc, of.input, order);
    if (pairs == Pairs::NeighboursToHalves)
      arranged = tensor::ConcatOp::create(b, loc, cast<RankedTensorType>(arranged.getType()), type.getRank() - 1,
                                          ValueRange{everySecond(arranged, 0), everySecond(arranged, 1)});
    auto shape = cast<RankedTensorType>(arranged.getType());
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, arranged);
    SmallVector<ReassociationIndices> groups{{}, {}};
    for (int64_t dim = 0; dim < shape.getRank(); ++dim)
      groups[dim >= rowDims].push_back(dim);
    Value rows = asRows(tensor::CollapseShapeOp::create(b, loc, arranged, groups));
    auto rotary = moe::RotaryAttr::get(b.getContext(), width, std::nullopt, layout, 0, 1.0, false, {});
    Value result = moe::RopeOp::create(b, loc, rows, cos, sin, width, rotary);
    result = tensor::ExpandShapeOp::create(b, loc, shape, withRows(result, arranged, groups), groups, sizes);
    SmallVector<int64_t> back(order.size());
    for (auto [to, from] : llvm::enumerate(order))
      back[size_t(from)] = int64_t(to);
    return transposed(b, loc, result, back);
  }

private:
  /// A known number of heads that turn alike, next to the columns where there are several such.
  int64_t findHeads() const {
    for (int64_t dim = type.getRank() - 2; dim >= 0; --dim)
      if (!type.isDynamicDim(unsigned(dim)) && llvm::all_of(of.factors, [&](const Factor &factor) { return !varies(factor, dim); }))
        return dim;
    return -1;
  }
  static AffineMap mapOf(const Factor &factor) {
    linalg::GenericOp product = factor.product;
    for (OpOperand *use : product.getDpsInputOperands())
      if (use->get() == factor.value)
        return product.getMatchingIndexingMap(use);
    return {};
  }
  static bool varies(const Factor &factor, int64_t dim) {
    auto of = cast<RankedTensorType>(factor.value.getType());
    for (auto [at, expr] : llvm::enumerate(mapOf(factor).getResults()))
      if (auto loop = dyn_cast<AffineDimExpr>(expr); loop && loop.getPosition() == dim && of.getDimSize(unsigned(at)) != 1)
        return true;
    return false;
  }

  /// Columns `first`, `first` + 2 and so on.
  Value everySecond(Value tensor, int64_t first) {
    auto from = cast<RankedTensorType>(tensor.getType());
    SmallVector<int64_t> shape(from.getShape());
    shape.back() /= 2;
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, tensor);
    SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0)), strides(sizes.size(), b.getIndexAttr(1));
    sizes.back() = b.getIndexAttr(shape.back()), offsets.back() = b.getIndexAttr(first), strides.back() = b.getIndexAttr(2);
    return tensor::ExtractSliceOp::create(b, loc, RankedTensorType::get(shape, from.getElementType()), tensor, offsets, sizes,
                                          strides);
  }

  Value asRows(Value matrix) {
    auto rows =
        RankedTensorType::get({ShapedType::kDynamic, cast<RankedTensorType>(matrix.getType()).getDimSize(1)}, b.getF32Type());
    return matrix.getType() == rows ? matrix : tensor::CastOp::create(b, loc, rows, matrix).getResult();
  }
  /// Rows in the type that collapsing `like` has.
  Value withRows(Value rows, Value like, ArrayRef<ReassociationIndices> groups) {
    auto wanted = tensor::CollapseShapeOp::inferCollapsedType(cast<RankedTensorType>(like.getType()), groups);
    return rows.getType() == wanted ? rows : tensor::CastOp::create(b, loc, wanted, rows).getResult();
  }

  /// A factor for every row and pair.
  Value table(const Factor &factor, moe::RotaryLayout layout) {
    linalg::GenericOp product = factor.product;
    unsigned rank = unsigned(type.getRank());
    if (product.getNumLoops() < rank || !cast<RankedTensorType>(factor.value.getType()).getElementType().isF32())
      return {};
    // Of the product's loops, those of the input's rows, and the rest as columns.
    SmallVector<int64_t> shape = product.getStaticLoopRanges();
    ArrayRef<int64_t> inner = ArrayRef<int64_t>(shape).drop_front(rank - 1);
    if (llvm::is_contained(inner, ShapedType::kDynamic))
      return {};
    int64_t columns = llvm::product_of(inner);
    if (columns != width && columns * 2 != width)
      return {};
    AffineMap map = mapOf(factor);
    if (!map)
      return {};
    SmallVector<AffineExpr> loops(shape.size(), b.getAffineConstantExpr(0));
    SmallVector<OpFoldResult> sizes;
    for (int64_t dim : ArrayRef<int64_t>(order).take_front(size_t(rowDims))) {
      loops[size_t(dim)] = b.getAffineDimExpr(unsigned(sizes.size()));
      sizes.push_back(tensor::getMixedSize(b, loc, of.input, dim));
    }
    for (size_t dim = rank - 1; dim < shape.size(); ++dim) {
      loops[dim] = b.getAffineDimExpr(unsigned(sizes.size()));
      sizes.push_back(b.getIndexAttr(shape[dim]));
    }
    Value empty = tensor::EmptyOp::create(b, loc, sizes, b.getF32Type());
    unsigned all = unsigned(sizes.size());
    AffineMap read = map.replaceDimsAndSymbols(loops, {}, all, 0);
    SmallVector<AffineMap> maps{read, b.getMultiDimIdentityMap(all)};
    SmallVector<utils::IteratorType> iterators(all, utils::IteratorType::parallel);
    Value spread = linalg::GenericOp::create(
                       b, loc, TypeRange(empty.getType()), ValueRange(factor.value), ValueRange(empty), maps, iterators,
                       [](OpBuilder &inner, Location at, ValueRange values) { linalg::YieldOp::create(inner, at, values[0]); })
                       .getResult(0);
    SmallVector<ReassociationIndices> groups{{}, {}};
    for (int64_t dim = 0; dim < int64_t(all); ++dim)
      groups[dim >= rowDims].push_back(dim);
    Value rows = asRows(tensor::CollapseShapeOp::create(b, loc, spread, groups));
    if (columns != width)
      return rows;
    // Both of a pair have the same factor: the first one's.
    if (layout == moe::RotaryLayout::Interleaved)
      return everySecond(rows, 0);
    SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0)), strides(2, b.getIndexAttr(1));
    SmallVector<OpFoldResult> half{tensor::getMixedSize(b, loc, rows, 0), b.getIndexAttr(width / 2)};
    auto result = RankedTensorType::get({ShapedType::kDynamic, width / 2}, b.getF32Type());
    return tensor::ExtractSliceOp::create(b, loc, result, rows, offsets, half, strides);
  }

  const Candidate &of;
  OpBuilder &b;
  Location loc;
  RankedTensorType type;
  int64_t width, heads, rowDims = 0;
  SmallVector<int64_t> order; ///< of the input's dimensions: rows, heads, columns
};

/// What a factor is made of in a way that shows which of its columns are the same: a value with a column for each pair, or
/// integers.
Value beginningOf(Value factor, int64_t width, const Flow &flow) {
  if (rowWidth(factor) * 2 == width)
    return factor;
  Value found = factor;
  unsigned steps = 0;
  flow.visitBottlenecks(
      factor, [](Value) { return false; },
      [&](Value value) {
        auto type = dyn_cast<RankedTensorType>(value.getType());
        bool isBeginning = type && (rowWidth(value) * 2 == width || type.getElementType().isInteger());
        if (isBeginning)
          found = value;
        return !isBeginning && ++steps < 32;
      });
  return found;
}

struct RaiseRope : TryingPass<impl::RaiseRopeBase<RaiseRope>> {
  void runOnOperation() override {
    Trials &trials = this->trials();
    known.emplace(Differences{trials.budget});
    if (getOperation().isDeclaration() || !getOperation().getBody().hasOneBlock())
      return;
    Block &block = getOperation().getBody().front();
    Flow flow(block);
    SmallVector<Value> outputs;
    for (Operation &op : llvm::reverse(block))
      if (computes<arith::AddFOp>(&op) || computes<arith::SubFOp>(&op) || isa<tensor::ConcatOp, tensor::CollapseShapeOp>(op))
        outputs.push_back(op.getResult(0));
    DenseSet<Operation *> done;
    for (Value output : outputs)
      if (!done.contains(output.getDefiningOp()))
        if (std::optional<Candidate> found = raise(output, flow))
          done.insert_range(found->ops); // which are no rotations of their own
    eraseDead(getOperation());
    trials.sayIfEnded(getOperation(), getArgument());
  }

  std::optional<Candidate> raise(Value output, Flow &flow) {
    auto type = dyn_cast<RankedTensorType>(output.getType());
    if (!type || type.getRank() < 2 || !type.getElementType().isF32() || type.isDynamicDim(unsigned(type.getRank() - 1)) ||
        type.getShape().back() % 2 || output.use_empty())
      return std::nullopt;
    Surroundings surroundings(output);
    std::string why;
    for (Value input : surroundings.inputs()) {
      std::optional<Candidate> candidate = surroundings.rotationOf(input, flow);
      if (!candidate)
        continue;
      for (Pairs pairs : {Pairs::Halves, Pairs::Neighbours, Pairs::NeighboursToHalves})
        for (bool isSwapped : {false, true})
          if (replace(*candidate, pairs, isSwapped, flow, why))
            return candidate;
      if (!why.empty())
        remark::missed(output.getLoc(), remarkOf(getArgument(), output.getDefiningOp()))
            << "two products with what does not depend on the rest are no rotary embedding: " << why;
      return std::nullopt;
    }
    return std::nullopt;
  }

  bool replace(const Candidate &candidate, Pairs pairs, bool isSwapped, const Flow &flow, std::string &why) {
    Operation *last = candidate.output.getDefiningOp();
    Draft draft(last);
    Value result = Rotation(candidate, draft.builder).build(pairs, isSwapped);
    SmallVector<Value> inputs{candidate.input};
    for (const Factor &factor : candidate.factors) {
      if (!flow.isData(factor.value)) // it is what sizes say
        continue;
      if (Value beginning = beginningOf(factor.value, rowWidth(candidate.input), flow); !llvm::is_contained(inputs, beginning))
        inputs.push_back(beginning);
    }
    std::optional<std::string> difference = result ? differenceOf(candidate.output, result, inputs, *known) : std::string();
    if (difference) {
      why = *difference;
      return false;
    }
    remark::passed(last->getLoc(), remarkOf(getArgument(), last)) << "a rotary embedding " << nameOf(pairs);
    last->getResult(0).replaceAllUsesWith(result);
    draft.keep();
    return true;
  }

  std::optional<Differences> known;
};

} // namespace
} // namespace moec::passes
