// Two evaluations of what should be the same function, compared.
#include "passes/evaluator/Comparison.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/DenseSet.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace moec::evaluator;

/// The rows of a cache, all sequences one after the other.
static Tensor flatten(const std::vector<Caches::Rows> &sequences) {
  Tensor all({0});
  for (const Caches::Rows &rows : sequences)
    for (const std::vector<double> &row : rows)
      llvm::append_range(all.elements, row);
  all.shape = {int64_t(all.elements.size())};
  return all;
}

static std::optional<Difference> compareEnds(const Outcome &changed, const Outcome &original, double tolerance) {
  for (size_t i = 0; i < original.results.size(); ++i) {
    double error = i < changed.results.size() ? normalizedError(changed.results[i], original.results[i])
                                              : std::numeric_limits<double>::infinity();
    if (error > tolerance)
      return Difference{"result " + std::to_string(i), error};
  }
  for (auto &[symbol, sequences] : original.caches.all()) {
    auto found = changed.caches.all().find(symbol);
    double error = found == changed.caches.all().end() ? std::numeric_limits<double>::infinity()
                                                       : normalizedError(flatten(found->second), flatten(sequences));
    if (error > tolerance)
      return Difference{"cache '" + symbol + "'", error};
  }
  return std::nullopt;
}

/// The names in a location: a pass that makes one op of two gives it both.
static void namesIn(Location location, SmallVectorImpl<Attribute> &names) {
  if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations())
      namesIn(part, names);
  else if (auto name = dyn_cast<NameLoc>(location))
    names.push_back(name.getName());
  else
    names.push_back(location);
}

static std::pair<const TraceEntry *, double> firstDifferent(const Outcome &changed, const Outcome &original, double tolerance) {
  for (const TraceEntry &entry : changed.trace) {
    SmallVector<Attribute> names;
    namesIn(entry.location, names);
    double namesake = -1, any = std::numeric_limits<double>::infinity();
    for (const TraceEntry &other : original.trace) {
      if (other.type != entry.type)
        continue;
      double error = normalizedError(*entry.value, *other.value);
      any = std::min(any, error);
      SmallVector<Attribute> otherNames;
      namesIn(other.location, otherNames);
      if (llvm::any_of(names, [&](Attribute name) { return llvm::is_contained(otherNames, name); }))
        namesake = namesake < 0 ? error : std::min(namesake, error);
    }
    if (namesake >= 0 && any > tolerance)
      return {&entry, namesake};
  }
  return {nullptr, 0};
}

std::optional<Difference> moec::evaluator::compare(const Outcome &changed, const Outcome &original, double tolerance) {
  std::optional<Difference> difference = compareEnds(changed, original, tolerance);
  if (difference)
    std::tie(difference->first, difference->firstError) = firstDifferent(changed, original, tolerance);
  return difference;
}
