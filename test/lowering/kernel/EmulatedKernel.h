// A kernel for GPUs, its text executed by the emulator.
#ifndef MOEC_TEST_LOWERING_KERNEL_EMULATEDKERNEL_H
#define MOEC_TEST_LOWERING_KERNEL_EMULATEDKERNEL_H

#include "CompiledKernel.h"

#include "lowering/GpuCode.h"
#include "runtime/devices/emulator/Module.h"

namespace moec::test {

class EmulatedKernel : public CompiledKernel {
public:
  EmulatedKernel(std::string symbol, lowering::GpuCode code) : symbol(std::move(symbol)), code(std::move(code)) {}

  std::string name() const override { return code.target; }
  size_t alignment() const override { return 256; }
  std::vector<int64_t> cuts() const override { return {}; } // whole models show that threads change no bit
  const runtime::emulator::Counters *counters() const override { return &counted; }
  void run(const KernelLaunch &launch) override;

protected:
  const std::string symbol;
  lowering::GpuCode code;
  uint64_t blocksAtOnce = 1;                          ///< that start, of which the last one then runs first
  uint64_t mostInstructions = ~uint64_t(0);           ///< of a warp
  uint64_t mostReports = 10000;                       ///< after which a run ends
  bool hasReports = false;                            ///< of any run
  std::unique_ptr<runtime::emulator::Module> decoded; ///< the text that ran last, or is to run

private:
  runtime::emulator::Counters counted;
};

/// The one kernel of `plan` for every GPU target, under its symbol; a failure is a failure of the test.
std::vector<std::pair<std::string, lowering::GpuCode>> generateForGpus(mlir::ModuleOp plan, Tiles tiles);

} // namespace moec::test

#endif // MOEC_TEST_LOWERING_KERNEL_EMULATEDKERNEL_H
