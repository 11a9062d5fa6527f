// What ops of linalg do, as far as raising asks.
#include "passes/raise/Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include "llvm/ADT/SmallBitVector.h"

#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::passes;

Operation *passes::onlyOpOf(linalg::GenericOp generic) {
  Operation *only = nullptr;
  for (Operation &op : generic.getBody()->without_terminator()) {
    if (op.hasTrait<OpTrait::ConstantLike>())
      continue;
    if (only)
      return nullptr;
    only = &op;
  }
  return only;
}

void passes::sortLatestFirst(MutableArrayRef<Value> values) {
  llvm::sort(values, [](Value a, Value b) {
    Operation *one = a.getDefiningOp(), *other = b.getDefiningOp();
    return one && (!other || other->isBeforeInBlock(one));
  });
}

bool passes::isReduction(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  return linalgOp && linalgOp.getNumReductionLoops() > 0;
}

bool passes::isMovement(Operation *op) {
  if (isa<linalg::TransposeOp, linalg::BroadcastOp, linalg::FillOp>(op))
    return true;
  if (isa<tensor::TensorDialect>(op->getDialect()) && op->getNumRegions() == 0)
    return !isa<tensor::DimOp, tensor::ExtractOp>(op);
  if (!isa<linalg::GenericOp, scf::ForOp, scf::IfOp>(op) || isReduction(op))
    return false;
  // Indices may be computed, elements may not, nor may they decide what is taken.
  return !op->walk([&](Operation *inner) {
              bool moves =
                  inner == op ||
                  isa<tensor::ExtractOp, tensor::InsertOp, arith::SelectOp, arith::ConstantOp, scf::ForOp, scf::IfOp, cf::AssertOp>(
                      inner) ||
                  inner->hasTrait<OpTrait::IsTerminator>() ||
                  (llvm::all_of(inner->getResultTypes(), [](Type type) { return type.isIntOrIndex(); }) &&
                   llvm::none_of(inner->getOperandTypes(), llvm::IsaPred<FloatType>));
              return moves ? WalkResult::advance() : WalkResult::interrupt();
            }).wasInterrupted();
}

/// Whether the body adds a product of its two elements to the sum.
static bool sumsProducts(linalg::LinalgOp op) {
  if (isa<linalg::MatmulOp, linalg::BatchMatmulOp>(op))
    return true;
  auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
  if (!generic || generic.getBody()->getNumArguments() != 3)
    return false;
  auto sum = generic.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum)
    return false;
  for (auto [product, rest] : {std::pair(sum.getLhs(), sum.getRhs()), std::pair(sum.getRhs(), sum.getLhs())}) {
    auto multiply = product.getDefiningOp<arith::MulFOp>();
    Value first = generic.getBody()->getArgument(0), second = generic.getBody()->getArgument(1);
    if (multiply && rest == generic.getBody()->getArgument(2) &&
        ((multiply.getLhs() == first && multiply.getRhs() == second) ||
         (multiply.getLhs() == second && multiply.getRhs() == first)))
      return true;
  }
  return false;
}

std::optional<Contraction> Contraction::of(Operation *op) {
  auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumDpsInputs() != 2 || linalgOp.getNumDpsInits() != 1 || linalgOp.getNumReductionLoops() != 1 ||
      !sumsProducts(linalgOp))
    return std::nullopt;
  AffineMap left = linalgOp.getMatchingIndexingMap(linalgOp.getDpsInputOperand(0)),
            right = linalgOp.getMatchingIndexingMap(linalgOp.getDpsInputOperand(1)),
            result = linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0));
  if (!result.isProjectedPermutation() || result.getNumResults() < 2)
    return std::nullopt;
  SmallVector<unsigned, 2> loops;
  for (AffineExpr expr : result.getResults())
    loops.push_back(cast<AffineDimExpr>(expr).getPosition());
  Contraction contraction{linalgOp, {}, loops[loops.size() - 2], loops.back(), 0};
  contraction.batch.assign(loops.begin(), loops.end() - 2);
  for (auto [loop, kind] : llvm::enumerate(linalgOp.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction)
      contraction.inner = unsigned(loop);
  bool fits = left.isFunctionOfDim(contraction.row) && !right.isFunctionOfDim(contraction.row) &&
              right.isFunctionOfDim(contraction.column) && !left.isFunctionOfDim(contraction.column) &&
              left.isFunctionOfDim(contraction.inner) && right.isFunctionOfDim(contraction.inner);
  return fits ? std::optional(contraction) : std::nullopt;
}

std::optional<HeadProduct> HeadProduct::of(Operation *op) {
  auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumDpsInputs() != 2 || linalgOp.getNumDpsInits() != 1 || linalgOp.getNumLoops() != 5 ||
      linalgOp.getNumReductionLoops() != 1 || !sumsProducts(linalgOp))
    return std::nullopt;
  AffineMap left = linalgOp.getMatchingIndexingMap(linalgOp.getDpsInputOperand(0)),
            right = linalgOp.getMatchingIndexingMap(linalgOp.getDpsInputOperand(1)),
            result = linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0));
  if (!result.isProjectedPermutation())
    return std::nullopt;
  HeadProduct product{linalgOp, 0, 0, 0, 0, 0};
  SmallVector<unsigned> both, ofLeft, ofRight;
  for (AffineExpr expr : result.getResults()) {
    unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    bool isLeft = left.isFunctionOfDim(loop), isRight = right.isFunctionOfDim(loop);
    (isLeft && isRight ? both : isLeft ? ofLeft : ofRight).push_back(loop);
  }
  for (auto [loop, kind] : llvm::enumerate(linalgOp.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction)
      product.inner = unsigned(loop);
  if (both.size() != 1 || ofLeft.size() != 2 || ofRight.size() != 1)
    return std::nullopt;
  product.head = both[0], product.sequence = ofLeft[0], product.row = ofLeft[1], product.column = ofRight[0];
  return product;
}

llvm::SmallVector<unsigned> HeadProduct::resultLoops() const {
  SmallVector<unsigned> loops;
  for (AffineExpr expr : op.getMatchingIndexingMap(op.getDpsInitOperand(0)).getResults())
    loops.push_back(cast<AffineDimExpr>(expr).getPosition());
  return loops;
}

/// `tensor` without dimensions of size 1.
static Value dropped(OpBuilder &builder, Location loc, Value tensor, const llvm::SmallBitVector &dims) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, tensor);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0)), strides(sizes.size(), builder.getIndexAttr(1));
  SmallVector<int64_t> shape;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (!dims[unsigned(dim)])
      shape.push_back(type.getDimSize(unsigned(dim)));
  auto result = RankedTensorType::get(shape, type.getElementType());
  return tensor::ExtractSliceOp::create(builder, loc, result, tensor, offsets, sizes, strides);
}

/// What is multiplied by a constant, and that constant.
static std::optional<std::pair<Value, double>> productWithConstant(Value value) {
  auto generic = value.getDefiningOp<linalg::GenericOp>();
  bool isQuotient = computes<arith::DivFOp>(generic);
  if (!(isQuotient || computes<arith::MulFOp>(generic)) || generic.getNumDpsInputs() != 2)
    return std::nullopt;
  for (unsigned at : isQuotient ? SmallVector<unsigned, 2>{1} : SmallVector<unsigned, 2>{0, 1}) {
    OpOperand *rest = generic.getDpsInputOperand(1 - at);
    DenseFPElementsAttr constant;
    if (matchPattern(generic.getDpsInputOperand(at)->get(), m_Constant(&constant)) && constant.isSplat() &&
        generic.getMatchingIndexingMap(rest).isIdentity() && rest->get().getType() == value.getType())
      return std::pair(rest->get(), std::pow(constant.getSplatValue<APFloat>().convertToDouble(), isQuotient ? -1 : 1));
  }
  return std::nullopt;
}

std::optional<View> View::of(OpBuilder &builder, linalg::LinalgOp op, unsigned input) {
  OpOperand *operand = op.getDpsInputOperand(input);
  constexpr unsigned none = ~0u;
  View view{operand->get(), {}, {}, 1};
  for (auto [dim, expr] : llvm::enumerate(op.getMatchingIndexingMap(operand).getResults())) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (loop ? view.has(loop.getPosition()) : cast<RankedTensorType>(view.tensor.getType()).getDimSize(unsigned(dim)) != 1)
      return std::nullopt;
    view.loops.push_back(loop ? loop.getPosition() : none);
  }
  while (true) {
    if (auto transpose = view.tensor.getDefiningOp<linalg::TransposeOp>()) {
      SmallVector<unsigned> loops(view.loops.size());
      for (auto [to, from] : llvm::enumerate(transpose.getPermutation()))
        loops[size_t(from)] = view.loops[to];
      view.tensor = transpose.getInput(), view.loops = loops;
    } else if (std::optional<std::pair<Value, double>> product = productWithConstant(view.tensor)) {
      view.tensor = product->first;
      view.factor *= product->second;
    } else {
      break;
    }
  }
  view.origin = view.tensor;
  if (!view.has(none))
    return view;
  llvm::SmallBitVector repeated(unsigned(view.loops.size()));
  for (auto [dim, loop] : llvm::enumerate(view.loops))
    repeated[unsigned(dim)] = loop == none;
  view.tensor = dropped(builder, op.getLoc(), view.tensor, repeated);
  llvm::erase(view.loops, none);
  return view;
}

int64_t View::dimOf(unsigned loop) const { return int64_t(llvm::find(loops, loop) - loops.begin()); }

int64_t View::sizeOf(unsigned loop) const {
  return has(loop) ? cast<RankedTensorType>(tensor.getType()).getDimSize(unsigned(dimOf(loop))) : 1;
}

Value passes::transposed(OpBuilder &builder, Location loc, Value tensor, ArrayRef<int64_t> permutation) {
  if (llvm::is_sorted(permutation))
    return tensor;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, tensor), turned;
  for (int64_t dim : permutation)
    turned.push_back(sizes[size_t(dim)]);
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  Value empty = tensor::EmptyOp::create(builder, loc, turned, element);
  return linalg::TransposeOp::create(builder, loc, tensor, empty, permutation)->getResult(0);
}

Value View::arranged(OpBuilder &builder, Location loc, ArrayRef<unsigned> order) const {
  SmallVector<int64_t> permutation;
  for (unsigned loop : order)
    if (has(loop))
      permutation.push_back(dimOf(loop));
  return transposed(builder, loc, tensor, permutation);
}

View View::withoutRepetition(OpBuilder &builder, Location loc, unsigned loop) const {
  if (!has(loop))
    return *this;
  int64_t dim = dimOf(loop);
  auto collapse = tensor.getDefiningOp<tensor::CollapseShapeOp>();
  if (!collapse)
    return *this;
  SmallVector<ReassociationIndices> groups = collapse.getReassociationIndices();
  for (auto [at, group] : llvm::enumerate(groups))
    if (group.size() != (int64_t(at) == dim ? 2 : 1))
      return *this;
  auto repeat = collapse.getSrc().getDefiningOp<linalg::GenericOp>();
  if (!repeat || repeat.getNumDpsInputs() != 1 || !isMovement(repeat) || !repeat.getBody()->without_terminator().empty())
    return *this;
  Value single = repeat.getDpsInputs()[0];
  auto type = cast<RankedTensorType>(single.getType());
  int64_t copies = dim + 1;
  if (type.getRank() != int64_t(groups.size()) + 1 || type.getDimSize(unsigned(copies)) != 1)
    return *this;
  AffineMap map = repeat.getMatchingIndexingMap(repeat.getDpsInputOperand(0));
  for (auto [at, expr] : llvm::enumerate(map.getResults())) {
    auto position = dyn_cast<AffineDimExpr>(expr);
    if (int64_t(at) != copies && (!position || position.getPosition() != at))
      return *this;
  }
  return {tensor::CollapseShapeOp::create(builder, loc, single, groups), loops, single, factor};
}
