// Kernels for the host's own processor, called in the test's process.
#include "CompiledKernel.h"

#include "lowering/x86/CodeGenerator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <set>
#include <sstream>
#include <sys/mman.h>
#include <unistd.h>

using namespace moec;
using namespace moec::test;

namespace {

bool hostHas(const std::vector<std::string> &features) {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::string line, word;
  while (std::getline(cpuinfo, line))
    if (line.rfind("flags", 0) == 0)
      break;
  std::istringstream words(line);
  std::set<std::string> flags;
  while (words >> word)
    flags.insert(word);
  return llvm::all_of(features, [&](const std::string &feature) { return flags.count(feature); });
}

class ProcessorKernel : public CompiledKernel {
public:
  ProcessorKernel(plan::KernelOp kernel, lowering::CodeVariant variant) : kernel(kernel), variant(std::move(variant)) {}

  std::string name() const override { return variant.isa; }
  size_t alignment() const override { return 1; }

  void run(const KernelLaunch &launch) override {
    int file = memfd_create("kernels", 0);
    EXPECT_EQ(write(file, variant.sharedObject.data(), variant.sharedObject.size()), ssize_t(variant.sharedObject.size()));
    void *library = dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
    close(file);
    if (!library) {
      ADD_FAILURE() << dlerror();
      return;
    }
    auto function = reinterpret_cast<runtime::KernelFunction>(dlsym(library, kernel.getSymName().str().c_str()));
    int64_t units[] = {1, launch.numbers.tokens, launch.numbers.outputs, launch.numbers.sequences};
    int64_t items = kernel.getItemsPerUnit() * units[int(kernel.getExtent())];
    for (int64_t piece = 0; piece < launch.pieces; ++piece) {
      std::unique_ptr<char, decltype(&free)> scratch(static_cast<char *>(aligned_alloc(64, kernel.getScratchBytes() + 64)), free);
      std::memset(scratch.get(), 0xff, kernel.getScratchBytes());
      function(launch.buffers.data(), &launch.numbers, scratch.get(), items * piece / launch.pieces,
               items * (piece + 1) / launch.pieces);
    }
    dlclose(library);
  }

private:
  plan::KernelOp kernel;
  lowering::CodeVariant variant;
};

} // namespace

std::vector<std::unique_ptr<CompiledKernel>> moec::test::compileForProcessor(mlir::ModuleOp plan) {
  std::vector<std::unique_ptr<CompiledKernel>> compiled;
  auto variants = lowering::x86::generateCode(plan);
  if (failed(variants)) {
    ADD_FAILURE() << "expected a kernel that compiles for the processor";
    return compiled;
  }
  plan::KernelOp kernel = *plan.getOps<plan::KernelOp>().begin();
  for (lowering::CodeVariant &variant : *variants)
    if (hostHas(variant.features))
      compiled.push_back(std::make_unique<ProcessorKernel>(kernel, std::move(variant)));
  return compiled;
}
