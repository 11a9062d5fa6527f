// Finds norms in products of rows with what their squares add up to and with a vector, and with another one that is added.
#include "passes/Remarks.h"
#include "passes/raise/Draft.h"
#include "passes/raise/Flow.h"
#include "passes/raise/Passes.h"
#include "passes/raise/Proof.h"
#include "passes/raise/Rows.h"
#include "passes/raise/Structure.h"
#include "passes/raise/Trials.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include "llvm/Support/FormatVariadic.h"

#include <charconv>
#include <cmath>

using namespace mlir;
using namespace moec;
using evaluator::Tensor;

namespace moec::passes {
#define GEN_PASS_DEF_RAISENORMS
#include "passes/raise/Passes.h.inc"

namespace {

/// A value that may be the norm of `input` with `weight`; where it is centred, of what is left of it without its mean, and then
/// mostly with `bias`.
struct Candidate {
  Value input, weight, bias, output;
  bool isCentred;

  SmallVector<Value, 3> inputs() const {
    return bias ? SmallVector<Value, 3>{input, weight, bias} : SmallVector<Value, 3>{input, weight};
  }
};

/// The double that prints as the float nearest to `value` does: what a graph's f32 was written as.
double shortest(double value) {
  char text[32];
  auto [end, error] = std::to_chars(text, text + sizeof text, float(value));
  double result = value;
  std::from_chars(text, end, result);
  return result;
}

bool isVector(Value value, int64_t width) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  Operation *op = value.getDefiningOp();
  return op && (op->hasTrait<OpTrait::ConstantLike>() || isa<moe::GetWeightOp>(op)) && type && type.getRank() == 1 &&
         type.getDimSize(0) == width && isa<FloatType>(type.getElementType());
}

/// Whether `op` adds a vector to rows.
bool addsVector(Operation *op) {
  return computes<arith::AddFOp>(op) &&
         llvm::any_of(op->getOperands(), [&](Value value) { return isVector(value, rowWidth(op->getResult(0))); });
}

/// Whether `op` takes a root, whose argument a norm adds its epsilon to.
bool takesRoot(Operation *op) { return contains<math::SqrtOp>(op) || contains<math::RsqrtOp>(op) || contains<math::PowFOp>(op); }

/// What ends in a product with one vector, or in a sum with one of two; the likeliest first.
SmallVector<Candidate, 2> candidatesAt(Value output, const Flow &flow) {
  size_t vectors = computes<arith::MulFOp>(output.getDefiningOp()) ? 1 : 2;
  constexpr unsigned most = 16; // values between a norm and what it is of
  unsigned steps = 0;
  SmallVector<Candidate, 2> found;
  auto visit = [&](Value input) {
    if (input == output || input.getType() != output.getType())
      return ++steps < most;
    std::optional<Between> between = opsBetween(input, output);
    if (!between || between->ops.size() > 3 * most)
      return ++steps < most;
    // Of what is left without its mean, that is the second sum.
    auto sums = llvm::count_if(between->ops, isReduction);
    bool mustBeCentred = vectors == 2 || !found.empty();
    if (sums < (mustBeCentred ? 2 : 1) || !llvm::any_of(between->ops, takesRoot))
      return ++steps < most;
    SetVector<Value> weights;
    for (Operation *op : between->ops)
      for (Value read : op->getOperands())
        if (isVector(read, rowWidth(output)))
          weights.insert(read);
    if (weights.size() != vectors)
      return false;
    Candidate plain{input, weights.front(), vectors == 2 ? weights.back() : Value(), output, false}, centred = plain;
    centred.isCentred = true;
    if (mustBeCentred) {
      found.insert(found.begin(), centred);
      return false;
    }
    found.push_back(plain);
    if (sums > 1)
      found.push_back(centred);
    // A difference may be what is left without a mean.
    return sums == 1 && input.getDefiningOp() && contains<arith::SubFOp>(input.getDefiningOp());
  };
  flow.visitBottlenecks(output, [](Value) { return false; }, visit);
  return found;
}

struct RaiseNorms : TryingPass<impl::RaiseNormsBase<RaiseNorms>> {
  void runOnOperation() override {
    Trials &trials = this->trials();
    known.emplace(Differences{trials.budget});
    epsilons.clear();
    if (getOperation().isDeclaration() || !getOperation().getBody().hasOneBlock())
      return;
    Block &block = getOperation().getBody().front();
    Flow flow(block);
    // Sums first: what they add to is a norm of its own, of what is left without its mean.
    SmallVector<Value> outputs, products;
    for (Operation &op : block)
      if ((computes<arith::MulFOp>(&op) || addsVector(&op)) && rowWidth(op.getResult(0)) &&
          cast<RankedTensorType>(op.getResult(0).getType()).getElementType().isF32())
        (computes<arith::MulFOp>(&op) ? products : outputs).push_back(op.getResult(0));
    llvm::append_range(outputs, products);
    for (Value output : outputs)
      for (Candidate &candidate : candidatesAt(output, flow)) {
        // Of two vectors, either may be the bias.
        if (candidate.bias && !epsilonOf(candidate))
          std::swap(candidate.weight, candidate.bias);
        if (raise(candidate))
          break;
      }
    eraseDead(getOperation());
    trials.sayIfEnded(getOperation(), getArgument());
  }

  /// What is added to the mean of squares: with equal elements so small that nothing else counts.
  std::optional<double> epsilonOf(const Candidate &candidate) {
    constexpr double small = 1e-6;
    std::optional<Excerpt> excerpt = Excerpt::make(candidate.output, candidate.inputs(), &known->budget);
    if (!excerpt)
      return std::nullopt;
    auto [entry, isNew] = epsilons.try_emplace(excerpt->key());
    if (!isNew)
      return entry->second;
    for (const std::vector<int64_t> &choices : trialSizes()) {
      Sizes sizes(choices);
      std::optional<SmallVector<int64_t>> shape = sizes.shape(candidate.input);
      if (!shape)
        return std::nullopt;
      Tensor rows(std::vector<int64_t>(shape->begin(), shape->end())), ones({shape->back()}), zeros({shape->back()});
      llvm::fill(rows.elements, small);
      llvm::fill(ones.elements, 1);
      double meanSquare = small * small;
      if (candidate.isCentred) { // with mean 0
        int64_t width = shape->back();
        for (auto [index, element] : llvm::enumerate(rows.elements)) {
          int64_t column = int64_t(index) % width;
          element = column == width - 1 && width % 2 ? 0 : column % 2 ? -small : small;
        }
        meanSquare *= double(width - width % 2) / double(width);
      }
      SmallVector<Tensor> arguments{rows, ones};
      if (candidate.bias)
        arguments.push_back(zeros);
      std::optional<Tensor> norm = excerpt->evaluate(arguments, sizes);
      if (!norm || norm->elements.empty())
        continue;
      double epsilon = std::pow(small / norm->elements.front(), 2) - meanSquare;
      if (epsilon > 1e-3 * small * small && std::isfinite(epsilon)) // less is rounding
        return entry->second = shortest(epsilon);
    }
    return std::nullopt;
  }

  bool raise(Candidate candidate) {
    std::optional<double> epsilon = epsilonOf(candidate);
    if (!epsilon)
      return false;
    Operation *last = candidate.output.getDefiningOp();
    Draft draft(last);
    OpBuilder &builder = draft.builder;
    Location loc = last->getLoc();
    Value rows = toRows(builder, loc, candidate.input);
    Value norm;
    if (candidate.isCentred)
      norm = moe::LayerNormOp::create(builder, loc, rows.getType(), rows, candidate.weight, candidate.bias,
                                      builder.getF64FloatAttr(*epsilon));
    else
      norm = moe::RMSNormOp::create(builder, loc, rows.getType(), rows, candidate.weight, llvm::APFloat(*epsilon), IntegerAttr());
    Value result = fromRows(builder, loc, norm, candidate.output, candidate.input);
    std::optional<std::string> problem = "its sizes depend on data";
    if (result)
      problem = differenceOf(candidate.output, result, candidate.inputs(), *known);
    if (problem) {
      remark::missed(loc, remarkOf(getArgument(), last)) << "a quotient by a root of a sum stays as it is: " << *problem;
      return false;
    }
    remark::passed(loc, remarkOf(getArgument(), last)) << llvm::formatv("a norm with epsilon {0:e2}", *epsilon).str();
    candidate.output.replaceAllUsesWith(result);
    draft.keep();
    return true;
  }

  std::optional<Differences> known;
  std::map<std::string, std::optional<double>> epsilons; ///< by what computes the norm
};

} // namespace
} // namespace moec::passes
