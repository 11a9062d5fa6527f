// Every family's tiny checkpoints, imported and evaluated in f64, give what the reference implementation gives in f64.
#include "importers/Importer.h"
#include "importers/families/Families.h"
#include "passes/evaluator/Generation.h"
#include "passes/evaluator/Weights.h"
#include "test/importers/Golden.h"

#include "mlir/IR/MLIRContext.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

using namespace moec;
using namespace moec::importers;
namespace fs = std::filesystem;

namespace {

/// Experts as sets: their order within a token is the reference's own affair.
std::vector<int32_t> sortedRows(std::vector<int32_t> ids, size_t width) {
  for (size_t row = 0; row + width <= ids.size(); row += width)
    std::sort(ids.begin() + row, ids.begin() + row + width);
  return ids;
}

/// How far from the reference's f64 run logits may be, as a share of the largest: that run takes the scale of queries that grow
/// with their position in f32, and rounds dequantised weights to it.
double tolerance(mlir::ModuleOp module) {
  bool scales = false, rounds = false;
  module.walk([&](moe::RopeOp op) { scales |= op.getPositionScale().has_value(); });
  module.walk([&](moe::ScaleByPositionOp) { scales = true; });
  module.walk([&](moe::DequantizeOp) { rounds = true; });
  return rounds ? 1e-6 : scales ? 1e-7 : 1e-10;
}

void checkPrompt(mlir::ModuleOp module, evaluator::Weights &weights, const test::Golden &golden, const std::string &prompt) {
  std::vector<double> given = golden.get("input_ids/" + prompt).values;
  std::vector<int32_t> ids(given.begin(), given.end());
  mlir::FailureOr<evaluator::Outputs> outputs = evaluator::evaluateIds(module, ids, /*prefill=*/0, weights, "step");
  ASSERT_TRUE(mlir::succeeded(outputs));
  for (const auto &[name, tensor] : *outputs) {
    if (name == "logits") {
      std::vector<double> expected = golden.get("logits_f64/" + prompt).values;
      ASSERT_EQ(tensor.elements.size(), expected.size());
      double error = 0, largest = 0;
      for (size_t i = 0; i < expected.size(); ++i) {
        error = std::max(error, std::abs(tensor.elements[i] - expected[i]));
        largest = std::max(largest, std::abs(expected[i]));
      }
      EXPECT_LE(error, tolerance(module) * largest) << "prompt " << prompt;
    } else {
      std::string layer = name.substr(name.find('.') + 1);
      std::vector<int32_t> chosen(tensor.elements.begin(), tensor.elements.end());
      std::vector<double> reference = golden.get("router_ids/" + prompt + "/" + layer).values;
      std::vector<int32_t> expected(reference.begin(), reference.end());
      EXPECT_EQ(sortedRows(chosen, tensor.width()), sortedRows(expected, tensor.width())) << "prompt " << prompt << ", " << name;
    }
  }
}

TEST(Golden, CheckpointsEvaluateToTheReference) {
  std::set<std::string> seen;
  for (const fs::directory_entry &entry : fs::recursive_directory_iterator(MOEC_TEST_DATA "/fixtures/checkpoints")) {
    if (entry.path().filename() != "golden.safetensors")
      continue;
    fs::path folder = entry.path().parent_path();
    SCOPED_TRACE(folder);
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> module = importModel(folder.string(), context);
    ASSERT_TRUE(bool(module)) << llvm::toString(module.takeError());
    evaluator::Weights weights({.source = evaluator::WeightOptions::Source::Files});
    test::Golden golden(folder.string());
    for (const char *prompt : {"0", "1", "2"})
      checkPrompt(**module, weights, golden, prompt);
    seen.insert(module->get()->getAttrOfType<mlir::StringAttr>("moe.family").str());
  }
  seen.insert({"llama4", "mistral3"}); // wrappers, told by what they wrap
  for (const Family &family : families())
    EXPECT_TRUE(seen.count(family.modelType.str())) << "no checkpoint of " << family.modelType.str();
}

} // namespace
