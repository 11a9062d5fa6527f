// Turns every op of a step into a launch of a kernel that all equal ops share.
#include "lowering/plan/KernelTable.h"
#include "lowering/plan/Passes.h"
#include "lowering/plan/Tables.h"
#include "lowering/plan/WeightParts.h"

#include <algorithm>

using namespace mlir;
using namespace moec;
using namespace moec::moe;
using plan::BufferKind;
using plan::Extent;

namespace moec::lowering {
#define GEN_PASS_DEF_CUTKERNELS
#include "lowering/plan/Passes.h.inc"
} // namespace moec::lowering

namespace {

//===- Weights and caches ---------------------------------------------------------------------------------------------------===//

void convertDeclarations(ModuleOp module) {
  for (Operation &op : llvm::make_early_inc_range(*module.getBody())) {
    OpBuilder builder(&op);
    if (auto weight = dyn_cast<WeightOp>(op)) {
      plan::WeightOp::create(builder, op.getLoc(), weight.getSymNameAttr(), weight.getTypeAttr(),
                             builder.getArrayAttr(lowering::partsForKernels(weight)));
      op.erase();
    } else if (auto cache = dyn_cast<CacheOp>(op)) {
      plan::CacheOp::create(builder, op.getLoc(), cache.getSymNameAttr(), cache.getTypeAttr(), cache.getBlock());
      op.erase();
    }
  }
}

//===- Constants ------------------------------------------------------------------------------------------------------------===//

/// The tables that ops need beside their operands, declared before the kernels; equal ones are shared.
class ConstantTable {
public:
  ConstantTable(ModuleOp module, int64_t positions) : module(module), positions(positions) {}

  /// The tables that the ops of `kernel` need, in order.
  ArrayRef<plan::ConstantOp> tablesOf(plan::KernelOp kernel) {
    auto [entry, isNew] = tables.try_emplace(kernel);
    if (isNew)
      entry->second = makeTables(kernel);
    return entry->second;
  }

private:
  SmallVector<plan::ConstantOp> makeTables(plan::KernelOp kernel) {
    SmallVector<plan::ConstantOp> tables;
    kernel.walk([&](Operation *op) {
      for (Attribute source : lowering::tablesOf(op)) {
        if (auto rotary = dyn_cast<RotaryAttr>(source))
          tables.push_back(get("rotary", rotary, {positions, rotary.getDims() / 2, 2}));
        else
          tables.push_back(get("position_scale", source, {positions}));
      }
    });
    return tables;
  }

  plan::ConstantOp get(StringRef stem, Attribute source, ArrayRef<int64_t> shape) {
    plan::ConstantOp &constant = constants[source];
    if (constant)
      return constant;
    OpBuilder builder(*module.getOps<plan::KernelOp>().begin());
    return constant =
               plan::ConstantOp::create(builder, builder.getUnknownLoc(), (stem + "_" + Twine(counts[stem]++)).str(),
                                        TypeAttr::get(RankedTensorType::get(shape, builder.getF32Type())), source, IntegerAttr());
  }

  ModuleOp module;
  int64_t positions;
  DenseMap<Operation *, SmallVector<plan::ConstantOp>> tables; // of kernels
  DenseMap<Attribute, plan::ConstantOp> constants;
  llvm::StringMap<int> counts;
};

//===- Programs -------------------------------------------------------------------------------------------------------------===//

/// Writes the program of one function.
class ProgramWriter {
public:
  ProgramWriter(func::FuncOp function, plan::ProgramOp program, const SymbolTable &symbols, lowering::KernelTable &kernels,
                ConstantTable &constants)
      : function(function), symbols(symbols), kernels(kernels), constants(constants),
        builder(OpBuilder::atBlockEnd(&program.getBody().front())) {}

  LogicalResult write() {
    for (BlockArgument argument : function.getArguments())
      if (failed(convertArgument(argument)))
        return failure();
    for (Operation &op : function.getBody().front().without_terminator())
      if (!isa<GetWeightOp, DequantizeOp>(op) && failed(launch(&op)))
        return failure();
    return convertResults();
  }

private:
  LogicalResult convertArgument(BlockArgument argument) {
    if (isa<BatchType>(argument.getType()))
      return success();
    if (!isTokenIds(argument.getType()) && !isSampling(argument.getType()))
      return function.emitOpError() << "expected token ids, a batch and sampling settings as arguments, got " << argument.getType();
    BufferKind kind = isSampling(argument.getType()) ? BufferKind::Sampling : BufferKind::TokenIds;
    buffers[argument] = bufferOf(argument.getLoc(), kind, argument.getType());
    return success();
  }

  LogicalResult launch(Operation *op) {
    bool readsOutputs = llvm::any_of(op->getOperands(), [&](Value operand) { return outputRows.contains(operand); });
    if (readsOutputs || isa<GatherOutputsOp>(op))
      outputRows.insert_range(op->getResults());
    FailureOr<lowering::KernelUse> use = kernels.use(op, readsOutputs ? Extent::Outputs : Extent::Tokens);
    if (failed(use))
      return failure();

    SmallVector<Value> arguments;
    for (Value argument : use->arguments)
      appendArgument(arguments, argument);
    for (FlatSymbolRefAttr cache : use->caches)
      arguments.push_back(named(BufferKind::Cache, symbols.lookup(cache.getAttr())));
    for (Value result : op->getResults())
      arguments.push_back(buffers[result] = arenaBuffer(result));
    for (plan::ConstantOp table : constants.tablesOf(use->kernel))
      arguments.push_back(named(BufferKind::Constant, table));
    plan::LaunchOp::create(builder, op->getLoc(), FlatSymbolRefAttr::get(use->kernel.getSymNameAttr()), arguments);
    return success();
  }

  LogicalResult convertResults() {
    for (OpOperand &result : function.getBody().front().getTerminator()->getOpOperands()) {
      auto name = function.getResultAttrOfType<StringAttr>(result.getOperandNumber(), "moe.output");
      if (!name)
        return function.emitOpError() << "expected a 'moe.output' name for result " << result.getOperandNumber();
      Value buffer = buffers.lookup(result.get());
      if (!buffer)
        return function.emitOpError() << "expected result " << result.getOperandNumber() << " to be computed by an op";
      plan::OutputOp::create(builder, function.getLoc(), name, buffer);
    }
    return success();
  }

  void appendArgument(SmallVectorImpl<Value> &arguments, Value value) {
    if (isa<BatchType>(value.getType())) {
      auto integers = [&](int64_t rank) {
        return RankedTensorType::get(SmallVector<int64_t>(rank, ShapedType::kDynamic), builder.getI32Type());
      };
      for (BufferKind kind :
           {BufferKind::Positions, BufferKind::TokenSequence, BufferKind::Starts, BufferKind::Pages, BufferKind::OutputTokens}) {
        Value &buffer = batch[kind];
        if (!buffer)
          buffer = bufferOf(value.getLoc(), kind, integers(kind == BufferKind::Pages ? 2 : 1));
        arguments.push_back(buffer);
      }
    } else if (auto get = value.getDefiningOp<GetWeightOp>()) {
      arguments.push_back(named(BufferKind::Weight, symbols.lookup(get.getWeightAttr().getAttr())));
    } else {
      arguments.push_back(buffers.lookup(value));
    }
  }

  /// The program's one buffer for the weight, cache or constant `declaration`.
  Value named(BufferKind kind, Operation *declaration) {
    Value &buffer = declared[declaration];
    if (!buffer)
      buffer = bufferOf(declaration->getLoc(), kind, declaration->getAttrOfType<TypeAttr>("type").getValue(),
                        FlatSymbolRefAttr::get(SymbolTable::getSymbolName(declaration)));
    return buffer;
  }

  Value arenaBuffer(Value result) {
    bool hasRows = cast<RankedTensorType>(result.getType()).isDynamicDim(0);
    Extent extent = outputRows.contains(result) ? Extent::Outputs : Extent::Tokens;
    return bufferOf(result.getLoc(), BufferKind::Arena, result.getType(), {},
                    hasRows ? plan::ExtentAttr::get(builder.getContext(), extent) : nullptr);
  }

  Value bufferOf(Location loc, BufferKind kind, Type type, FlatSymbolRefAttr symbol = {}, plan::ExtentAttr extent = {}) {
    auto tensor = cast<RankedTensorType>(type);
    return plan::BufferOp::create(builder, loc, MemRefType::get(tensor.getShape(), tensor.getElementType()),
                                  plan::BufferKindAttr::get(builder.getContext(), kind), symbol, IntegerAttr(), extent);
  }

  func::FuncOp function;
  const SymbolTable &symbols;
  lowering::KernelTable &kernels;
  ConstantTable &constants;
  OpBuilder builder;
  llvm::DenseSet<Value> outputRows; // values with one row per output rather than one per token
  DenseMap<Value, Value> buffers;
  DenseMap<Operation *, Value> declared;
  std::map<BufferKind, Value> batch;
};

struct CutKernels : lowering::impl::CutKernelsBase<CutKernels> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto models = module.getOps<plan::ModelOp>();
    auto functions = llvm::to_vector(module.getOps<func::FuncOp>());
    if (models.empty() || functions.empty()) {
      module.emitOpError() << "expected a plan.model and functions with a 'moe.phase'";
      return signalPassFailure();
    }
    plan::ModelOp model = *models.begin();
    convertDeclarations(module);
    SymbolTable symbols(module);
    lowering::KernelTable kernels(symbols, functions.front());
    ConstantTable constants(module, model.getMaxSequence());
    for (func::FuncOp function : functions) {
      plan::ProgramOp program = programFor(function, model);
      if (!program || failed(ProgramWriter(function, program, symbols, kernels, constants).write()))
        return signalPassFailure();
    }
    for (func::FuncOp function : functions)
      function.erase();
  }

  /// An empty program for `function` at the end of the module, or null after an error.
  plan::ProgramOp programFor(func::FuncOp function, plan::ModelOp model) {
    auto phase = function->getAttrOfType<StringAttr>("moe.phase");
    if (!phase || function.isExternal()) {
      function.emitOpError() << "expected a function with a body that is specialised to a phase ('moe.phase')";
      return nullptr;
    }
    // A decode step is a token of each sequence; prefill may ask for the results of several tokens of a sequence.
    int64_t batch = model.getMaxBatch(), tokens = phase == "decode" ? batch : std::max<int64_t>(maxTokens, batch);
    int64_t outputs = std::max(batch, std::min<int64_t>(tokens, 64));
    auto builder = OpBuilder::atBlockEnd(getOperation().getBody());
    auto program = plan::ProgramOp::create(builder, function.getLoc(), phase.getValue(), tokens, batch, std::min(outputs, tokens),
                                           IntegerAttr());
    program.getBody().emplaceBlock();
    return program;
  }
};

} // namespace
