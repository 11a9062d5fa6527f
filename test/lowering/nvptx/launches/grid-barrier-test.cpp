// Blocks of a grid that meet where they must: what any has stored before is seen after, and meetings that nobody needs are skipped.
#include "lowering/kernel/LowerToLLVM.h"
#include "lowering/nvptx/CodeGenerator.h"
#include "lowering/nvptx/MachineCode.h"
#include "lowering/nvptx/launches/GridBarrier.h"
#include "runtime/devices/emulator/Emulator.h"

#include <gtest/gtest.h>

#include <array>

using namespace moec::lowering;
using namespace moec::lowering::nvptx;
using namespace moec::runtime;

/// Whether all blocks work in a round, or the first one alone.
static constexpr std::array<bool, 8> isForAll = {true, false, false, false, true, true, false, true};

/// In each round number i becomes the sum of all numbers of the round before, i and one. Two rounds of the first block alone need
/// no meeting, and in a grid of one block none does.
static std::string kernelOfRounds(mlir::MLIRContext &context, const Target &target) {
  loadDialects(context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  KernelBuilder b(*module, target);
  b.kernel("rounds", 2, [&](llvm::ArrayRef<mlir::Value> arguments) -> int64_t {
    Pointer numbers = b.pointer(arguments[0], b.i32);
    GridBarrier barrier(b, b.pointer(arguments[1], b.i32));
    Number blocks = b.gridSize(), block = b.block(0), isFirstThread = b.thread() == 0;
    for (size_t round = 0; round < isForAll.size(); ++round) {
      if (round)
        barrier.meet(isForAll[round - 1] || isForAll[round] ? blocks > 1 : blocks < 0);
      Pointer before = numbers + blocks * (int64_t(round) - 1), now = numbers + blocks * int64_t(round);
      auto work = [&](Number i) {
        Number sum = i.toInteger(b.i32) + 1;
        if (round)
          sum = b.forRange(b.integer(0), blocks, 1, {sum}, [&](Number other, llvm::ArrayRef<Number> sums) {
            return KernelBuilder::Numbers{sums[0] + (before + other).load()};
          })[0];
        (now + i).store(sum);
      };
      if (isForAll[round])
        b.ifThen(isFirstThread, [&] { work(block); });
      else
        b.ifThen(isFirstThread & (block == 0), [&] { b.forRange(blocks, work); });
    }
    barrier.leave();
    return 2 * warpSize;
  });
  EXPECT_TRUE(mlir::succeeded(lowerToLLVM(*module)));
  llvm::Expected<std::string> text = compileToText(*module, target);
  EXPECT_TRUE(bool(text));
  return text ? *text : "";
}

static std::vector<int32_t> expectedRounds(size_t blocks) {
  std::vector<int32_t> numbers(blocks * isForAll.size());
  for (size_t round = 0; round < isForAll.size(); ++round)
    for (size_t i = 0; i < blocks; ++i) {
      int32_t &number = numbers[round * blocks + i];
      number = int32_t(i) + 1;
      for (size_t other = 0; round && other < blocks; ++other)
        number += numbers[(round - 1) * blocks + other];
    }
  return numbers;
}

TEST(GridBarrier, SkipsMeetingsThatNobodyNeeds) {
  mlir::MLIRContext context;
  for (const Target &target : allTargets()) {
    std::string text = kernelOfRounds(context, target);
    for (uint32_t blocks : {1, 2, 5})
      for (int threads : {1, 3}) {
        std::vector<int32_t> numbers(blocks * isForAll.size());
        int32_t arrivals = 0;
        emulator::Emulator emulator({.threads = threads, .mostInstructions = 1'000'000});
        Result<const emulator::Module *> module = emulator.load(text, "rounds");
        ASSERT_TRUE(module.ok()) << module.status().message();
        ASSERT_TRUE(emulator.memory().add(numbers.data(), numbers.size() * sizeof(int32_t), emulator::Contents::fresh).ok());
        ASSERT_TRUE(emulator.memory().add(&arrivals, sizeof arrivals, emulator::Contents::written).ok());
        void *parameters[] = {numbers.data(), &arrivals};
        for (int launch = 0; launch < 2; ++launch) { // the second begins with what the first has left
          Status status = emulator.launch(**module, "rounds",
                                          {.grid = {blocks, 1, 1},
                                           .block = {uint32_t(2 * warpSize), 1, 1},
                                           .parameters = std::as_bytes(std::span(parameters)),
                                           .cooperative = true});
          ASSERT_TRUE(status.ok()) << target.name.str() << ", " << blocks << " blocks: " << status.message();
          EXPECT_EQ(numbers, expectedRounds(blocks)) << target.name.str() << ", " << blocks << " blocks";
          EXPECT_EQ(arrivals, 0);
        }
      }
  }
}
