// Folds what is done to the layout of weights into the references to their bytes.
#include "passes/Readers.h"
#include "passes/raise/Draft.h"
#include "passes/raise/Passes.h"
#include "passes/raise/WeightView.h"

using namespace mlir;
using namespace moec::moe;

namespace moec::passes {
#define GEN_PASS_DEF_FOLDWEIGHTS
#include "passes/raise/Passes.h.inc"

namespace {
class Folder {
public:
  explicit Folder(ModuleOp module) : module(module), symbols(module) {}

  /// `value` as a weight, or as a dequantised one, made where `builder` stands; null when bytes would have to move.
  Value fold(OpBuilder &builder, Value value);

private:
  std::optional<WeightView> viewOf(Value value, unsigned depth = 0);
  Value foldStack(OpBuilder &builder, tensor::ConcatOp concat);
  Value get(OpBuilder &builder, Location loc, const WeightView &view);

  ModuleOp module;
  SymbolTable symbols;
  DenseMap<std::pair<Attribute, Type>, WeightOp> declared; ///< by slices and type
  WeightOp last;
};

std::optional<WeightView> Folder::viewOf(Value value, unsigned depth) {
  constexpr unsigned deepest = 32;
  Operation *op = value.getDefiningOp();
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!op || !type || depth == deepest)
    return std::nullopt;
  if (auto get = dyn_cast<GetWeightOp>(op))
    return WeightView::of(symbols.lookup<WeightOp>(get.getWeight()));
  auto source = [&](Value from) { return viewOf(from, depth + 1); };
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    SmallVector<int64_t> swapped = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
    if (swapped.size() < 2)
      return std::nullopt;
    std::swap(swapped[swapped.size() - 2], swapped.back());
    std::optional<WeightView> view = source(transpose.getInput());
    return view && transpose.getPermutation() == ArrayRef(swapped) ? view->transposed() : std::nullopt;
  }
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
    std::optional<WeightView> view = source(op->getOperand(0));
    return view && type.hasStaticShape() ? view->reshaped(type.getShape()) : std::nullopt;
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    if (!slice.getOffsets().empty() || !slice.getSizes().empty() || !slice.getStrides().empty() || slice.getDroppedDims().any())
      return std::nullopt;
    std::optional<WeightView> view = source(slice.getSource());
    for (size_t axis = 0; view && axis < size_t(type.getRank()); ++axis)
      view = view->sliced(axis, slice.getStaticOffsets()[axis], slice.getStaticSizes()[axis], slice.getStaticStrides()[axis]);
    return view;
  }
  if (auto concat = dyn_cast<tensor::ConcatOp>(op); concat && concat.getDim() == 0) {
    std::vector<WeightView> views;
    for (Value input : concat.getInputs()) {
      std::optional<WeightView> view = source(input);
      if (!view)
        return std::nullopt;
      views.push_back(std::move(*view));
    }
    return WeightView::concatenated(views);
  }
  return std::nullopt;
}

Value Folder::get(OpBuilder &builder, Location loc, const WeightView &view) {
  std::optional<SmallVector<Attribute>> slices = view.slices();
  if (!slices || !isWeight(view.type()))
    return {};
  ArrayAttr attribute = builder.getArrayAttr(*slices);
  WeightOp &weight = declared[{attribute, view.type().clone(view.storedType())}];
  if (!weight) {
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    if (last)
      top.setInsertionPointAfter(last);
    auto name = top.getStringAttr(view.name());
    weight = last = WeightOp::create(top, NameLoc::get(name), name, TypeAttr::get(view.type()), attribute);
    if (view.storedType() != view.type().getElementType())
      weight->setAttr("moe.stored_as", TypeAttr::get(view.storedType()));
    symbols.insert(weight); // under a name of its own
  }
  return GetWeightOp::create(builder, loc, view.type(), weight.getSymName());
}

/// A stack of dequantised matrices is what a stack of their numbers is, dequantised.
Value Folder::foldStack(OpBuilder &builder, tensor::ConcatOp concat) {
  SmallVector<DequantizeOp> parts;
  for (Value input : concat.getInputs()) {
    auto expand = input.getDefiningOp<tensor::ExpandShapeOp>();
    auto part = expand ? expand.getSrc().getDefiningOp<DequantizeOp>() : nullptr;
    if (!part || (!parts.empty() && part.getFormat() != parts.front().getFormat()) ||
        (!parts.empty() && part->getNumOperands() != parts.front()->getNumOperands()) ||
        ArrayRef(expand.getStaticOutputShape()).drop_front() != cast<RankedTensorType>(expand.getSrc().getType()).getShape() ||
        expand.getStaticOutputShape().front() != 1)
      return {};
    parts.push_back(part);
  }
  if (concat.getDim() != 0)
    return {};
  SmallVector<Value> operands;
  for (unsigned i = 0; i < parts.front()->getNumOperands(); ++i) {
    std::vector<WeightView> views;
    for (DequantizeOp part : parts) {
      std::optional<WeightView> view = viewOf(part->getOperand(i));
      SmallVector<int64_t> shape(cast<RankedTensorType>(part->getOperand(i).getType()).getShape());
      // A number for each matrix is an entry; else matrices are.
      if (shape != SmallVector<int64_t>{1})
        shape.insert(shape.begin(), 1);
      view = view ? view->reshaped(shape) : std::nullopt;
      if (!view)
        return {};
      views.push_back(std::move(*view));
    }
    std::optional<WeightView> all = WeightView::concatenated(views);
    Value operand = all ? get(builder, concat.getLoc(), *all) : Value();
    if (!operand)
      return {};
    operands.push_back(operand);
  }
  Operation *stacked = builder.clone(*parts.front());
  stacked->setOperands(operands);
  stacked->getResult(0).setType(cast<RankedTensorType>(concat.getType()));
  return stacked->getResult(0);
}

Value Folder::fold(OpBuilder &builder, Value value) {
  if (auto concat = value.getDefiningOp<tensor::ConcatOp>())
    if (Value stacked = foldStack(builder, concat))
      return stacked;
  std::optional<WeightView> view = viewOf(value);
  return view ? get(builder, value.getLoc(), *view) : Value();
}

struct FoldWeights : impl::FoldWeightsBase<FoldWeights> {
  void runOnOperation() override {
    Folder folder(getOperation());
    bool isChanged = false;
    getOperation().walk([&](Operation *op) {
      if (!isa<MoEDialect>(op->getDialect()) || isa<DequantizeOp>(op))
        return;
      OpBuilder builder(op);
      for (OpOperand &operand : op->getOpOperands()) {
        Value value = operand.get();
        if (!isa_and_nonnull<linalg::TransposeOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp,
                             tensor::ConcatOp>(value.getDefiningOp()))
          continue;
        if (Value weight = folder.fold(builder, value)) {
          operand.set(weight);
          isChanged = true;
        }
      }
    });
    if (!isChanged)
      return;
    eraseDead(getOperation());
    eraseUnread(getOperation(), llvm::to_vector(getOperation().getOps<WeightOp>()));
  }
};
} // namespace
} // namespace moec::passes
