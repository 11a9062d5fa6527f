// The region of an op that computes a tensor element by element, made ready to be run for each.
#include "passes/evaluator/ElementProgram.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/evaluator/Scalar.h"

using namespace mlir;
using namespace moec::evaluator;

FailureOr<ElementProgram> ElementProgram::make(Block &block, const Frame &frame) {
  ElementProgram program(frame);
  for (Value argument : block.getArguments())
    program.slotOf(argument);
  if (failed(program.compile(block, program.code)))
    return failure();
  program.results = program.slotsOf(block.getTerminator()->getOperands());
  program.state.slots.resize(program.state.slots.size() + program.results.size());
  return program;
}

FailureOr<ArrayRef<double>> ElementProgram::run(ArrayRef<double> arguments, ArrayRef<int64_t> index) {
  llvm::copy(arguments, state.slots.begin());
  state.index = index;
  if (failed(runAll(code, state)))
    return failure();
  // The block's own slots come first; behind all others is room for what is yielded.
  size_t first = state.slots.size() - results.size();
  for (auto [place, slot] : llvm::enumerate(results))
    state.slots[first + place] = state.slots[slot];
  return ArrayRef<double>(state.slots).drop_front(first);
}

unsigned ElementProgram::slotOf(Value value) {
  auto [found, isNew] = numbers.try_emplace(value, unsigned(state.slots.size()));
  if (isNew)
    state.slots.push_back(frame->knows(value) ? (*frame)[value].elements.front() : 0);
  return found->second;
}

ElementProgram::Slots ElementProgram::slotsOf(ValueRange values) {
  Slots slots;
  for (Value value : values)
    slots.push_back(slotOf(value));
  return slots;
}

LogicalResult ElementProgram::runAll(const Instructions &code, State &state) {
  for (const Instruction &instruction : code)
    if (failed(instruction(state)))
      return failure();
  return success();
}

LogicalResult ElementProgram::compile(Block &block, Instructions &code) {
  for (Operation &op : block.without_terminator())
    if (failed(compile(op, code)))
      return failure();
  return success();
}

/// Copies numbers between slots as if all at once.
static void move(std::vector<double> &slots, ArrayRef<unsigned> from, ArrayRef<unsigned> to) {
  SmallVector<double, 4> values;
  for (unsigned slot : from)
    values.push_back(slots[slot]);
  for (auto [slot, value] : llvm::zip(to, values))
    slots[slot] = value;
}

LogicalResult ElementProgram::compile(Operation &op, Instructions &code) {
  if (isa<scf::ForOp>(op))
    return compileFor(op, code);
  if (isa<scf::IfOp>(op))
    return compileIf(op, code);
  if (isa<scf::WhileOp>(op))
    return compileWhile(op, code);
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    state.slots[slotOf(constant)] = numberOf(constant.getValue());
    return success();
  }
  if (auto place = dyn_cast<linalg::IndexOp>(op)) {
    code.push_back([to = slotOf(place), dim = place.getDim()](State &state) {
      state.slots[to] = double(state.index[dim]);
      return success();
    });
    return success();
  }
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    const Tensor &from = (*frame)[extract.getTensor()];
    code.push_back([&from, extract, indices = slotsOf(extract.getIndices()), to = slotOf(extract)](State &state) mutable {
      SmallVector<int64_t, 6> place;
      for (unsigned slot : indices)
        place.push_back(int64_t(state.slots[slot]));
      std::optional<size_t> offset = offsetOf(from, place);
      if (!offset)
        return LogicalResult(extract.emitError() << "expected indices within the tensor, got " << place);
      state.slots[to] = from.elements[*offset];
      return success();
    });
    return success();
  }
  if (auto assertion = dyn_cast<cf::AssertOp>(op)) {
    code.push_back([assertion, condition = slotOf(assertion.getArg())](State &state) mutable {
      return state.slots[condition] ? success() : LogicalResult(assertion.emitError() << assertion.getMsg());
    });
    return success();
  }
  if (ScalarFunction function = scalarFunctionOf(&op)) {
    code.push_back([function, from = slotsOf(op.getOperands()), to = slotOf(op.getResult(0))](State &state) {
      double operands[3];
      for (auto [operand, slot] : llvm::zip(operands, from))
        operand = state.slots[slot];
      state.slots[to] = function(operands);
      return success();
    });
    return success();
  }
  return op.emitError() << "the reference evaluator does not know '" << op.getName() << "' within an element";
}

LogicalResult ElementProgram::compileIf(Operation &op, Instructions &code) {
  auto branch = cast<scf::IfOp>(op);
  Slots results = slotsOf(branch.getResults());
  Instructions sides[2];
  for (auto [region, side] : llvm::zip(branch->getRegions(), sides)) {
    if (region.empty())
      continue;
    if (failed(compile(region.front(), side)))
      return failure();
    side.push_back([from = slotsOf(region.front().getTerminator()->getOperands()), results](State &state) {
      move(state.slots, from, results);
      return success();
    });
  }
  code.push_back([condition = slotOf(branch.getCondition()), then = sides[0], otherwise = sides[1]](State &state) {
    return runAll(state.slots[condition] ? then : otherwise, state);
  });
  return success();
}

LogicalResult ElementProgram::compileFor(Operation &op, Instructions &code) {
  auto loop = cast<scf::ForOp>(op);
  Slots bounds = slotsOf({loop.getLowerBound(), loop.getUpperBound(), loop.getStep()});
  Slots inits = slotsOf(loop.getInitArgs()), carried = slotsOf(loop.getRegionIterArgs()), results = slotsOf(loop.getResults());
  unsigned variable = slotOf(loop.getInductionVar());
  Instructions body;
  if (failed(compile(*loop.getBody(), body)))
    return failure();
  Slots yielded = slotsOf(loop.getBody()->getTerminator()->getOperands());
  code.push_back([=, frame = frame](State &state) {
    move(state.slots, inits, carried);
    double from = state.slots[bounds[0]], to = state.slots[bounds[1]], step = state.slots[bounds[2]];
    for (double i = from; i < to && step > 0; i += step) {
      state.slots[variable] = i;
      if (failed(frame->spend(loop, 1)) || failed(runAll(body, state)))
        return failure();
      move(state.slots, yielded, carried);
    }
    move(state.slots, carried, results);
    return success();
  });
  return success();
}

LogicalResult ElementProgram::compileWhile(Operation &op, Instructions &code) {
  auto loop = cast<scf::WhileOp>(op);
  Slots inits = slotsOf(loop.getInits()), before = slotsOf(loop.getBeforeArguments()), after = slotsOf(loop.getAfterArguments());
  Slots results = slotsOf(loop.getResults());
  Instructions test, body;
  if (failed(compile(*loop.getBeforeBody(), test)) || failed(compile(*loop.getAfterBody(), body)))
    return failure();
  unsigned condition = slotOf(loop.getConditionOp().getCondition());
  Slots passed = slotsOf(loop.getConditionOp().getArgs()), yielded = slotsOf(loop.getYieldOp()->getOperands());
  code.push_back([=, frame = frame](State &state) {
    move(state.slots, inits, before);
    for (;;) {
      if (failed(frame->spend(loop, 1)) || failed(runAll(test, state)))
        return failure();
      if (!state.slots[condition])
        break;
      move(state.slots, passed, after);
      if (failed(runAll(body, state)))
        return failure();
      move(state.slots, yielded, before);
    }
    move(state.slots, passed, results);
    return success();
  });
  return success();
}
