// One kernel as a target compiles it, ready to run on the host.
#ifndef MOEC_TEST_LOWERING_KERNEL_COMPILEDKERNEL_H
#define MOEC_TEST_LOWERING_KERNEL_COMPILEDKERNEL_H

#include "dialects/plan/Plan.h"
#include "runtime/devices/emulator/Counters.h"
#include "runtime/kernels/Kernel.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace moec::test {

/// A buffer of a launch, or the part of a weight.
struct Region {
  enum Use { read, changed, result };
  void *address;
  size_t bytes;
  Use use;
};

struct KernelLaunch {
  std::vector<void *> buffers;  ///< as plan.kernel lists them
  std::vector<Region> regions;  ///< all memory that the kernel may touch
  runtime::StepNumbers numbers; ///< of the step
  int64_t pieces = 1;           ///< how work is to be cut up; the result does not depend on it
};

class CompiledKernel {
public:
  virtual ~CompiledKernel() = default;
  virtual std::string name() const = 0;
  /// What addresses of buffers are multiples of, beyond their elements' sizes.
  virtual size_t alignment() const = 0;
  /// Into how many pieces its work is to be cut as well, other than one.
  virtual std::vector<int64_t> cuts() const { return {3, 7}; }
  /// A failure is a failure of the test.
  virtual void run(const KernelLaunch &launch) = 0;
  /// What the last run did, where somebody counts.
  virtual const runtime::emulator::Counters *counters() const { return nullptr; }
  /// Makes checks that run it.
  virtual void check(llvm::function_ref<void()> checks) { checks(); }
};

/// From how many rows on GPUs' matrix units compute products in tiles: as few as possible, which small kernels show all of; or as
/// the cost model says.
enum class Tiles { early, asTheyPay };

/// The one kernel of `plan` as often as a program wants to test it: at every level of this processor and for every GPU target
/// (EveryTarget.cpp), or with mistakes built in (../nvptx/MutantKernel.cpp). A failure is a failure of the test.
std::vector<std::unique_ptr<CompiledKernel>> compileKernel(mlir::ModuleOp plan, Tiles tiles);

/// At every level that this processor has.
std::vector<std::unique_ptr<CompiledKernel>> compileForProcessor(mlir::ModuleOp plan);

} // namespace moec::test

#endif // MOEC_TEST_LOWERING_KERNEL_COMPILEDKERNEL_H
