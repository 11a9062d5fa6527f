// Inputs on which a step function is tried: a ragged batch, ids, rows, and caches that hold a past.
#include "passes/evaluator/StepInputs.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/evaluator/Random.h"

#include <cmath>

using namespace mlir;
using namespace moec::evaluator;

Batch moec::evaluator::makeUpBatch(StepKind kind, uint64_t seed, ArrayRef<int32_t> ids) {
  if (!ids.empty())
    return kind == StepKind::Decode ? Batch::single(int64_t(ids.size()) - 1, 1) : Batch::single(0, int64_t(ids.size()));
  Random random("batch", seed);
  std::vector<Sequence> sequences;
  if (kind == StepKind::Decode)
    sequences = {{0, 1}, {1 + random.below(20, 0), 1}, {20 + random.below(20, 1), 1}};
  else
    sequences = {{0, 3 + random.below(6, 0)}, {1 + random.below(40, 1), 1 + random.below(5, 2)}, {1 + random.below(20, 3), 1}};
  std::vector<int64_t> outputs;
  int64_t token = 0;
  for (const Sequence &sequence : sequences)
    for (int64_t i = 0; i < sequence.length; ++i, ++token)
      if (i + 1 == sequence.length || random.below(4, 100 + token) == 0)
        outputs.push_back(token);
  return Batch(std::move(sequences), std::move(outputs));
}

/// The number of ids that every table which `function` looks tokens up in has.
static int64_t vocabularyOf(func::FuncOp function) {
  int64_t rows = INT32_MAX;
  auto consider = [&](Value table) {
    if (table)
      rows = std::min(rows, cast<RankedTensorType>(table.getType()).getDimSize(0));
  };
  function.walk([&](moec::moe::EmbedOp op) { consider(op.getTable()); });
  function.walk([&](moec::moe::RouteOp op) { consider(op.getTable()); });
  return rows;
}

/// The number of experts that every op of `function` which takes expert ids has.
static int64_t expertsOf(func::FuncOp function) {
  int64_t experts = INT32_MAX;
  function.walk(
      [&](moec::moe::ExpertsOp op) { experts = std::min(experts, cast<RankedTensorType>(op.getGate().getType()).getDimSize(0)); });
  function.walk([&](moec::moe::DispatchOp op) { experts = std::min(experts, op.getExperts()); });
  return experts;
}

static FailureOr<Tensor> makeUpTensor(func::FuncOp function, unsigned index, int64_t rows, uint64_t seed) {
  auto type = dyn_cast<RankedTensorType>(function.getArgument(index).getType());
  if (!type || type.getRank() == 0 || llvm::is_contained(type.getShape().drop_front(), ShapedType::kDynamic))
    return function.emitError() << "cannot make up a value of type " << function.getArgument(index).getType();
  std::vector<int64_t> shape = type.getShape().vec();
  bool ragged = type.isDynamicDim(0), integer = type.getElementType().isInteger();
  if (ragged)
    shape[0] = rows;
  // Integers are token ids, expert ids, or a table of expert ids with as many columns as a token has experts.
  int64_t end = !ragged ? shape.back() : type.getRank() == 1 ? vocabularyOf(function) : expertsOf(function);
  // Matrices are weights: scaled so that products of rows near 1 stay near 1.
  double scale = ragged || type.getRank() == 1 ? 1 : 1 / std::sqrt(double(shape.back()));
  Random random("argument " + std::to_string(index), seed);
  Tensor tensor(std::move(shape));
  for (size_t i = 0; i < tensor.elements.size(); ++i)
    tensor.elements[i] = integer ? double(random.below(end, i)) : scale * random.centered(i);
  return tensor;
}

/// Fills every cache of the module with the past of every sequence.
static void makeUpCaches(ModuleOp module, const Batch &batch, uint64_t seed, Caches &caches) {
  for (auto cache : module.getOps<moec::moe::CacheOp>()) {
    auto type = cast<RankedTensorType>(cache.getType());
    for (auto [s, sequence] : llvm::enumerate(batch.sequences())) {
      Caches::Rows &rows = caches.rows(cache.getSymName().str(), int64_t(s));
      Random random((cache.getSymName() + " of sequence " + Twine(s)).str(), seed);
      for (int64_t p = 0; p < sequence.past; ++p) {
        std::vector<double> &row = rows.emplace_back();
        for (int64_t i = 0; i < type.getDimSize(1); ++i) {
          double value = random.centered(uint64_t(p * type.getDimSize(1) + i));
          row.push_back(type.getElementType().isBF16() ? roundToBF16(value) : value);
        }
      }
    }
  }
}

FailureOr<StepInputs> moec::evaluator::makeUpInputs(func::FuncOp function, StepKind kind, uint64_t seed, ArrayRef<int32_t> ids) {
  Batch batch = makeUpBatch(kind, seed, ids);
  StepInputs inputs;
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    if (isa<moec::moe::BatchType>(type)) {
      inputs.arguments.emplace_back(batch);
    } else if (moec::moe::isTokenIds(type) && !ids.empty()) {
      ArrayRef<int32_t> given = ids.take_back(size_t(batch.tokens()));
      inputs.arguments.emplace_back(Tensor({batch.tokens()}, std::vector<double>(given.begin(), given.end())));
    } else {
      auto tensor = makeUpTensor(function, unsigned(i), batch.tokens(), seed);
      if (failed(tensor))
        return failure();
      inputs.arguments.emplace_back(std::move(*tensor));
    }
  }
  makeUpCaches(function->getParentOfType<ModuleOp>(), batch, seed, inputs.caches);
  return inputs;
}
