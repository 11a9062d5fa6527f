// Structured ops as functions of their own, which equal ones share.
#include "lowering/function/OutlineLoops.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace {

class LoopOutliner {
public:
  explicit LoopOutliner(ModuleOp module) : module(module) {}

  void outline(linalg::LinalgOp op) {
    llvm::SetVector<Value> used(op->operand_begin(), op->operand_end()), arguments;
    getUsedValuesDefinedAbove(op->getRegions(), used);
    SmallVector<Operation *> constants;
    for (Value value : used)
      if (Operation *definition = value.getDefiningOp(); definition && matchPattern(definition, m_Constant()))
        constants.push_back(definition);
      else
        arguments.insert(value);

    OpBuilder builder(op);
    func::FuncOp function = functionOf(op, arguments.getArrayRef(), constants);
    func::CallOp::create(builder, op.getLoc(), function, arguments.getArrayRef());
    op->erase();
  }

private:
  /// The function that does what `op` does, made at its first use.
  func::FuncOp functionOf(linalg::LinalgOp op, ArrayRef<Value> arguments, ArrayRef<Operation *> constants) {
    auto builder = OpBuilder::atBlockEnd(module.getBody());
    auto type = builder.getFunctionType(ValueRange(arguments).getTypes(), {});
    auto function = func::FuncOp::create(builder, op.getLoc(), "loops", type);
    function.setPrivate();
    Block &body = *function.addEntryBlock();
    builder.setInsertionPointToStart(&body);
    IRMapping mapping;
    mapping.map(arguments, body.getArguments());
    for (Operation *constant : constants)
      builder.clone(*constant, mapping);
    builder.clone(*op, mapping);
    func::ReturnOp::create(builder, op.getLoc());

    std::string text;
    llvm::raw_string_ostream(text) << function;
    auto [known, isNew] = functions.try_emplace(text, function);
    if (isNew)
      function.setSymName(("loops." + Twine(functions.size() - 1)).str());
    else
      function.erase();
    return known->second;
  }

  ModuleOp module;
  llvm::StringMap<func::FuncOp> functions; ///< by their text
};

} // namespace

void moec::lowering::outlineLoops(ModuleOp module) {
  SmallVector<linalg::LinalgOp> ops;
  module.walk([&](linalg::LinalgOp op) {
    bool mayFail = op->walk([](cf::AssertOp) { return WalkResult::interrupt(); }).wasInterrupted();
    if (!mayFail)
      ops.push_back(op);
  });
  LoopOutliner outliner(module);
  for (linalg::LinalgOp op : ops)
    outliner.outline(op);
}
