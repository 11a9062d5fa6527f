// Functions written as text, compiled in this process and run on every level of processor that the host has.
#include "FunctionRun.h"

#include "lowering/artifact/ArtifactWriter.h"
#include "lowering/function/LowerFunctions.h"
#include "lowering/plan/Passes.h"
#include "lowering/x86/CodeGenerator.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/InitAllDialects.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <random>
#include <unistd.h>

using namespace moec;
using namespace moec::test;

namespace {
class OneFile : public lowering::WeightFiles {
public:
  explicit OneFile(const std::string &bytes) : bytes(bytes) {}
  llvm::Expected<uint64_t> sizeOf(llvm::StringRef) override { return bytes.size(); }
  llvm::Error read(llvm::StringRef, uint64_t offset, llvm::MutableArrayRef<char> into) override {
    std::memcpy(into.data(), bytes.data() + offset, into.size());
    return llvm::Error::success();
  }

private:
  const std::string &bytes;
};
} // namespace

std::vector<float> moec::test::randomFloats(int64_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float &value : values)
    value = float(int64_t(generator()) - (int64_t(1) << 31)) * 0x1p-31F;
  return values;
}

CompiledFunctions::CompiledFunctions(const std::string &text, const std::string &weights)
    : folder(testing::TempDir() + "moec-function-" + std::to_string(getpid())) {
  std::filesystem::create_directories(folder);
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  registry.insert<moe::MoEDialect, plan::PlanDialect>();
  mlir::MLIRContext context(registry);
  lowering::loadFunctionDialects(context);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  mlir::PassManager passes(&context);
  lowering::buildPlanFunctions(passes);
  if (!module || failed(passes.run(*module))) {
    ADD_FAILURE() << "expected a module of functions";
    return;
  }
  auto code = lowering::x86::generateCode(*module);
  if (failed(code)) {
    ADD_FAILURE() << "expected functions that compile";
    return;
  }
  lowering::ArtifactContents contents;
  contents.code = std::move(*code);
  OneFile file(weights);
  if (llvm::Error error = lowering::writeArtifact(*module, contents, file, folder + "/function.moec")) {
    ADD_FAILURE() << llvm::toString(std::move(error));
    return;
  }
  auto opened = runtime::Artifact::open(folder + "/function.moec");
  if (opened.ok())
    artifact = std::move(*opened);
  else
    ADD_FAILURE() << opened.status().message();
}

CompiledFunctions::~CompiledFunctions() { std::filesystem::remove_all(folder); }

std::vector<runtime::Result<std::vector<Tensor>>> CompiledFunctions::runEach(const std::vector<Tensor> &inputs) {
  std::vector<runtime::Result<std::vector<Tensor>>> results;
  if (!artifact)
    return results;
  for (const artifact::CodeVariant *variant : *artifact->manifest().code()) {
    auto function = runtime::Function::create(*artifact, "main", {.isa = variant->isa()->str()});
    if (!function.ok() && function.status().code() == runtime::StatusCode::unavailable)
      continue; // the host is of a lower level
    if (!function.ok()) {
      ADD_FAILURE() << function.status().message();
      continue;
    }
    results.push_back((*function)->run(inputs));
  }
  return results;
}

std::vector<std::vector<Tensor>> CompiledFunctions::run(const std::vector<Tensor> &inputs) {
  std::vector<std::vector<Tensor>> outputs;
  for (runtime::Result<std::vector<Tensor>> &result : runEach(inputs))
    if (result.ok())
      outputs.push_back(std::move(*result));
    else
      ADD_FAILURE() << result.status().message();
  EXPECT_FALSE(outputs.empty());
  return outputs;
}

std::string CompiledFunctions::refusal(const std::vector<Tensor> &inputs) {
  std::string message;
  for (const runtime::Result<std::vector<Tensor>> &result : runEach(inputs)) {
    EXPECT_FALSE(result.ok());
    EXPECT_TRUE(message.empty() || message == result.status().message()) << message;
    message = result.status().message();
  }
  return message;
}
