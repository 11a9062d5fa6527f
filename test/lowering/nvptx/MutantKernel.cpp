// Gives a kernel's checks the kernel and mutants of it, whose failures are taken for what they are.
#include "MutantKernel.h"

#include "../kernel/EmulatedKernel.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <set>

using namespace moec;
using namespace moec::test;

MutantChoice moec::test::mutantChoice;

std::vector<Verdict> &moec::test::verdicts() {
  static std::vector<Verdict> all;
  return all;
}

namespace {
/// Whether checks fail, which is then no failure of the test.
bool fail(llvm::function_ref<void()> checks) {
  testing::TestPartResultArray results;
  testing::ScopedFakeTestPartResultReporter interception(testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD,
                                                         &results);
  checks();
  for (int k = 0; k < results.size(); ++k)
    if (results.GetTestPartResult(k).failed())
      return true;
  return false;
}

/// Whose checks run blocks one after the other, or several at once, those first that wait for others.
class OriginalKernel : public EmulatedKernel {
public:
  using EmulatedKernel::EmulatedKernel;

  void check(llvm::function_ref<void()> checks) override {
    blocksAtOnce = blocksAtOnce == 1 ? 1024 : 1;
    checks();
  }
};

class MutantKernel : public OriginalKernel {
public:
  MutantKernel(const std::string &symbol, const lowering::GpuCode &code, Mutation mutation,
               std::unique_ptr<runtime::emulator::Module> mutant)
      : OriginalKernel(symbol, code), mutation(std::move(mutation)), original(code.text), text(mutant->text) {
    decoded = std::move(mutant);
    mostInstructions = 2'000'000; // several times what any of the tests needs
    mostReports = 1;
  }
  ~MutantKernel() override {
    if (!wasChecked)
      return;
    const testing::TestInfo &test = *testing::UnitTest::GetInstance()->current_test_info();
    Verdict::Outcome outcome = isCaught    ? isCaughtByReport ? Verdict::reported : Verdict::wrongNumbers
                               : isReached ? Verdict::survived
                                           : Verdict::notReached;
    verdicts().push_back({outcome, std::string(test.test_suite_name()) + "." + test.name(), code.target, mutation});
  }

  /// Only races would make a difference, which are reported however blocks are dealt out.
  std::vector<int64_t> cuts() const override { return {}; }

  void check(llvm::function_ref<void()> checks) override {
    wasChecked = true;
    if (isCaught)
      return;
    OriginalKernel::check([&] {
      code.text = text;
      hasReports = false;
      isCaught = fail(checks);
      isCaughtByReport = hasReports;
      if (!isCaught && !isReached) {
        code.text = trapped(original, mutation);
        isReached = fail(checks);
      }
    });
  }

private:
  const Mutation mutation;
  const std::string original, text;
  bool wasChecked = false, isCaught = false, isCaughtByReport = false, isReached = false;
};

} // namespace

std::vector<std::unique_ptr<CompiledKernel>> moec::test::compileKernel(mlir::ModuleOp plan, Tiles tiles) {
  static std::set<std::string> known; // targets and kernels may share their code
  std::vector<std::unique_ptr<CompiledKernel>> mutants;
  for (const auto &[symbol, code] : generateForGpus(plan, tiles)) {
    mutants.push_back(std::make_unique<OriginalKernel>(symbol, code));
    if (!known.insert(code.text).second)
      continue;
    for (Mutation &mutation : chooseMutations(code.text, mutantChoice.share.value_or(mutantChoice.usualShare), mutantChoice.seed))
      if (auto mutant = runtime::emulator::parseModule(mutated(code.text, mutation), "mutant"); mutant.ok()) // if it is still PTX
        mutants.push_back(std::make_unique<MutantKernel>(symbol, code, std::move(mutation), std::move(*mutant)));
  }
  return mutants;
}
