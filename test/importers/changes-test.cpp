// One key of a config or one tensor changed on purpose: other numbers or a refusal that names it, never silently the same.
#include "importers/Importer.h"
#include "passes/evaluator/Generation.h"
#include "passes/evaluator/Weights.h"
#include "test/importers/Golden.h"
#include "test/importers/ModelCopy.h"
#include "test/importers/TemporaryFolder.h"

#include "mlir/IR/MLIRContext.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

using namespace moec;
using namespace moec::test;

namespace {

const std::string checkpoints = MOEC_TEST_DATA "/fixtures/checkpoints/";

/// A line of changes.tsv: checkpoint, change, outcome.
struct Case {
  std::string checkpoint, change, outcome;
};

std::vector<Case> cases() {
  std::vector<Case> found;
  std::ifstream file(MOEC_TEST_DATA "/importers/changes.tsv");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    Case one;
    if (line.empty() || line[0] == '#')
      continue;
    std::getline(fields, one.checkpoint, '\t');
    std::getline(fields, one.change, '\t');
    std::getline(fields, one.outcome, '\t');
    EXPECT_FALSE(one.outcome.empty()) << line;
    found.push_back(one);
  }
  return found;
}

/// Whether the model gives other numbers than the unchanged one, or none (NaN), or why it is refused. Numbers are others from a
/// distance on that is 10^5 times what the evaluator is allowed.
std::string outcomeOf(const std::string &folder, const Golden &golden) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> module = importers::importModel(folder, context);
  if (!module)
    return llvm::toString(module.takeError());
  std::vector<int64_t> prompt = *golden.prompt(2);
  std::vector<int32_t> ids(prompt.begin(), prompt.end());
  evaluator::Weights weights({.source = evaluator::WeightOptions::Source::Files});
  mlir::FailureOr<evaluator::Outputs> outputs = evaluator::evaluateIds(**module, ids, /*prefill=*/0, weights, "step");
  if (mlir::failed(outputs))
    return "the evaluator failed";
  std::vector<double> expected = golden.exactLogits(2);
  for (const auto &[name, tensor] : *outputs) {
    if (name != "logits")
      continue;
    if (std::ranges::any_of(tensor.elements, [](double logit) { return std::isnan(logit); }))
      return "no numbers";
    return distance({tensor.elements.begin(), tensor.elements.end()}, expected) > 1e-5 * largest(expected) ? "other numbers"
                                                                                                           : "the same numbers";
  }
  return "no logits";
}

TEST(Changes, HaveTheirOutcome) {
  const TemporaryFolder temporary;
  std::string folder = temporary.path() / "model";
  std::map<std::string, int> ofFamily;
  for (const Case &one : cases()) {
    SCOPED_TRACE(one.checkpoint + ": " + one.change);
    ModelCopy copy(checkpoints + one.checkpoint);
    ASSERT_TRUE(copy.change(one.change));
    copy.write(folder);
    std::string outcome = outcomeOf(folder, Golden(checkpoints + one.checkpoint));
    EXPECT_NE(outcome.find(one.outcome), std::string::npos) << "got " << outcome;
    ++ofFamily[one.checkpoint.substr(0, one.checkpoint.find('/'))];
  }
  for (const auto &entry : std::filesystem::directory_iterator(checkpoints))
    EXPECT_GE(ofFamily[entry.path().filename()], 5) << "expected five changes of " << entry.path().filename();
}

/// A list of groups with -1 in it was never filled: groups are neighbours. So it is with experts that no token reached when the
/// others were quantised.
TEST(Changes, GroupsThatWereNeverAssignedAreNeighbours) {
  const std::string name = checkpoints + "kimi_k2/int4-act-order", matrix = "model.layers.1.mlp.experts.1.up_proj.";
  const TemporaryFolder temporary;
  std::string folder = temporary.path() / "model";
  for (bool isOnly : {true, false}) {
    // The same matrices, whose groups are neighbours, and twice as large: each scale is repeated.
    ModelCopy neighbours(checkpoints + "kimi_k2/int4"), copy(name);
    for (std::string list : copy.names()) {
      if (!list.ends_with("weight_g_idx") || (isOnly && !list.starts_with(matrix)))
        continue;
      std::string stem = list.substr(0, list.size() - 5), scales;
      for (size_t at = 0; at < neighbours.bytes(stem + "scale").size(); at += 2)
        for (int time = 0; time < 2; ++time)
          scales += neighbours.bytes(stem + "scale").substr(at, 2);
      ASSERT_EQ(scales.size(), copy.bytes(stem + "scale").size());
      copy.bytes(stem + "scale") = scales;
      copy.bytes(stem + "packed") = neighbours.bytes(stem + "packed");
      std::ranges::fill(copy.bytes(list), char(0xff));
    }
    copy.write(folder);
    EXPECT_EQ(outcomeOf(folder, Golden(name)), "the same numbers") << isOnly;
    copy.bytes(matrix + "weight_g_idx")[4] = 7;
    copy.bytes(matrix + "weight_g_idx").replace(5, 3, 3, '\0');
    copy.write(folder);
    EXPECT_NE(outcomeOf(folder, Golden(name)).find("weight_g_idx': expected groups below 4, got 7 for column 1"),
              std::string::npos);
  }
}

} // namespace
