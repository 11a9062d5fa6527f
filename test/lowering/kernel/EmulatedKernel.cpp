// Kernels for GPUs, their text executed by the emulator.
#include "EmulatedKernel.h"

#include "lowering/nvptx/CodeGenerator.h"
#include "runtime/devices/emulator/Emulator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

using namespace moec;
using namespace moec::runtime;
using namespace moec::test;

namespace {

uint64_t sizeOf(const lowering::LaunchDimension &dimension, const StepNumbers &numbers) {
  int64_t units[] = {1, numbers.tokens, numbers.outputs, numbers.sequences};
  int64_t count = units[int(dimension.extent)];
  return uint64_t(dimension.addend + dimension.factor * ((count + dimension.divisor - 1) / dimension.divisor));
}

} // namespace

void EmulatedKernel::run(const KernelLaunch &launch) {
  emulator::Emulator emulator({.threads = int(launch.pieces),
                               .blocksAtOnce = blocksAtOnce,
                               .mostInstructions = mostInstructions,
                               .mostReports = mostReports});
  if (!decoded || decoded->text != code.text) {
    Result<std::unique_ptr<emulator::Module>> result = emulator::parseModule(code.text, code.section);
    if (!result.ok()) {
      ADD_FAILURE() << result.status().message();
      return;
    }
    decoded = std::move(*result);
  }
  const lowering::LaunchShape &shape = code.shapes.front();
  std::vector<char> memory(sizeOf(shape.workspace, launch.numbers) + 2 * alignment());
  std::span<char> workspace(memory.data() + (-uintptr_t(memory.data()) & (alignment() - 1)), memory.size() - alignment());
  StepNumbers numbers = launch.numbers;
  auto add = [&](void *address, size_t bytes, emulator::Contents contents) {
    if (bytes) {
      Status status = emulator.memory().add(address, bytes, contents);
      EXPECT_TRUE(status.ok()) << status.message();
    }
  };
  using enum emulator::Contents;
  constexpr emulator::Contents contents[] = {readOnly, written, fresh}; // by Region::Use
  for (const Region &region : launch.regions)
    add(region.address, region.bytes, contents[region.use]);
  add(workspace.data(), workspace.size(), fresh);
  add(&numbers, sizeof numbers, readOnly);
  for (const auto &variable : decoded->variables)
    add(variable->data, variable->bytes, variable->readOnly ? readOnly : written);
  emulator.memory().markWritten(workspace.data(), uint64_t(shape.counterBytes));

  std::vector<void *> parameters = launch.buffers;
  parameters.push_back(workspace.data());
  parameters.push_back(&numbers);
  uint32_t grid[3] = {1, 1, 1};
  for (auto [i, dimension] : llvm::enumerate(shape.grid))
    grid[i] = uint32_t(sizeOf(dimension, launch.numbers));
  if (!grid[0] || !grid[1] || !grid[2])
    return;
  counted = {};
  Status status = emulator.launch(*decoded, symbol,
                                  {.grid = {grid[0], grid[1], grid[2]},
                                   .block = {uint32_t(shape.threads), 1, 1},
                                   .dynamicSharedBytes = uint32_t(shape.sharedBytes),
                                   .parameters = std::as_bytes(std::span(parameters))},
                                  &counted);
  EXPECT_TRUE(status.ok()) << code.target << ": " << status.message();
  hasReports |= !status.ok();
  EXPECT_TRUE(std::all_of(workspace.begin(), workspace.begin() + shape.counterBytes, [](char byte) { return byte == 0; }))
      << code.target << ": counters are left other than zero";
}

std::vector<std::pair<std::string, lowering::GpuCode>> moec::test::generateForGpus(mlir::ModuleOp plan, Tiles tiles) {
  std::vector<lowering::nvptx::Target> its(lowering::nvptx::allTargets());
  std::vector<const lowering::nvptx::Target *> targets;
  for (lowering::nvptx::Target &target : its) {
    if (tiles == Tiles::early)
      target.machine.cacheBandwidth = 1; // tiles ask it for less
    targets.push_back(&target);
  }
  std::vector<std::pair<std::string, lowering::GpuCode>> generated;
  auto codes = lowering::nvptx::generateCode(plan, targets);
  if (failed(codes)) {
    ADD_FAILURE() << "expected a kernel that compiles for GPUs";
    return generated;
  }
  std::string symbol = (*plan.getOps<plan::KernelOp>().begin()).getSymName().str();
  for (lowering::GpuCode &code : *codes)
    generated.emplace_back(symbol, std::move(code));
  return generated;
}
