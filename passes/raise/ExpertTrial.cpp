// Whether what lies between router logits, an input and an output is a mixture of experts, and which: by evaluating it.
#include "passes/raise/ExpertTrial.h"
#include "passes/raise/Draft.h"
#include "passes/raise/Draw.h"
#include "passes/raise/Rows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"

#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::passes;
using evaluator::Tensor;

/// Of arguments, in the order in which they are met; others for the proof.
static constexpr int64_t trialSizes[] = {3, 5, 4, 2}, otherSizes[] = {2, 4, 3, 5};
/// How often inputs are drawn until a graph takes them: it may fail for choices that it was not exported for.
static constexpr unsigned mostDraws = 8;
/// Elements of an input, and numbers and products of a number and a token that a trial may take; what has more is left as it is.
static constexpr int64_t mostElements = int64_t(1) << 22, mostNumbers = int64_t(1) << 26, mostProducts = int64_t(1) << 30;

/// Whether what is made of input and logits is read on the way to the output only.
bool ExpertTrial::isShareOfOutput() const {
  DenseSet<Value> ofInput = {input}, ofLogits = {logits};
  DenseSet<Operation *> ops(between.ops.begin(), between.ops.end());
  for (Operation *op : between.ops) {
    SmallVector<Value> read = valuesReadBy(op);
    for (DenseSet<Value> *made : {&ofInput, &ofLogits})
      if (llvm::any_of(read, [&](Value value) { return made->contains(value); }))
        made->insert_range(op->getResults());
    for (Value result : op->getResults())
      if (result != output && ofInput.contains(result) && ofLogits.contains(result))
        for (Operation *user : result.getUsers())
          if (Operation *reader = op->getBlock()->findAncestorOpInBlock(*user);
              !ops.contains(reader) && reader->getNumResults() > 0)
            return false;
  }
  return true;
}

bool ExpertTrial::analyse() {
  std::optional<Between> found = opsBetween({logits, input}, output);
  if (!found)
    return refuse("the sum over experts depends on more than their input and the router's logits");
  between = std::move(*found);
  if (!isShareOfOutput())
    return refuse("an expert's share is read elsewhere too");
  products = findExpertProducts(between.ops, input, logits);
  if (!products.problem.empty())
    return refuse(products.problem);
  std::optional<ExpertBranches> branches = branchesOf(products, why);
  if (!branches)
    return false;
  experts = std::move(*branches);
  stage = 1;
  if (experts.experts != rowWidth(logits))
    return refuse("the router chooses among " + Twine(rowWidth(logits)) + " experts, of which " + Twine(experts.experts) +
                  " are computed");
  SetVector<Value> all;
  for (const ExpertProduct &product : products.products) {
    all.insert(product.weight);
    if (product.bias)
      all.insert(product.bias);
  }
  size_t ofProducts = all.size();
  for (Value bias : products.routerBiases)
    if (squeezedShape(bias.getType()) == ArrayRef<int64_t>{experts.experts})
      all.insert(bias);
  routerBiases = all.size() - ofProducts;
  constants = all.takeVector();
  SmallVector<Value> inputs = {input, logits};
  llvm::append_range(inputs, constants);
  old = Excerpt::make(output, inputs, &findings.budget);
  if (!old)
    return refuse("the sum over experts depends on more than their input, the router's logits and the weights of products");
  return chooseSizes();
}

bool ExpertTrial::chooseSizes() {
  Sizes sizes(trialSizes);
  std::optional<SmallVector<int64_t>> ofInput = sizes.shape(input), ofLogits = sizes.shape(logits), ofOutput = sizes.shape(output);
  if (!ofInput || !ofLogits)
    return refuse("the number of tokens depends on data");
  auto rows = [](ArrayRef<int64_t> shape) { return countOf(shape.drop_back()); };
  if (rows(*ofInput) != rows(*ofLogits) || (ofOutput && rows(*ofOutput) != rows(*ofLogits)))
    return refuse("input, logits and output differ in their numbers of tokens");
  inputShape = std::move(*ofInput);
  logitShape = std::move(*ofLogits);
  if (countOf(inputShape) > mostElements || countOf(logitShape) > mostElements)
    return refuse("its tokens are too many to be tried");
  int64_t numbers = 0;
  for (Value constant : constants)
    numbers += std::min(mostNumbers + 1, cast<RankedTensorType>(constant.getType()).getNumElements());
  if (numbers > mostNumbers || numbers * rows(inputShape) > mostProducts)
    return refuse("its " + Twine(numbers) + " weights are too many to be tried");
  // The largest error that the least precise of the types explains in which it computes.
  tolerance = std::ldexp(16.0, -int(old->precision()));
  return true;
}

/// How far biases of the selection deviate from 0 at first, as scores between 0 and 1 do.
static constexpr double largeRouterBias = 0.3;

ExpertTrial::Tensors ExpertTrial::drawConstants(uint64_t seed) const {
  Draw draw(seed);
  Tensors drawn;
  for (auto [index, constant] : llvm::enumerate(constants)) {
    ArrayRef<int64_t> shape = cast<RankedTensorType>(constant.getType()).getShape();
    if (index + routerBiases >= constants.size()) {
      drawn.push_back(draw.tensor(shape, routerBiasDeviation));
      continue;
    }
    size_t rank = squeezedShape(constant.getType()).size();
    bool isBias = rank < 2 || (experts.areStacked && rank < 3);
    // Sums of products stay near 1.
    drawn.push_back(draw.tensor(shape, isBias ? 0.3 : 1.5 / std::sqrt(double(std::min(shape.back(), shape[shape.size() - 2])))));
  }
  return drawn;
}

/// Rows as a tensor of that shape, and the other way round.
static Tensor reshaped(Tensor tensor, ArrayRef<int64_t> shape) {
  tensor.shape.assign(shape.begin(), shape.end());
  return tensor;
}
static Tensor asMatrix(Tensor tensor) {
  tensor.shape = {tensor.rows(), tensor.width()};
  return tensor;
}

std::optional<Tensor> ExpertTrial::evaluate(const Tensor &inputRows, const Tensor &logitRows, const Tensors &constantTensors) {
  Tensors arguments = {reshaped(inputRows, inputShape), reshaped(logitRows, logitShape)};
  llvm::append_range(arguments, constantTensors);
  Sizes sizes(trialSizes);
  (void)sizes.shape(input); // in the order of chooseSizes
  (void)sizes.shape(logits);
  std::optional<Tensor> result = old->evaluate(arguments, sizes);
  if (!result || result->rows() != inputRows.rows() || llvm::any_of(result->elements, [](double x) { return !std::isfinite(x); }))
    return std::nullopt;
  return asMatrix(std::move(*result));
}

/// A last matrix of an expert, all zero but for row `row`, which is as it was drawn; none is left when it is negative.
static void keepRow(std::span<double> matrix, int64_t rows, int64_t columns, bool isTransposed, int64_t row) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      if ((isTransposed ? j : i) != row)
        matrix[size_t(i * columns + j)] = 0;
}

std::optional<Shares> ExpertTrial::observeShares(bool isSecondTransposed) {
  int64_t tokens = countOf(ArrayRef(inputShape).drop_back()), width = inputShape.back(), outputs = rowWidth(output);
  int64_t count = int64_t(experts.experts);
  Tensors drawn = drawConstants(1);
  auto tensorOf = [&](Tensors &tensors, Value constant) -> Tensor & {
    return tensors[size_t(llvm::find(constants, constant) - constants.begin())];
  };
  for (const ExpertBranch &branch : experts.branches)
    if (Value bias = branch.second->bias)
      llvm::fill(tensorOf(drawn, bias).elements, 0.0);
  Draw draw(2);
  Tensor row = draw.tensor({1, width}, 1), inputs({tokens, width});
  // Nothing below 0, so that no activation makes an expert's part 0.
  for (Tensor &tensor : MutableArrayRef(drawn).drop_back(routerBiases))
    for (double &element : tensor.elements)
      element = std::abs(element);
  for (double &element : row.elements)
    element = std::abs(element);
  for (int64_t token = 0; token < tokens; ++token)
    llvm::copy(row.elements, inputs.row(token).begin());

  std::vector<double> allLogits, allParts;
  std::vector<int64_t> seen(size_t(count), 0);
  constexpr unsigned mostRounds = 64;
  unsigned failures = 0;
  for (unsigned round = 0; round < mostRounds && (round < 4 || *llvm::min_element(seen) < 3); ++round) {
    Tensor scores = draw.tensor({tokens, count}, 1.5), parts({tokens, count});
    if (round % 2) // low ones, of which biased scores are below 0
      for (double &score : scores.elements)
        score -= 2.5;
    bool isSound = true;
    for (int64_t begin = 0; begin < count && isSound; begin += outputs) {
      Tensors selective = drawn;
      for (int64_t expert = 0; expert < count; ++expert) {
        Value constant = experts.branches[experts.areStacked ? 0 : size_t(expert)].second->weight;
        SmallVector<int64_t> shape = squeezedShape(constant.getType());
        int64_t rows = shape[shape.size() - 2], columns = shape.back();
        std::span<double> matrix(tensorOf(selective, constant).elements);
        if (experts.areStacked)
          matrix = matrix.subspan(size_t(expert * rows * columns), size_t(rows * columns));
        keepRow(matrix, rows, columns, isSecondTransposed, expert >= begin && expert < begin + outputs ? expert - begin : -1);
      }
      std::optional<Tensor> result = evaluate(inputs, scores, selective);
      isSound = result.has_value();
      if (!isSound)
        break;
      for (int64_t token = 0; token < tokens; ++token)
        for (int64_t expert = begin; expert < std::min(count, begin + outputs); ++expert)
          parts.row(token)[size_t(expert)] = result->row(token)[size_t(expert - begin)];
    }
    if (!isSound) {
      if (++failures == mostDraws)
        break;
      continue;
    }
    for (int64_t token = 0; token < tokens; ++token)
      for (int64_t expert = 0; expert < count; ++expert)
        seen[size_t(expert)] += parts.row(token)[size_t(expert)] != 0;
    llvm::append_range(allLogits, scores.elements);
    llvm::append_range(allParts, parts.elements);
  }
  if (allLogits.empty())
    return std::nullopt;
  int64_t all = int64_t(allLogits.size()) / count;
  return Shares{Tensor({all, count}, std::move(allLogits)), Tensor({all, count}, std::move(allParts)), tolerance};
}

std::optional<Observation> ExpertTrial::observe(const RoutingMatch &match, double deviation, const Tensors &constantTensors) {
  int64_t tokens = countOf(ArrayRef(inputShape).drop_back());
  std::span<const double> bias;
  if (match.bias)
    bias = constantTensors[constants.size() - routerBiases + *match.bias].elements;
  Draw draw(4);
  for (unsigned round = 0; round < mostDraws; ++round) {
    Observation seen{draw.tensor({tokens, inputShape.back()}, deviation), {}, match.isOnInput, Tensor()};
    Tensor scores = draw.tensor({tokens, experts.experts}, 1.5);
    std::optional<Tensor> result = evaluate(seen.input, scores, constantTensors);
    if (!result)
      continue;
    for (int64_t token = 0; token < tokens; ++token)
      seen.choices.push_back(evaluator::route(scores.row(token), bias, match.routing));
    seen.output = std::move(*result);
    return seen;
  }
  return std::nullopt;
}

Value ExpertTrial::constantAt(OpBuilder &builder, Value constant) {
  if (constant.getParentBlock() == output.getParentBlock())
    return constant;
  if (Value copy = copies.lookup(constant))
    return copy;
  Operation *op = constant.getDefiningOp();
  IRMapping mapping;
  for (Value read : valuesReadBy(op))
    mapping.map(read, constantAt(builder, read));
  Value copy = builder.clone(*op, mapping)->getResult(cast<OpResult>(constant).getResultNumber());
  copies[constant] = copy;
  return copy;
}

std::optional<ExpertTensors> ExpertTrial::assemble(const ExpertForm &form, ArrayRef<int64_t> branchOf,
                                                   const Tensors &constantTensors) {
  copies.clear();
  Draft draft(output.getDefiningOp()->getNextNode());
  ExpertStacks stacks = buildStacks(draft.builder, output.getLoc(), experts, form, branchOf,
                                    [&](Value constant) { return constantAt(draft.builder, constant); });
  SmallVector<Value> inputs;
  for (Value constant : constants)
    inputs.push_back(copies.lookup(constant) ? copies.lookup(constant) : constant);
  auto tensorOf = [&](Value stack) {
    Sizes none({1});
    std::optional<Excerpt> excerpt = stack ? Excerpt::make(stack, inputs, &findings.budget) : std::nullopt;
    return excerpt ? excerpt->evaluate(constantTensors, none).value_or(Tensor({0}, {})) : Tensor({0}, {});
  };
  ExpertTensors tensors{tensorOf(stacks.gate),     tensorOf(stacks.up),     tensorOf(stacks.down),
                        tensorOf(stacks.gateBias), tensorOf(stacks.upBias), tensorOf(stacks.downBias)};
  if (tensors.gate.elements.empty() || tensors.up.elements.empty() || tensors.down.elements.empty())
    return std::nullopt;
  return tensors;
}

/// Which branch each expert is.
static std::vector<int64_t> branchesByExpert(const RoutingMatch &match) {
  std::vector<int64_t> branchOf(match.expertOf.size());
  for (auto [branch, expert] : llvm::enumerate(match.expertOf))
    branchOf[size_t(expert)] = int64_t(branch);
  return branchOf;
}

Value ExpertTrial::build(OpBuilder &builder, const ExpertFinding::Mixture &mixture) {
  const auto &[match, form, activation] = mixture;
  Location loc = output.getLoc();
  copies.clear();
  auto constant = [&](Value value) { return constantAt(builder, value); };
  ExpertStacks stacks = buildStacks(builder, loc, experts, form, branchesByExpert(match), constant);
  if (stacks.gateBias || stacks.downBias) {
    auto zeros = [&](Value like, int64_t width) -> Value {
      auto type = RankedTensorType::get({experts.experts, width}, cast<RankedTensorType>(like.getType()).getElementType());
      return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, builder.getZeroAttr(type.getElementType())));
    };
    ArrayRef<int64_t> shape = cast<RankedTensorType>(stacks.down.getType()).getShape();
    if (!stacks.gateBias)
      stacks.gateBias = stacks.upBias = zeros(stacks.downBias, shape[2]);
    if (!stacks.downBias)
      stacks.downBias = zeros(stacks.gateBias, shape[1]);
  }
  Value bias;
  if (match.bias) {
    bias = constant(constants[constants.size() - routerBiases + *match.bias]);
    bias = reshapeStatic(builder, loc, bias, {experts.experts});
  }
  moe::RoutingAttr routing = withScale(match.routing, activation.scale);
  auto columns = [&](Type element) { return RankedTensorType::get({ShapedType::kDynamic, routing.getK()}, element); };
  auto route = moe::RouteOp::create(builder, loc, columns(builder.getI32Type()), columns(builder.getF32Type()),
                                    toRows(builder, loc, logits), bias, /*table=*/Value(), /*token_ids=*/Value(), routing);
  auto result = RankedTensorType::get({ShapedType::kDynamic, rowWidth(output)}, builder.getF32Type());
  Value rows = moe::ExpertsOp::create(builder, loc, result, toRows(builder, loc, input), route.getIds(), route.getWeights(),
                                      stacks.gate, stacks.up, stacks.down, stacks.gateBias, stacks.upBias, stacks.downBias,
                                      activation.activation, match.isOnInput, moe::Compute::F32);
  return fromRows(builder, loc, rows, output, {input, logits});
}

bool ExpertTrial::isProven(Value candidate, const RoutingMatch &match) {
  SmallVector<Value> ours = {input, logits};
  for (Value constant : constants)
    ours.push_back(copies.lookup(constant) ? copies.lookup(constant) : constant);
  std::optional<Excerpt> made = Excerpt::make(candidate, ours, &findings.budget);
  if (!made)
    return false;
  struct Case {
    ArrayRef<int64_t> sizes;
    double input, logits, shift;
    bool biasesAreBelow0 = false;
  };
  // Large logits, where sums of scores lose what is added to them; large inputs, which reach limits, and biases below 0, beside
  // which an expert of a group that is not kept is the best if it counts as 0; logits so low that nothing but what is added to a
  // sum is left of it.
  const Case cases[] = {
      {otherSizes, 0.5, 1, 0}, {trialSizes, 3, 4, -2}, {otherSizes, 40, 2, -20, /*biasesAreBelow0=*/true}, {otherSizes, 1, 1, -38}};
  std::vector<bool> isTried(size_t(experts.experts), false);
  constexpr uint64_t mostRounds = 256;
  unsigned failures = 0;
  for (uint64_t round = 0; round < std::size(cases) || llvm::is_contained(isTried, false); ++round) {
    if (round == mostRounds || failures == mostDraws)
      return false;
    const Case &each = cases[round % std::size(cases)];
    Sizes sizes(each.sizes);
    std::optional<SmallVector<int64_t>> ofInput = sizes.shape(input), ofLogits = sizes.shape(logits);
    if (!ofInput || !ofLogits)
      return false;
    Draw draw(100 + round);
    Tensors arguments = {draw.tensor(*ofInput, each.input), draw.tensor(*ofLogits, each.logits)};
    for (double &logit : arguments.back().elements)
      logit += each.shift;
    llvm::append_range(arguments, drawConstants(100 + round));
    for (Tensor &bias : MutableArrayRef(arguments).take_back(routerBiases))
      for (double &element : bias.elements)
        element = each.biasesAreBelow0 ? -std::abs(element) : element * (round % 2 ? largeRouterBias / routerBiasDeviation : 1);
    std::optional<Tensor> expected = old->evaluate(arguments, sizes);
    if (!expected) {
      ++failures;
      continue;
    }
    std::optional<Tensor> got = made->evaluate(arguments, sizes);
    if (!got || expected->shape != got->shape)
      return false;
    double largest = 0, error = 0;
    for (auto [a, b] : llvm::zip(expected->elements, got->elements)) {
      largest = std::max(largest, std::isfinite(a) ? std::abs(a) : HUGE_VAL);
      error = std::max(error, std::isfinite(a - b) ? std::abs(a - b) : HUGE_VAL);
    }
    if (!std::isfinite(largest) || !(error <= tolerance * largest))
      return false;
    std::span<const double> bias;
    if (match.bias)
      bias = arguments[2 + constants.size() - routerBiases + *match.bias].elements;
    for (int64_t token = 0; token < arguments[1].rows(); ++token)
      for (int64_t id : evaluator::route(arguments[1].row(token), bias, match.routing).ids)
        isTried[size_t(id)] = true;
  }
  return true;
}

std::optional<ExpertFinding::Mixture> ExpertTrial::tryForm(const RoutingMatch &match, const ExpertForm &form) {
  Tensors drawn = drawConstants(3);
  std::optional<Observation> small = observe(match, 0.05, drawn), large = observe(match, 30, drawn);
  std::optional<ExpertTensors> tensors = assemble(form, branchesByExpert(match), drawn);
  if (!small || !large || !tensors)
    return std::nullopt;
  ActivationMatch activation = matchActivation(*tensors, *small, *large, products.numbers, form.gateUp != GateUp::None, tolerance,
                                               findings.budget, output.getContext());
  if (!(activation.error <= tolerance))
    return std::nullopt;
  stage = 3;
  activation.scale = meantScale(activation.scale, tolerance);
  if (match.isOnInput && activation.scale != 1)
    return std::nullopt;
  ExpertFinding::Mixture mixture{match, form, activation};
  Draft draft(output.getDefiningOp()->getNextNode());
  Value made = build(draft.builder, mixture);
  if (made && isProven(made, match))
    return mixture;
  refuse(made ? "the experts that come closest give other outputs for other inputs"
              : "the sizes of the output are not those of the input");
  return std::nullopt;
}

std::vector<RoutingMatch> ExpertTrial::matchesOf(bool isSecondTransposed) {
  // Large biases may outweigh the small scores of a softmax over many experts, so that the same few are always chosen.
  for (double deviation : {largeRouterBias, largeRouterBias / double(experts.experts)}) {
    routerBiasDeviation = deviation;
    std::optional<Shares> shares = observeShares(isSecondTransposed);
    if (!shares)
      break;
    Tensors biases = drawConstants(1);
    std::vector<RoutingMatch> matches = matchRouting(*shares, ArrayRef(biases).take_back(routerBiases), products.numbers,
                                                     experts.areStacked, findings.budget, output.getContext());
    if (routerBiases == 0 || !matches.empty())
      return matches;
  }
  return {};
}

std::optional<ExpertFinding::Mixture> ExpertTrial::find() {
  std::vector<ExpertForm> forms = formsOf(experts, rowWidth(input), rowWidth(output));
  if (forms.empty()) {
    refuse("the sizes of the products are not those of an MLP");
    return std::nullopt;
  }
  refuse("who is chosen with which weight is nothing that #moe.routing says");
  for (bool isSecondTransposed : {false, true}) {
    if (llvm::none_of(forms, [&](const ExpertForm &form) { return form.isSecondTransposed == isSecondTransposed; }))
      continue;
    for (const RoutingMatch &match : matchesOf(isSecondTransposed)) {
      if (!match.isOnInput)
        refuse("what the experts compute is no MLP that #moe.activation says");
      for (const ExpertForm &form : forms)
        if (form.isSecondTransposed == isSecondTransposed)
          if (std::optional<ExpertFinding::Mixture> mixture = tryForm(match, form))
            return mixture;
    }
  }
  return std::nullopt;
}

std::optional<RaisedExperts> ExpertTrial::run() {
  if (!analyse())
    return std::nullopt;
  stage = 2;
  auto [entry, isNew] = findings.byKey.try_emplace(old->key());
  ExpertFinding &finding = entry->second;
  if (isNew) {
    finding.mixture = find();
    finding.problem = why;
    finding.progress = stage;
  }
  why = finding.problem;
  stage = finding.progress;
  if (!finding.mixture)
    return std::nullopt;
  Draft draft(output.getDefiningOp()->getNextNode());
  Value made = build(draft.builder, *finding.mixture);
  if (!made) {
    refuse("the sizes of the output are not those of the input");
    return std::nullopt;
  }
  return RaisedExperts{made, draft.keep(), between.ops, finding.mixture->routing.routing, experts.experts};
}
