// Evaluating token ids step by step, and the report of what comes out.
#include "passes/evaluator/Generation.h"
#include "passes/evaluator/Npy.h"
#include "passes/evaluator/Report.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace moec;

namespace {

/// The logits are the mean of the embedded rows so far, so that a step which forgets the past shows. Weights are random.
const char *model = R"(
  moe.cache @rows : tensor<?x3xf32>
  moe.weight @table : tensor<8x3xf32> = [#moe.slice<"table" in "m" at 0 rows 8>]
  func.func @step(%ids: tensor<?xi32>, %batch: !moe.batch) -> (tensor<?x3xf32> {moe.output = "logits"}, tensor<?x3xf32>) {
    %table = moe.get_weight @table : tensor<8x3xf32>
    %x = moe.embed %ids, %table : tensor<8x3xf32> -> tensor<?x3xf32>
    moe.append %x to @rows at %batch : tensor<?x3xf32>
    %zero = arith.subf %x, %x : tensor<?x3xf32>
    %mean = moe.attention %zero over @rows, @rows at %batch {head_dim = 3 : i64, scale = 1.0 : f64} : tensor<?x3xf32> -> tensor<?x3xf32>
    return %mean, %x : tensor<?x3xf32>, tensor<?x3xf32>
  })";

class Generation : public testing::Test {
protected:
  Generation() {
    context.loadDialect<moe::MoEDialect, func::FuncDialect, arith::ArithDialect>();
    handler.emplace(&context, [this](Diagnostic &diagnostic) { message += diagnostic.str(); });
  }

  OwningOpRef<ModuleOp> parse(StringRef text) { return parseSourceString<ModuleOp>(text, &context); }

  /// What is said when `text` cannot be evaluated.
  std::string refusal(StringRef text, StringRef function = "", size_t prefill = 0) {
    OwningOpRef<ModuleOp> module = parse(text);
    message.clear();
    EXPECT_TRUE(failed(evaluator::evaluateIds(*module, {1, 2}, prefill, weights, function)));
    return message;
  }

  /// Runs the report on three ids.
  LogicalResult report(StringRef text, StringRef logitsFile = "", StringRef routingFile = "") {
    OwningOpRef<ModuleOp> module = parse(text);
    message.clear();
    printed.clear();
    evaluator::ReportOptions options;
    options.ids = {3, 1, 3};
    options.logitsFile = logitsFile;
    options.routingFile = routingFile;
    llvm::raw_string_ostream stream(printed);
    PassManager manager(&context);
    manager.addPass(evaluator::createReport(std::move(options), stream));
    return manager.run(*module);
  }

  MLIRContext context{MLIRContext::Threading::DISABLED};
  std::optional<ScopedDiagnosticHandler> handler;
  std::string message, printed;
  evaluator::Weights weights{{}};
};

/// However the ids are cut into steps, a row of results for each comes out, and the same.
TEST_F(Generation, StepsAddUp) {
  OwningOpRef<ModuleOp> module = parse(model);
  auto whole = evaluator::evaluateIds(*module, {3, 1, 4, 1, 5}, 0, weights);
  ASSERT_TRUE(succeeded(whole)) << message;
  ASSERT_EQ(whole->size(), 2u);
  const evaluator::Tensor &rows = whole->at("result.1"), &means = whole->at("logits");
  ASSERT_EQ(means.rows(), 5);
  for (int64_t i = 0; i < 3; ++i)
    EXPECT_NEAR(means.row(2)[i], (rows.row(0)[i] + rows.row(1)[i] + rows.row(2)[i]) / 3, 1e-12);
  for (size_t prefill : {1, 3, 5, 9}) {
    auto cut = evaluator::evaluateIds(*module, {3, 1, 4, 1, 5}, prefill, weights);
    ASSERT_TRUE(succeeded(cut)) << message;
    EXPECT_LE(evaluator::normalizedError(cut->at("logits"), means), 1e-24) << prefill;
    EXPECT_EQ(cut->at("result.1").elements, rows.elements) << prefill;
  }
}

/// The first step runs the function of the phase prefill, every other one that of decode.
TEST_F(Generation, PhasesHaveFunctions) {
  OwningOpRef<ModuleOp> module = parse(R"(
    func.func @a(%batch: !moe.batch) -> tensor<1xf32> attributes {moe.phase = "decode"} {
      %r = arith.constant dense<1.0> : tensor<1xf32>
      return %r : tensor<1xf32>
    }
    func.func @b(%batch: !moe.batch) -> tensor<1xf32> attributes {moe.phase = "prefill"} {
      %r = arith.constant dense<2.0> : tensor<1xf32>
      return %r : tensor<1xf32>
    })");
  auto outputs = evaluator::evaluateIds(*module, {5, 6, 7, 8}, 2, weights);
  ASSERT_TRUE(succeeded(outputs)) << message;
  EXPECT_EQ(outputs->at("result.0").elements, (std::vector<double>{2, 1, 1}));
  outputs = evaluator::evaluateIds(*module, {5, 6, 7, 8}, 2, weights, "a");
  ASSERT_TRUE(succeeded(outputs)) << message;
  EXPECT_EQ(outputs->at("result.0").elements, (std::vector<double>{1, 1, 1}));
}

TEST_F(Generation, RefusesModulesWithoutTheFunction) {
  EXPECT_EQ(refusal(model, "stop"), "expected a function 'stop' in the module");
  EXPECT_EQ(refusal("module {}"), "expected one function with moe.phase = \"prefill\" or one function in all, got 0 of 0; name the "
                                  "one to evaluate");
  EXPECT_EQ(refusal("func.func @f(%x: tensor<?x2xf32>) { return }"),
            "expected only token ids and the batch as arguments of a step, got 'tensor<?x2xf32>'");
}

const char *twoLayers = R"(
  func.func @step(%ids: tensor<?xi32>) -> (tensor<3x2xi32> {moe.output = "routing.10"}, tensor<3x2xi32> {moe.output = "routing.9"}) {
    %a = arith.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi32>
    %b = arith.constant dense<[[10, 20], [30, 40], [50, 60]]> : tensor<3x2xi32>
    return %a, %b : tensor<3x2xi32>, tensor<3x2xi32>
  })";

TEST_F(Generation, ReportPrintsRows) {
  ASSERT_TRUE(succeeded(report(twoLayers))) << message;
  EXPECT_EQ(printed, "routing.10[0]: 1 2\nrouting.10[1]: 3 4\nrouting.10[2]: 5 6\n"
                     "routing.9[0]: 10 20\nrouting.9[1]: 30 40\nrouting.9[2]: 50 60\n");
}

/// Experts are stacked as [tokens, layers, k], layers by number: 9 before 10.
TEST_F(Generation, ReportWritesRoutingByLayer) {
  llvm::SmallString<128> path;
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("moec-routing", "npy", path));
  llvm::FileRemover remover(path);
  ASSERT_TRUE(succeeded(report(twoLayers, "", path))) << message;
  auto file = llvm::MemoryBuffer::getFile(path);
  ASSERT_TRUE(bool(file));
  StringRef bytes = (*file)->getBuffer();
  EXPECT_NE(bytes.find("'descr': '<i4', 'fortran_order': False, 'shape': (3,2,2,)"), StringRef::npos);
  const int32_t expected[] = {10, 20, 1, 2, 30, 40, 3, 4, 50, 60, 5, 6};
  EXPECT_EQ(bytes.take_back(sizeof expected), StringRef(reinterpret_cast<const char *>(expected), sizeof expected));
}

TEST_F(Generation, ReportRefusesWhatIsNotThere) {
  EXPECT_TRUE(failed(report(twoLayers, "unused.npy")));
  EXPECT_EQ(message, "expected an output named 'logits', got none");
  EXPECT_TRUE(failed(report(model, "", "unused.npy")));
  EXPECT_EQ(message, "expected outputs named 'routing.LAYER', got none");
  EXPECT_TRUE(failed(report(model, "/nowhere/logits.npy")));
  EXPECT_EQ(message.find("cannot write /nowhere/logits.npy: "), 0u) << message;
}

} // namespace
