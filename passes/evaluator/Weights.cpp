// Weights as the evaluator sees them: read from the model's files or made up, converted to f64, kept while there is room.
#include "passes/evaluator/Weights.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/evaluator/Random.h"

#include <cmath>

using namespace mlir;
using namespace moec::evaluator;

FailureOr<std::shared_ptr<const Tensor>> Weights::load(moe::WeightOp weight, Operation *user) {
  return load({cast<RankedTensorType>(weight.getType()), weight.getSlices()}, weight->getParentOfType<ModuleOp>(),
              weight.getSymName(), user);
}

FailureOr<std::shared_ptr<const Tensor>> Weights::load(moe::StoredTensor stored, ModuleOp module, StringRef name, Operation *user) {
  auto [type, slices] = stored;
  Key key(slices, type);
  if (auto found = entries.find(key); found != entries.end()) {
    found->second.lastUse = ++uses;
    return found->second.tensor;
  }
  makeRoom(type.getNumElements() * sizeof(double));
  auto tensor = std::make_shared<Tensor>(type.getShape().vec());
  std::span<double> rest = tensor->elements;
  int64_t perRow = type.getNumElements() / type.getDimSize(0);
  for (auto run : slices.getAsRange<moe::SliceAttr>()) {
    FailureOr<std::optional<std::string>> computed = compute(module, run.getFile(), user);
    if (failed(computed))
      return failure();
    for (int64_t index = 0; index < run.getTimes(); ++index) {
      std::span<double> part = rest.first(run.getRows() * perRow);
      rest = rest.subspan(part.size());
      if (failed(*computed ? readSlice(run, index, type, **computed, user, part)
                           : fill(run, index, type, module, name, user, part)))
        return failure();
    }
  }
  bytesHeld += tensor->elements.size() * sizeof(double);
  entries[key] = {tensor, ++uses};
  return std::shared_ptr<const Tensor>(std::move(tensor));
}

LogicalResult Weights::fill(moe::SliceAttr run, int64_t index, RankedTensorType type, ModuleOp module, StringRef name,
                            Operation *user, std::span<double> part) {
  if (options.source == WeightOptions::Source::Random) {
    makeUpSlice(run, index, type, options.seed, part);
    return success();
  }
  if (auto folder = module->getAttrOfType<StringAttr>("moe.folder"))
    return readSliceOfFolder(run, index, type, folder, user, part);
  return user->emitError() << "cannot read weight '" << name
                           << "': expected the module to say where in 'moe.folder'; random weights need no folder";
}

void Weights::makeRoom(size_t bytes) {
  while (!entries.empty() && bytesHeld + bytes > options.maxBytes) {
    auto oldest = llvm::min_element(entries, [](auto &a, auto &b) { return a.second.lastUse < b.second.lastUse; });
    bytesHeld -= oldest->second.tensor->elements.size() * sizeof(double);
    entries.erase(oldest);
  }
}

/// `value` rounded to `bits` significant bits, to nearest even.
static double roundToPrecision(double value, int bits) {
  int exponent;
  double fraction = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, bits)), exponent - bits);
}

void moec::evaluator::makeUpSlice(moe::SliceAttr run, int64_t index, RankedTensorType type, uint64_t seed,
                                  std::span<double> elements) {
  // Numbered by their place in the file: a slice that a pass cuts in two, or joins with its neighbour, keeps its values.
  Random random((run.getFile() + "/" + run.getTensor()).str(), seed);
  uint64_t first = uint64_t(run.getOffsetOf(index)) * 8 / type.getElementTypeBitWidth();
  int64_t columns = type.getShape().back();
  auto floats = dyn_cast<FloatType>(type.getElementType());
  double scale = type.getRank() == 1 ? 0.5 / std::sqrt(3.0) : 1 / std::sqrt(double(columns));
  double mean = type.getRank() == 1 ? 1 : 0;
  for (size_t i = 0; i < elements.size(); ++i) {
    uint64_t place = first + placeOf(run, i, type);
    elements[i] = floats ? roundToPrecision(mean + scale * random.centered(place), int(floats.getFPMantissaWidth()))
                         : double(random.below(columns, place));
  }
}
