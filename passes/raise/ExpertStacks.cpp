// The matrices of experts as moe.experts takes them, from products as a graph writes them.
#include "passes/raise/ExpertStacks.h"
#include "passes/raise/Rows.h"
#include "passes/raise/Structure.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;

std::optional<ExpertBranches> passes::branchesOf(const ExpertProducts &found, std::string &problem) {
  auto refuse = [&](const Twine &why) {
    problem = why.str();
    return std::nullopt;
  };
  ExpertBranches experts;
  for (const ExpertProduct &product : found.products) {
    if (product.layer != 2)
      continue;
    ExpertBranch branch{{}, &product};
    for (unsigned source : product.sources)
      branch.first.push_back(&found.products[source]);
    if (branch.first.empty() || branch.first.size() > 2)
      return refuse("an expert has " + Twine(branch.first.size()) + " products before its last");
    experts.branches.push_back(std::move(branch));
  }
  if (experts.branches.empty())
    return refuse("there are no two products with weights in a row");
  size_t rank = squeezedShape(experts.branches.front().second->weight.getType()).size();
  if (rank != 2 && rank != 3)
    return refuse("the last product of an expert is with no matrix");
  experts.areStacked = rank == 3;
  if (experts.areStacked) {
    // A loop over experts may be unrolled, with products that read the same stack.
    auto readsSame = [&](const ExpertBranch &branch) {
      auto isSame = [](const ExpertProduct *a, const ExpertProduct *b) { return a->weight == b->weight && a->bias == b->bias; };
      const ExpertBranch &model = experts.branches.front();
      return isSame(branch.second, model.second) && branch.first.size() == model.first.size() &&
             llvm::all_of_zip(branch.first, model.first, isSame);
    };
    if (!llvm::all_of(experts.branches, readsSame))
      return refuse("products read different stacks of experts' matrices");
    experts.branches.resize(1);
  }
  experts.experts = experts.areStacked ? squeezedShape(experts.branches.front().second->weight.getType()).front()
                                       : int64_t(experts.branches.size());
  const ExpertBranch &model = experts.branches.front();
  auto isLike = [&](const ExpertProduct &a, const ExpertProduct &b) {
    return squeezedShape(a.weight.getType()) == squeezedShape(b.weight.getType()) && !a.bias == !b.bias;
  };
  for (const ExpertBranch &branch : experts.branches) {
    if (branch.first.size() != model.first.size())
      return refuse("one expert has a gate and another none");
    for (size_t i = 0; i < branch.first.size(); ++i)
      if (!isLike(*branch.first[i], *model.first[i]))
        return refuse("experts differ in size");
    if (!isLike(*branch.second, *model.second))
      return refuse("experts differ in size");
    for (const ExpertProduct *product : branch.first)
      if (squeezedShape(product->weight.getType()).size() != rank)
        return refuse("the constants of an expert are stacked in one product and single in another");
  }
  return experts;
}

std::vector<ExpertForm> passes::formsOf(const ExpertBranches &experts, int64_t inputWidth, int64_t outputWidth) {
  const ExpertBranch &model = experts.branches.front();
  auto matrix = [](const ExpertProduct *product) {
    SmallVector<int64_t> shape = squeezedShape(product->weight.getType());
    return shape.size() < 2 ? std::pair<int64_t, int64_t>(0, 0) : std::pair(shape[shape.size() - 2], shape.back());
  };
  // A bias has a number for each row of its product, of each expert where they are stacked.
  auto fitsBias = [&](const ExpertProduct *product, int64_t rows) {
    SmallVector<int64_t> expected = {rows};
    if (experts.areStacked)
      expected.insert(expected.begin(), experts.experts);
    return !product->bias || squeezedShape(product->bias.getType()) == expected;
  };
  std::vector<ExpertForm> forms;
  if (!fitsBias(model.second, outputWidth))
    return forms;
  auto [secondRows, secondColumns] = matrix(model.second);
  for (bool isSecondTransposed : {false, true}) {
    if ((isSecondTransposed ? secondColumns : secondRows) != outputWidth)
      continue;
    int64_t inner = isSecondTransposed ? secondRows : secondColumns;
    for (bool isFirstTransposed : {false, true}) {
      int64_t rows = 0;
      bool fits = true;
      for (const ExpertProduct *product : model.first) {
        auto [a, b] = matrix(product);
        fits &= (isFirstTransposed ? a : b) == inputWidth;
        rows = isFirstTransposed ? b : a;
        fits &= fitsBias(product, rows);
      }
      if (!fits)
        continue;
      auto add = [&](GateUp gateUp, bool isUpFirst) {
        forms.push_back({gateUp, isUpFirst, isFirstTransposed, isSecondTransposed});
      };
      if (model.first.size() == 2 && rows == inner)
        for (bool isUpFirst : {false, true})
          add(GateUp::Apart, isUpFirst);
      if (model.first.size() == 1 && rows == inner)
        add(GateUp::None, false);
      if (model.first.size() == 1 && rows == 2 * inner)
        for (GateUp gateUp : {GateUp::Halves, GateUp::Interleaved})
          for (bool isUpFirst : {false, true})
            add(gateUp, isUpFirst);
    }
  }
  return forms;
}

namespace {
/// Builds on constants whose sizes are all known.
class StackBuilder {
public:
  StackBuilder(OpBuilder &builder, Location loc) : builder(builder), loc(loc) {}

  Value reshape(Value value, ArrayRef<int64_t> shape) { return reshapeStatic(builder, loc, value, shape); }
  Value transposed(Value matrix);
  /// Columns or elements of the last but one dimension, or the last of a vector: every `stride`-th from `offset`.
  Value slice(Value value, int64_t axis, int64_t offset, int64_t count, int64_t stride);
  /// Entries behind each other in a new first dimension.
  Value stack(ArrayRef<Value> entries);

private:
  OpBuilder &builder;
  Location loc;
};

ArrayRef<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

Value StackBuilder::transposed(Value matrix) {
  SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq<int64_t>(0, int64_t(shapeOf(matrix).size())));
  std::swap(permutation[permutation.size() - 2], permutation.back());
  return passes::transposed(builder, loc, matrix, permutation);
}

Value StackBuilder::slice(Value value, int64_t axis, int64_t offset, int64_t count, int64_t stride) {
  SmallVector<OpFoldResult> offsets, sizes, strides;
  for (auto [i, size] : llvm::enumerate(shapeOf(value))) {
    bool isCut = int64_t(i) == axis;
    offsets.push_back(builder.getIndexAttr(isCut ? offset : 0));
    sizes.push_back(builder.getIndexAttr(isCut ? count : size));
    strides.push_back(builder.getIndexAttr(isCut ? stride : 1));
  }
  return tensor::ExtractSliceOp::create(builder, loc, value, offsets, sizes, strides);
}

Value StackBuilder::stack(ArrayRef<Value> entries) {
  SmallVector<Value> expanded;
  for (Value entry : entries) {
    SmallVector<int64_t> shape(shapeOf(entry));
    shape.insert(shape.begin(), 1);
    expanded.push_back(reshape(entry, shape));
  }
  return tensor::ConcatOp::create(builder, loc, /*dim=*/0, expanded);
}
} // namespace

ExpertStacks passes::buildStacks(OpBuilder &builder, Location loc, const ExpertBranches &experts, const ExpertForm &form,
                                 ArrayRef<int64_t> branchOf, function_ref<Value(Value)> weight) {
  StackBuilder b(builder, loc);
  // A constant of a product, of all experts.
  auto stacked = [&](function_ref<Value(const ExpertBranch &)> constantOf) -> Value {
    if (experts.areStacked) {
      Value constant = weight(constantOf(experts.branches.front()));
      return b.reshape(constant, squeezedShape(constant.getType()));
    }
    SmallVector<Value> entries;
    for (int64_t branch : branchOf) {
      Value constant = weight(constantOf(experts.branches[size_t(branch)]));
      entries.push_back(b.reshape(constant, squeezedShape(constant.getType())));
    }
    return b.stack(entries);
  };
  auto first = [&](size_t i, bool isBias) -> Value {
    Value value = stacked([&](const ExpertBranch &branch) { return isBias ? branch.first[i]->bias : branch.first[i]->weight; });
    return !isBias && form.isFirstTransposed ? b.transposed(value) : value;
  };
  // Gate and up of `both`, whose dimension 1 has the rows of both.
  auto parts = [&](Value both) {
    int64_t inner = shapeOf(both)[1] / 2;
    bool takeTurns = form.gateUp == GateUp::Interleaved;
    Value one = b.slice(both, 1, 0, inner, takeTurns ? 2 : 1);
    Value other = b.slice(both, 1, takeTurns ? 1 : inner, inner, takeTurns ? 2 : 1);
    return form.isUpFirst ? std::pair(other, one) : std::pair(one, other);
  };
  auto gateUp = [&](bool isBias) -> std::pair<Value, Value> {
    if (form.gateUp == GateUp::None) {
      Value gate = first(0, isBias);
      return {gate, gate};
    }
    if (form.gateUp == GateUp::Apart)
      return {first(form.isUpFirst, isBias), first(!form.isUpFirst, isBias)};
    return parts(first(0, isBias));
  };
  ExpertStacks stacks;
  std::tie(stacks.gate, stacks.up) = gateUp(false);
  stacks.down = stacked([](const ExpertBranch &branch) { return branch.second->weight; });
  if (form.isSecondTransposed)
    stacks.down = b.transposed(stacks.down);
  const ExpertBranch &model = experts.branches.front();
  if (model.first.front()->bias)
    std::tie(stacks.gateBias, stacks.upBias) = gateUp(true);
  if (model.second->bias)
    stacks.downBias = stacked([](const ExpertBranch &branch) { return branch.second->bias; });
  return stacks;
}
