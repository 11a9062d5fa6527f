// What the arguments of a function are if it is a decoder that goes on with sequences.
#include "passes/raise/StepArguments.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec;
using namespace moec::passes;
using evaluator::Tensor;

std::optional<std::pair<int64_t, int64_t>> passes::dimsOfPast(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.getElementType().isF32() || tensor.getRank() < 3 || tensor.getNumDynamicDims() != 2)
    return std::nullopt;
  constexpr int64_t widestPast = 1 << 16; // of a position: its elements are numbered
  int64_t width = 1;
  SmallVector<int64_t, 2> dynamic;
  for (auto [dim, size] : llvm::enumerate(tensor.getShape()))
    if (ShapedType::isDynamic(size))
      dynamic.push_back(int64_t(dim));
    else if (size > widestPast / width)
      return std::nullopt;
    else
      width *= size;
  return std::pair(dynamic[0], dynamic[1]);
}

/// The numbers that values are said to be by what a block asserts, directly or by being equal to others.
static DenseMap<Value, int64_t> assertedNumbers(Block &block) {
  DenseMap<Value, SmallVector<Value>> equals;
  DenseMap<Value, int64_t> numbers;
  SmallVector<Value> pending;
  for (auto check : block.getOps<cf::AssertOp>()) {
    auto compare = check.getArg().getDefiningOp<arith::CmpIOp>();
    if (!compare || compare.getPredicate() != arith::CmpIPredicate::eq)
      continue;
    for (auto [one, other] : {std::pair(compare.getLhs(), compare.getRhs()), {compare.getRhs(), compare.getLhs()}}) {
      equals[one].push_back(other);
      if (std::optional<int64_t> number = getConstantIntValue(one); number && numbers.try_emplace(one, *number).second)
        pending.push_back(one);
    }
  }
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    for (Value equal : equals[next])
      if (numbers.try_emplace(equal, numbers[next]).second)
        pending.push_back(equal);
  }
  return numbers;
}

void passes::fixAssertedSizes(func::FuncOp function) {
  Block &body = function.getBody().front();
  DenseMap<Value, int64_t> numbers = assertedNumbers(body);
  OpBuilder builder = OpBuilder::atBlockBegin(&body);
  for (BlockArgument argument : function.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    SmallVector<int64_t> dims(type.getShape());
    for (Operation *user : argument.getUsers())
      if (auto dim = dyn_cast<tensor::DimOp>(user); dim && dim->getBlock() == &body && dim.getConstantIndex())
        if (auto number = numbers.find(dim.getResult()); number != numbers.end() && number->second >= 0)
          if (int64_t index = *dim.getConstantIndex(); index >= 0 && index < type.getRank() && type.isDynamicDim(unsigned(index)))
            dims[size_t(index)] = number->second;
    if (dims == type.getShape())
      continue;
    argument.setType(type.clone(dims));
    Value open = tensor::CastOp::create(builder, argument.getLoc(), type, argument);
    argument.replaceAllUsesExcept(open, open.getDefiningOp());
  }
  function.setType(builder.getFunctionType(body.getArgumentTypes(), function.getResultTypes()));
  // What asks for sizes asks the arguments themselves.
  for (auto dim : body.getOps<tensor::DimOp>())
    if (auto open = dim.getSource().getDefiningOp<tensor::CastOp>(); open && isa<BlockArgument>(open.getSource()))
      dim.getSourceMutable().assign(open.getSource());
}

std::vector<StepArguments> StepArguments::guesses(func::FuncOp function, Value ids, Means means, std::string &problem) {
  StepArguments arguments;
  arguments.means = means;
  arguments.ids = ids;
  SmallVector<bool> looksLikeMask;
  for (BlockArgument argument : function.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "moe.input");
    if (argument == ids)
      continue;
    if (dimsOfPast(argument.getType())) {
      arguments.past.push_back(argument);
    } else if (type && type.getRank() == 2 && type.getElementType().isInteger()) {
      arguments.whole.push_back(argument);
      looksLikeMask.push_back(name && name.getValue().contains("mask"));
    } else {
      problem = llvm::formatv("its input '{0}', a '{1}', is neither of positions nor a mask, nor keys or values of the past",
                              name ? name.getValue() : "", argument.getType());
      return {};
    }
  }
  constexpr size_t most = 4;
  if (arguments.whole.size() > most) {
    problem = "it has more inputs of integers than positions and masks";
    return {};
  }
  std::vector<StepArguments> all;
  for (unsigned choice = 0; choice < 1u << arguments.whole.size(); ++choice) {
    arguments.roles.clear();
    for (auto [index, isMask] : llvm::enumerate(looksLikeMask))
      arguments.roles.push_back(isMask != bool(choice >> index & 1) ? Role::Mask : Role::Positions);
    all.push_back(arguments);
  }
  return all;
}

std::vector<Tensor> StepArguments::values(StepShape shape) const {
  std::vector<Tensor> values;
  for (Role role : roles) {
    bool isMask = role == Role::Mask;
    Tensor value({shape.sequences, isMask ? shape.past + shape.length : shape.length});
    for (auto [index, element] : llvm::enumerate(value.elements))
      element = isMask ? 1 : double(shape.past + int64_t(index) % shape.length);
    values.push_back(std::move(value));
  }
  return values;
}

Sizes StepArguments::sizes(StepShape shape) const {
  Sizes sizes({shape.length});
  sizes.fix(ids, 0, shape.sequences);
  sizes.fix(ids, 1, shape.length);
  for (auto [argument, role] : llvm::zip_equal(whole, roles)) {
    sizes.fix(argument, 0, shape.sequences);
    sizes.fix(argument, 1, role == Role::Mask ? shape.past + shape.length : shape.length);
  }
  for (Value argument : past) {
    auto [sequence, position] = *dimsOfPast(argument.getType());
    sizes.fix(argument, sequence, shape.sequences);
    sizes.fix(argument, position, shape.past);
  }
  return sizes;
}

ArrayRef<StepShape> StepArguments::trials() const {
  static constexpr StepShape withPast[] = {{2, 3, 5}, {3, 2, 1}, {1, 1, 4}, {1, 2, 0}},
                             without[] = {{2, 3, 0}, {3, 5, 0}, {1, 1, 0}};
  return past.empty() ? ArrayRef(without) : ArrayRef(withPast);
}

std::optional<Excerpt> StepArguments::excerptOf(Value value) const {
  // Sizes of what is made of the arguments are known, unless they are asked for as data.
  if (std::optional<Excerpt> excerpt = Excerpt::make(value, {}, means.budget, means.tables))
    return excerpt;
  return Excerpt::make(value, whole, means.budget, means.tables);
}

std::string StepArguments::keyOf(Excerpt &excerpt, ArrayRef<StepShape> shapes) const {
  std::string key = excerpt.text();
  for (StepShape shape : shapes) {
    Sizes known = sizes(shape);
    key += excerpt.numbersAt(known) + '\n';
  }
  return key;
}

std::optional<Tensor> StepArguments::evaluate(Excerpt &excerpt, StepShape shape) const {
  Sizes known = sizes(shape);
  return excerpt.evaluate(excerpt.inputs() ? values(shape) : std::vector<Tensor>(), known);
}

void StepArguments::readSizesOfArguments(func::FuncOp function) const {
  // Large numbers that no sum or product of others is by chance, and small ones, at which a graph may do something else.
  StepShape shapes[] = {{101, 1009, 10007}, {211, 2003, 20011}, {1, 1, 1}, {2, 1, 3}, {1, 7, 2}, {1, 1, 300007}};
  if (past.empty())
    for (StepShape &shape : shapes)
      shape.past = 0;
  OpBuilder builder = OpBuilder::atBlockBegin(&function.getBody().front());
  Location loc = function.getLoc();
  Value sequences = tensor::DimOp::create(builder, loc, ids, 0), length = tensor::DimOp::create(builder, loc, ids, 1);
  Value positions =
      past.empty() ? length : tensor::DimOp::create(builder, loc, past.front(), dimsOfPast(past.front().getType())->second);
  Value all = past.empty() ? length : arith::AddIOp::create(builder, loc, positions, length).getResult();
  std::vector<Sizes> known;
  for (StepShape shape : shapes)
    known.push_back(sizes(shape));
  for (auto dim : llvm::make_early_inc_range(function.getBody().getOps<tensor::DimOp>())) {
    if (isa<BlockArgument>(dim.getSource()))
      continue;
    auto isAlways = [&](auto sizeIn) {
      return llvm::all_of(llvm::zip_equal(known, shapes),
                          [&](auto each) { return std::get<0>(each).number(dim.getResult()) == sizeIn(std::get<1>(each)); });
    };
    Value same;
    if (isAlways([](StepShape shape) { return shape.sequences; }))
      same = sequences;
    else if (isAlways([](StepShape shape) { return shape.length; }))
      same = length;
    else if (isAlways([](StepShape shape) { return shape.past + shape.length; }))
      same = all;
    if (same)
      dim.getResult().replaceAllUsesWith(same);
  }
}
