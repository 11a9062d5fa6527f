// Joins the launches of programs that mostly wait for them.
#include "lowering/nvptx/launches/ChainLaunches.h"

#include "dialects/moe/MoE.h"
#include "lowering/kernel/KernelArguments.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>

using namespace mlir;
using namespace moec;
using namespace moec::lowering;
using namespace moec::lowering::nvptx;

/// The driver takes 4 KiB of arguments.
static constexpr size_t mostArguments = 512;

/// Whether `kernel` attends, or chooses what is attended to: what it reads grows with the context, and its registers leave no room
/// for other kernels' addresses.
static bool attends(plan::KernelOp kernel) {
  return llvm::any_of(kernel.getBody().front(), [](Operation &op) {
    return isa<moe::AttentionOp, moe::LatentAttentionOp, moe::AbsorbedAttentionOp, moe::SelectPositionsOp>(op);
  });
}

namespace {
struct Candidate {
  plan::KernelOp kernel;
  size_t place; ///< in the code's shapes
};

class ProgramChainer {
public:
  ProgramChainer(GpuCode &code, const Machine &machine, std::map<std::vector<size_t>, size_t> &known, int64_t mostRows)
      : code(code), launchBytes(int64_t(machine.launchMicroseconds * machine.memoryBandwidth)), known(known), mostRows(mostRows) {}

  std::vector<ChainedLaunches> chain(ArrayRef<Candidate> launches) {
    for (const auto &[index, launch] : llvm::enumerate(launches)) {
      if (!joins(launch))
        close(index);
      open.push_back(launch);
      arguments += KernelArguments::countBuffers(launch.kernel) + 1;
    }
    close(launches.size());
    return std::move(chained);
  }

private:
  bool joins(Candidate launch) {
    if (open.empty())
      return false;
    int64_t bytes = launch.kernel.getBytesPerRow();
    StringRef why = attends(launch.kernel) || attends(open.back().kernel)                              ? "attention stays alone"
                    : bytes >= launchBytes                                                             ? "moves more"
                    : llvm::any_of(open, [&](const Candidate &c) { return c.place == launch.place; })  ? "begins the next layer"
                    : code.shapes[launch.place].threads != code.shapes[open.back().place].threads      ? "has other blocks"
                    : arguments + KernelArguments::countBuffers(launch.kernel) + 1 + 2 > mostArguments ? "has too many arguments"
                                                                                                       : "";
    auto label = remark::RemarkOpts::name("chain-launches").category("chain-launches").function(launch.kernel.getSymName());
    (why.empty() ? remark::passed(launch.kernel.getLoc(), label) : remark::missed(launch.kernel.getLoc(), label))
        << llvm::formatv("{0}: {1} KB beside {2} KB of a launch: {3}", code.target, bytes / 1024, launchBytes / 1024,
                         why.empty() ? "joins" : why)
               .str();
    return why.empty();
  }

  /// Ends the open chain before launch `end`; one launch alone is none.
  void close(size_t end) {
    if (open.size() > 1) {
      std::vector<size_t> kernels;
      for (const Candidate &launch : open)
        kernels.push_back(launch.place);
      auto [entry, isNew] = known.try_emplace(kernels, code.chains.size());
      if (isNew)
        code.chains.push_back({"chain_" + std::to_string(code.chains.size()), kernels});
      int64_t &most = code.chains[entry->second].mostRows;
      most = std::max(most, mostRows);
      chained.push_back({end - open.size(), entry->second});
    }
    open.clear();
    arguments = 0;
  }

  GpuCode &code;
  const int64_t launchBytes; ///< that memory moves while a launch drains, starts and fills the device again
  std::map<std::vector<size_t>, size_t> &known;
  const int64_t mostRows; ///< tokens of a step, which outputs and sequences are no more than
  std::vector<ChainedLaunches> chained;
  std::vector<Candidate> open;
  size_t arguments = 0; ///< of the open chain
};
} // namespace

void moec::lowering::nvptx::chainLaunches(ModuleOp plan, const Machine &machine, GpuCode &code) {
  llvm::DenseMap<StringAttr, Candidate> kernels;
  for (auto kernel : plan.getOps<plan::KernelOp>())
    kernels.try_emplace(kernel.getSymNameAttr(), Candidate{kernel, kernels.size()});
  std::map<std::vector<size_t>, size_t> known;
  for (auto program : plan.getOps<plan::ProgramOp>()) {
    std::vector<ChainedLaunches> &chained = code.programs.emplace_back();
    if (program.getMaxTokens() != program.getMaxSequences())
      continue;
    SmallVector<Candidate> launches;
    for (auto launch : program.getBody().getOps<plan::LaunchOp>())
      launches.push_back(kernels.at(launch.getKernelAttr().getAttr()));
    chained = ProgramChainer(code, machine, known, program.getMaxTokens()).chain(launches);
  }
}
