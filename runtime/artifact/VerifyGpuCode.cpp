// That what a manifest says of GPU code agrees with the rest of it, and that every launch of it is within what GPUs can launch.
#include "runtime/artifact/Artifact.h"
#include "runtime/artifact/Bounds.h"

#include <algorithm>
#include <set>

using namespace moec::runtime;
using namespace moec::artifact;

namespace {
constexpr uint32_t warp = 32, maxThreads = 1024;
/// No GPU has more shared memory for one block.
constexpr uint32_t maxSharedBytes = 256 << 10;
constexpr uint64_t maxGrid[] = {(uint64_t(1) << 31) - 1, 65535, 65535};
constexpr uint32_t maxTargets = 64, maxGpuNameBytes = 64;
/// Of a launch: the driver takes 4 KiB of them.
constexpr uint32_t maxArguments = 512;

/// The programs that launch each kernel.
using Launchers = std::map<uint32_t, std::vector<const Program *>>;

class GpuChecker {
public:
  GpuChecker(const Manifest &manifest, const std::string &path, const GpuCode &code, const Launchers &launchers)
      : manifest(manifest), where(path + ": section 'manifest': GPU code '" + code.target()->str() + "'"), code(code),
        launchers(launchers) {}

  Status check() {
    MOEC_RETURN_IF_ERROR(checkSection("", code.section()));
    std::set<std::string_view> chips;
    if (code.cubins())
      for (const Cubin *cubin : *code.cubins()) {
        if (cubin->chip()->size() > maxGpuNameBytes)
          return refuse(": a chip's name of " + std::to_string(cubin->chip()->size()) + " bytes");
        std::string name = ", chip '" + cubin->chip()->str() + "'";
        if (!chips.insert(cubin->chip()->string_view()).second)
          return refuse(name + " occurs twice");
        MOEC_RETURN_IF_ERROR(checkSection(name, cubin->section()));
        uint32_t entries = code.kernels()->size() + (code.chains() ? code.chains()->size() : 0);
        if (cubin->kernels() && cubin->kernels()->size() != entries)
          return refuse(name + ": expected records of " + std::to_string(entries) + " kernels, got " +
                        std::to_string(cubin->kernels()->size()));
      }
    std::set<uint32_t> listed;
    for (const GpuKernel *kernel : *code.kernels()) {
      if (kernel->kernel() >= manifest.kernels()->size())
        return refuse(": no kernel " + std::to_string(kernel->kernel()));
      if (!listed.insert(kernel->kernel()).second)
        return refuse(": kernel '" + symbolOf(kernel->kernel()) + "' occurs twice");
      MOEC_RETURN_IF_ERROR(checkKernel(*kernel));
    }
    for (const auto &[kernel, programs] : launchers)
      if (!listed.count(kernel))
        return refuse(": program '" + programs.front()->name()->str() + "' launches kernel '" + symbolOf(kernel) +
                      "', which it does not have");
    return checkChains();
  }

private:
  Status refuse(const std::string &why) const { return Status::invalidData(where + why); }
  std::string symbolOf(uint32_t kernel) const { return manifest.kernels()->Get(kernel)->symbol()->str(); }

  Status checkSection(const std::string &name, uint32_t section) const {
    return section < manifest.sections()->size() ? Status() : refuse(name + ": no section " + std::to_string(section));
  }

  Status checkKernel(const GpuKernel &kernel) const {
    auto refuse = [&](const std::string &why) { return this->refuse(", kernel '" + symbolOf(kernel.kernel()) + "': " + why); };
    if (kernel.threads() == 0 || kernel.threads() > maxThreads || kernel.threads() % warp)
      return refuse("expected a block of 32, 64, ... 1024 threads, got " + std::to_string(kernel.threads()));
    if (kernel.shared_bytes() > maxSharedBytes)
      return refuse(std::to_string(kernel.shared_bytes()) + " bytes of shared memory");
    uint32_t dimensions = kernel.grid()->size();
    if (dimensions < 1 || dimensions > std::size(maxGrid))
      return refuse("expected a grid of 1 to 3 dimensions, got " + std::to_string(dimensions));
    auto isSound = [](const LaunchDimension *dimension) { return dimension->extent() <= Extent::MAX && dimension->divisor() != 0; };
    if (!std::ranges::all_of(*kernel.grid(), isSound) || (kernel.workspace() && !isSound(kernel.workspace())))
      return refuse("unknown extent, or a division by zero");
    // The smallest workspace is the addend: a step may have none of the units that the rest grows with.
    if (kernel.counter_bytes() > (kernel.workspace() ? kernel.workspace()->addend() : 0))
      return refuse("expected counters of at most the workspace's addend, got " + std::to_string(kernel.counter_bytes()) +
                    " bytes");
    auto launching = launchers.find(kernel.kernel());
    if (launching == launchers.end())
      return {};
    for (const Program *program : launching->second) {
      StepNumbers most = largestStep(*program);
      for (uint32_t i = 0; i < dimensions; ++i)
        if (std::optional<uint64_t> blocks = valueOf(*kernel.grid()->Get(i), most); !blocks || *blocks > maxGrid[i])
          return refuse("dimension " + std::to_string(i) + " of the grid exceeds " + std::to_string(maxGrid[i]) + " in program '" +
                        program->name()->str() + "'");
      if (kernel.workspace() && !valueOf(*kernel.workspace(), most))
        return refuse("workspace out of range in program '" + program->name()->str() + "'");
    }
    return {};
  }

  Status checkChains() const {
    uint32_t chains = code.chains() ? code.chains()->size() : 0;
    // Chains may share their lists, so that what they take is bounded by what they can be for.
    uint64_t kernelsLeft = 0;
    for (const Program *program : *manifest.programs())
      kernelsLeft += program->launches()->size();
    for (uint32_t i = 0; i < chains; ++i) {
      const GpuChain &chain = *code.chains()->Get(i);
      if (chain.kernels()->size() > kernelsLeft)
        return refuse(": its chains have more kernels than programs have launches");
      kernelsLeft -= chain.kernels()->size();
      if (chain.symbol()->size() > maxGpuNameBytes)
        return refuse(": a chain's name of " + std::to_string(chain.symbol()->size()) + " bytes");
      auto refuse = [&](const std::string &why) { return this->refuse(", chain '" + chain.symbol()->str() + "': " + why); };
      if (chain.kernels()->size() < 2 || chain.kernels()->size() > maxArguments)
        return refuse("expected 2 to " + std::to_string(maxArguments) + " kernels, got " + std::to_string(chain.kernels()->size()));
      for (uint32_t place : *chain.kernels()) {
        if (place >= code.kernels()->size())
          return refuse("no kernel " + std::to_string(place));
        if (code.kernels()->Get(place)->threads() != code.kernels()->Get(chain.kernels()->Get(0))->threads())
          return refuse("its kernels differ in threads");
      }
    }
    if (!code.programs())
      return {};
    if (code.programs()->size() != manifest.programs()->size())
      return refuse(": expected chains of " + std::to_string(manifest.programs()->size()) + " programs, got " +
                    std::to_string(code.programs()->size()));
    for (uint32_t i = 0; i < code.programs()->size(); ++i)
      MOEC_RETURN_IF_ERROR(checkChained(*code.programs()->Get(i)->chained(), *manifest.programs()->Get(i), chains));
    return {};
  }

  /// That the chained launches of `program` are in order and of the chains' kernels.
  Status checkChained(const flatbuffers::Vector<const ChainedLaunches *> &all, const Program &program, uint32_t chains) const {
    auto refuse = [&](const std::string &why) { return this->refuse(", program '" + program.name()->str() + "': " + why); };
    if (reinterpret_cast<uintptr_t>(all.Data()) % alignof(ChainedLaunches))
      return refuse("its chained launches are off their alignment");
    const auto &launches = *program.launches();
    uint64_t next = 0;
    for (const ChainedLaunches *chained : all) {
      if (chained->chain() >= chains)
        return refuse("no chain " + std::to_string(chained->chain()));
      const auto &kernels = *code.chains()->Get(chained->chain())->kernels();
      if (chained->first() < next || uint64_t(chained->first()) + kernels.size() > launches.size())
        return refuse("chained launches out of order or out of range");
      uint64_t arguments = 2;
      for (uint32_t i = 0; i < kernels.size(); ++i) {
        const Launch &launch = *launches.Get(chained->first() + i);
        if (launch.kernel() != code.kernels()->Get(kernels.Get(i))->kernel())
          return refuse("launch " + std::to_string(chained->first() + i) + " is not of the chain's kernel");
        arguments += launch.buffers()->size() + 1;
      }
      if (arguments > maxArguments)
        return refuse("a chain of " + std::to_string(arguments) + " arguments, expected at most " + std::to_string(maxArguments));
      next = uint64_t(chained->first()) + kernels.size();
    }
    return {};
  }

  const Manifest &manifest;
  const std::string where;
  const GpuCode &code;
  const Launchers &launchers;
};
} // namespace

Status moec::runtime::verifyGpuCode(const Manifest &manifest, const std::string &path) {
  if (!manifest.gpu_code())
    return {};
  auto refuse = [&](const std::string &why) { return Status::invalidData(path + ": section 'manifest': " + why); };
  if (manifest.gpu_code()->size() > maxTargets)
    return refuse("code for " + std::to_string(manifest.gpu_code()->size()) + " GPU targets, expected at most " +
                  std::to_string(maxTargets));
  Launchers launchers = runtime::launchers(manifest);
  std::set<std::string_view> targets;
  for (const GpuCode *code : *manifest.gpu_code()) {
    if (code->target()->size() > maxGpuNameBytes)
      return refuse("a GPU target's name of " + std::to_string(code->target()->size()) + " bytes");
    if (!targets.insert(code->target()->string_view()).second)
      return refuse("GPU code '" + code->target()->str() + "' occurs twice");
    MOEC_RETURN_IF_ERROR(GpuChecker(manifest, path, *code, launchers).check());
  }
  return {};
}
