// Einstein's notation: an equation names the loops of each operand and of the result.
#include "importers/onnx/Operators.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

namespace {

/// The loops of an equation. Dimensions that "..." stands for have names of their own, counted from the last.
class Equation {
public:
  explicit Equation(Call &call) : call(call) {}

  /// The loops of one term; for an operand, also their sizes.
  FailureOr<SmallVector<int>> loopsOf(StringRef term, const Tensor *operand) {
    SmallVector<int> names; // letters, and below 0 what "..." stands for
    bool hasEllipsis = term.contains("...");
    int64_t letters = term.size() - (hasEllipsis ? 3 : 0);
    if (operand)
      ellipsis = std::max(ellipsis, hasEllipsis ? operand->rank() - letters : 0);
    int64_t hidden = operand ? operand->rank() - letters : ellipsis;
    if (operand && (hidden < 0 || (hidden > 0 && !hasEllipsis)))
      return call.refuse("attribute 'equation': term '" + term + "' does not fit " + spelled(operand->shape));
    while (!term.empty()) {
      if (term.consume_front("...")) {
        for (int64_t index = hidden; index-- > 0;)
          names.push_back(static_cast<int>(-1 - index));
      } else if (llvm::isAlpha(term.front())) {
        names.push_back(term.front());
        term = term.drop_front();
      } else {
        return call.refuse("attribute 'equation': expected letters and '...', got '" + term.take_front(1) + "'");
      }
    }
    return names;
  }

  LogicalResult size(int name, const Extent &extent) {
    auto [known, isNew] = sizes.try_emplace(name, extent);
    if (isNew || known->second == extent || extent.is(1))
      return success();
    if (known->second.is(1) || (!known->second.isConstant() && extent.isConstant())) {
      known->second = extent;
      return success();
    }
    return call.expect(!known->second.isConstant() || !extent.isConstant(),
                       "attribute 'equation': a letter stands for sizes " + spelled({known->second, extent}));
  }

  Call &call;
  std::map<int, Extent> sizes;
  int64_t ellipsis = 0;
};

} // namespace

static LogicalResult einsum(Call &call) {
  Emitter &e = call.e;
  std::string text;
  for (char letter : call.text("equation", ""))
    if (letter != ' ')
      text += letter;
  auto [left, right] = StringRef(text).split("->");
  bool isExplicit = StringRef(text).contains("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  if (terms.size() != call.inputCount())
    return call.refuse("attribute 'equation': expected a term for each of " + Twine(call.inputCount()) + " inputs, got " +
                       Twine(terms.size()));
  Equation equation(call);
  SmallVector<SmallVector<int>, 2> operands;
  std::map<int, int> uses;
  SmallVector<Tensor, 2> inputs;
  for (auto [index, term] : llvm::enumerate(terms)) {
    if (!call.has(index) || call.in(index).type != call.in(0).type)
      return call.refuse("expected inputs of one type");
    inputs.push_back(call.in(index));
    auto names = equation.loopsOf(term, &call.in(index));
    if (failed(names))
      return failure();
    for (auto [name, size] : llvm::zip(*names, call.in(index).shape)) {
      ++uses[name];
      if (failed(equation.size(name, size)))
        return failure();
    }
    operands.push_back(*names);
  }
  SmallVector<int> results;
  if (isExplicit) {
    auto names = equation.loopsOf(right, nullptr);
    if (failed(names))
      return failure();
    results = *names;
  } else { // the dimensions of "...", then letters that are there once
    for (auto [name, count] : uses)
      if (name < 0 || count == 1)
        results.push_back(name);
  }
  SmallVector<int> loops = results;
  for (int name : results)
    if (!uses.count(name) || llvm::count(results, name) != 1)
      return call.refuse("attribute 'equation': expected the result's letters among the operands', once each");
  for (auto [name, count] : uses)
    if (!llvm::is_contained(loops, name))
      loops.push_back(name);
  Shape sizes;
  for (int name : loops)
    sizes.push_back(equation.sizes.at(name));
  SmallVector<Subscripts> subscripts;
  for (auto [names, input] : llvm::zip(operands, inputs)) {
    Subscripts &of = subscripts.emplace_back();
    Shape expanded = input.shape;
    for (auto [axis, name] : llvm::enumerate(names)) {
      int loop = static_cast<int>(llvm::find(loops, name) - loops.begin());
      bool isBroadcast = expanded[axis].is(1) && !sizes[loop].is(1);
      if (!isBroadcast)
        expanded[axis] = sizes[loop];
      of.push_back(isBroadcast ? broadcast : loop);
    }
    input = e.expand(input, expanded);
  }
  DataType type = inputs.front().type, accumulated = wide(type);
  Tensor result = e.loop(inputs, subscripts, sizes, results.size(), accumulated, 0, [&](Scalars &s, ValueRange x) {
    Value product = s.convert(x[0], type, accumulated);
    for (Value factor : x.drop_back().drop_front())
      product = s.multiply(product, s.convert(factor, type, accumulated));
    return s.add(x.back(), product);
  });
  call.give(0, e.cast(result, type));
  return success();
}

ArrayRef<Operator> onnx::einsumOperators() {
  static constexpr Operator operators[] = {{"Einsum", einsum, 1, anyNumber}};
  return operators;
}
