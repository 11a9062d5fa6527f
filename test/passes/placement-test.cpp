// Ops that move keep the order of their block known.
#include "passes/Placement.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include "gtest/gtest.h"

using namespace mlir;

namespace {

TEST(Placement, MovingLeavesTheOrderOfOthersKnown) {
  MLIRContext context;
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  Block &block = *module->getBody();
  auto builder = OpBuilder::atBlockEnd(&block);
  ModuleOp first = ModuleOp::create(builder, builder.getUnknownLoc()), second = ModuleOp::create(builder, builder.getUnknownLoc()),
           third = ModuleOp::create(builder, builder.getUnknownLoc());
  block.recomputeOpOrder();

  moec::passes::moveBefore(third, second);
  EXPECT_TRUE(block.isOpOrderValid());
  EXPECT_TRUE(first->isBeforeInBlock(third));
  EXPECT_TRUE(third->isBeforeInBlock(second));
  EXPECT_EQ(third->getNextNode(), second);
}

} // namespace
