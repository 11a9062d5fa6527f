// The pass checker catches passes that change what a module means, and says where.
#include "dialects/moe/MoE.h"
#include "passes/evaluator/PassChecker.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"

#include "gtest/gtest.h"

#include <functional>

using namespace mlir;
using namespace moec;

namespace {

using Change = std::function<void(ModuleOp)>;

/// A pass "change" that does to a module what a test wants.
struct ChangePass : PassWrapper<ChangePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ChangePass)

  explicit ChangePass(Change change) : change(std::move(change)) {}
  StringRef getArgument() const override { return "change"; }
  void runOnOperation() override { change(getOperation()); }

  Change change;
};

/// A residual block of a decoder: a norm, its projection into the cache, the sum.
const char *block = R"(
  moe.cache @c : tensor<?x4xf32>
  moe.weight @norm : tensor<4xf32> = [#moe.slice<"norm" in "m" at 0 rows 4>]
  moe.weight @w : tensor<4x4xf32> = [#moe.slice<"w" in "m" at 16 rows 4>]
  func.func @step(%x: tensor<?x4xf32>, %batch: !moe.batch) -> tensor<?x4xf32> {
    %norm = moe.get_weight @norm : tensor<4xf32>
    %w = moe.get_weight @w : tensor<4x4xf32>
    %n = moe.rms_norm %x, %norm {epsilon = 1.0e-6 : f64} : tensor<?x4xf32>, tensor<4xf32>
    %p = moe.linear %n, %w : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
    moe.append %p to @c at %batch : tensor<?x4xf32>
    %s = arith.addf %x, %p : tensor<?x4xf32>
    return %s : tensor<?x4xf32>
  })";

/// What the checker says when `change` is made to the block; empty when it is content.
std::string verdict(const Change &change, llvm::StringSet<> skip = {}, const Change &next = nullptr) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<moe::MoEDialect, func::FuncDialect, arith::ArithDialect>();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(block, &context);
  std::string message;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) { message += diagnostic.str(); });
  PassManager manager(&context);
  bool failed = false;
  evaluator::CheckOptions options;
  options.skip = std::move(skip);
  manager.addInstrumentation(evaluator::createPassChecker(std::move(options), failed));
  manager.addPass(std::make_unique<ChangePass>(change));
  if (next)
    manager.addPass(std::make_unique<ChangePass>(next));
  EXPECT_TRUE(succeeded(manager.run(*module))) << message;
  EXPECT_EQ(failed, !message.empty());
  return message;
}

template <typename OpT> OpT only(ModuleOp module) {
  OpT found;
  module.walk([&](OpT op) { found = op; });
  return found;
}

void setEpsilon(ModuleOp module, double epsilon) {
  only<moe::RMSNormOp>(module).setEpsilonAttr(Builder(module.getContext()).getF64FloatAttr(epsilon));
}

TEST(PassChecker, ContentWithTheSameMeaning) {
  EXPECT_EQ(verdict([](ModuleOp) {}), "");
  EXPECT_EQ(verdict([](ModuleOp module) { setEpsilon(module, 1.0000001e-6); }), ""); // within the tolerance
  EXPECT_EQ(verdict([](ModuleOp module) {                                            // x + p as p + x
              auto sum = only<arith::AddFOp>(module);
              sum->setOperands({sum.getRhs(), sum.getLhs()});
            }),
            "");
}

/// The first op that differs, though all after it differ too.
TEST(PassChecker, NamesTheFirstOpThatDiffers) {
  std::string message = verdict([](ModuleOp module) { setEpsilon(module, 1); });
  EXPECT_EQ(message.find("pass 'change' changed what function 'step' computes: 'moe.rms_norm' is the first op that differs"), 0u)
      << message;
  EXPECT_NE(message.find("in result 0 of a ragged step"), std::string::npos) << message;
}

TEST(PassChecker, SeesResults) {
  std::string message = verdict([](ModuleOp module) {
    auto sum = only<arith::AddFOp>(module);
    sum.replaceAllUsesWith(sum.getRhs());
  });
  EXPECT_NE(message.find("in result 0 of a ragged step"), std::string::npos) << message;
}

/// A write that is lost, or of another value, shows in the cache alone.
TEST(PassChecker, SeesCaches) {
  std::string message = verdict([](ModuleOp module) { only<moe::AppendOp>(module).erase(); });
  EXPECT_NE(message.find("in cache 'c' of a ragged step"), std::string::npos) << message;
  message = verdict([](ModuleOp module) {
    only<moe::AppendOp>(module).getValuesMutable().assign(ValueRange(only<func::FuncOp>(module).getArgument(0)));
  });
  EXPECT_NE(message.find("in cache 'c' of a ragged step"), std::string::npos) << message;
}

/// Functions made for a phase are compared with the one they were made of, each on steps of its phase.
TEST(PassChecker, ComparesPhasesWithWhatTheyWereMadeOf) {
  auto specialize = [](double decodeEpsilon) {
    return [=](ModuleOp module) {
      Builder builder(module.getContext());
      auto prefill = only<func::FuncOp>(module);
      auto decode = cast<func::FuncOp>(OpBuilder(prefill).clone(*prefill));
      decode.setName("decode");
      decode->setAttr("moe.phase", builder.getStringAttr("decode"));
      prefill.setName("prefill");
      prefill->setAttr("moe.phase", builder.getStringAttr("prefill"));
      decode.walk([&](moe::RMSNormOp norm) { norm.setEpsilonAttr(builder.getF64FloatAttr(decodeEpsilon)); });
    };
  };
  EXPECT_EQ(verdict(specialize(1e-6)), "");
  std::string message = verdict(specialize(1));
  EXPECT_EQ(message.find("pass 'change' changed what function 'decode' computes"), 0u) << message;
  EXPECT_NE(message.find("of a decode step"), std::string::npos) << message;
}

/// What a skipped pass leaves is what the next one has to keep.
TEST(PassChecker, SkippedPassesSetTheMeasure) {
  EXPECT_EQ(verdict([](ModuleOp module) { setEpsilon(module, 1); }, {{"change"}}), "");
  EXPECT_EQ(verdict([](ModuleOp module) { setEpsilon(module, 1); }, {{"change"}}, [](ModuleOp) {}), "");
}

TEST(PassChecker, RefusesWhatItCannotCompare) {
  EXPECT_EQ(verdict([](ModuleOp module) { only<func::FuncOp>(module).setPrivate(); }),
            "pass 'change' left nothing to compare with function 'step'");
  std::string message = verdict([](ModuleOp module) {
    auto copy = cast<func::FuncOp>(only<func::FuncOp>(module)->clone());
    copy.setName("another");
    module.push_back(copy);
  });
  EXPECT_EQ(message, "pass 'change' made function 'another', which there is nothing to compare with");
  message = verdict([](ModuleOp module) { // an op that the evaluator does not know
    auto sum = only<arith::AddFOp>(module);
    OpBuilder builder(sum);
    sum.replaceAllUsesWith(UnrealizedConversionCastOp::create(builder, sum.getLoc(), sum.getType(), sum.getLhs()).getResult(0));
  });
  EXPECT_NE(message.find("cannot evaluate function 'step' after pass 'change'"), std::string::npos) << message;
}

} // namespace
