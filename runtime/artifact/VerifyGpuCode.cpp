// That what a manifest says of GPU code agrees with the rest of it, and that every launch of it is within what GPUs can launch.
#include "runtime/artifact/Artifact.h"
#include "runtime/artifact/Bounds.h"

#include <set>

using namespace moec::runtime;
using namespace moec::artifact;

namespace {
constexpr uint32_t warp = 32, maxThreads = 1024;
/// No GPU has more shared memory for one block.
constexpr uint32_t maxSharedBytes = 256 << 10;
constexpr uint64_t maxGrid[] = {(uint64_t(1) << 31) - 1, 65535, 65535};

class GpuChecker {
public:
  GpuChecker(const Manifest &manifest, const std::string &path, const GpuCode &code)
      : manifest(manifest), where(path + ": section 'manifest': GPU code '" + code.target()->str() + "'"), code(code) {}

  Status check() {
    MOEC_RETURN_IF_ERROR(checkSection("", code.section()));
    std::set<std::string_view> chips;
    if (code.cubins())
      for (const Cubin *cubin : *code.cubins()) {
        std::string name = ", chip '" + cubin->chip()->str() + "'";
        if (!chips.insert(cubin->chip()->string_view()).second)
          return refuse(name + " occurs twice");
        MOEC_RETURN_IF_ERROR(checkSection(name, cubin->section()));
        if (cubin->kernels() && cubin->kernels()->size() != code.kernels()->size())
          return refuse(name + ": expected records of " + std::to_string(code.kernels()->size()) + " kernels, got " +
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
    for (const Program *program : *manifest.programs())
      for (const Launch *launch : *program->launches())
        if (!listed.count(launch->kernel()))
          return refuse(": program '" + program->name()->str() + "' launches kernel '" + symbolOf(launch->kernel()) +
                        "', which it does not have");
    return {};
  }

private:
  Status refuse(const std::string &why) const { return Status::invalidData(where + why); }
  std::string symbolOf(uint32_t kernel) const { return manifest.kernels()->Get(kernel)->symbol()->str(); }

  Status checkSection(const std::string &name, uint32_t section) const {
    return section < manifest.sections()->size() ? Status() : refuse(name + ": no section " + std::to_string(section));
  }

  Status checkKernel(const GpuKernel &kernel) const {
    std::string name = ", kernel '" + symbolOf(kernel.kernel()) + "'";
    if (kernel.threads() == 0 || kernel.threads() > maxThreads || kernel.threads() % warp)
      return refuse(name + ": expected a block of 32, 64, ... 1024 threads, got " + std::to_string(kernel.threads()));
    if (kernel.shared_bytes() > maxSharedBytes)
      return refuse(name + ": " + std::to_string(kernel.shared_bytes()) + " bytes of shared memory");
    size_t dimensions = kernel.grid()->size();
    if (dimensions < 1 || dimensions > std::size(maxGrid))
      return refuse(name + ": expected a grid of 1 to 3 dimensions, got " + std::to_string(dimensions));
    for (const LaunchDimension *dimension : *kernel.grid())
      MOEC_RETURN_IF_ERROR(checkDimension(name, *dimension));
    if (kernel.workspace())
      MOEC_RETURN_IF_ERROR(checkDimension(name, *kernel.workspace()));
    // The smallest workspace is the addend: a step may have none of the units that the rest grows with.
    if (kernel.counter_bytes() > (kernel.workspace() ? kernel.workspace()->addend() : 0))
      return refuse(name + ": expected counters of at most the workspace's addend, got " + std::to_string(kernel.counter_bytes()) +
                    " bytes");
    for (const Program *program : *manifest.programs())
      if (launches(*program, kernel.kernel()))
        MOEC_RETURN_IF_ERROR(checkLargest(name, kernel, *program));
    return {};
  }

  Status checkDimension(const std::string &name, const LaunchDimension &dimension) const {
    return dimension.extent() <= Extent::MAX && dimension.divisor() != 0 ? Status()
                                                                         : refuse(name + ": unknown extent, or a division by zero");
  }

  static bool launches(const Program &program, uint32_t kernel) {
    for (const Launch *launch : *program.launches())
      if (launch->kernel() == kernel)
        return true;
    return false;
  }

  /// The largest step's grid and workspace.
  Status checkLargest(const std::string &name, const GpuKernel &kernel, const Program &program) const {
    for (uint32_t i = 0; i < kernel.grid()->size(); ++i)
      if (std::optional<uint64_t> most = largest(*kernel.grid()->Get(i), program); !most || *most > maxGrid[i])
        return refuse(name + ": dimension " + std::to_string(i) + " of the grid exceeds " + std::to_string(maxGrid[i]) +
                      " in program '" + program.name()->str() + "'");
    if (kernel.workspace() && !largest(*kernel.workspace(), program))
      return refuse(name + ": workspace out of range in program '" + program.name()->str() + "'");
    return {};
  }

  const Manifest &manifest;
  const std::string where;
  const GpuCode &code;
};
} // namespace

Status moec::runtime::verifyGpuCode(const Manifest &manifest, const std::string &path) {
  if (!manifest.gpu_code())
    return {};
  std::set<std::string_view> targets;
  for (const GpuCode *code : *manifest.gpu_code()) {
    if (!targets.insert(code->target()->string_view()).second)
      return Status::invalidData(path + ": section 'manifest': GPU code '" + code->target()->str() + "' occurs twice");
    MOEC_RETURN_IF_ERROR(GpuChecker(manifest, path, *code).check());
  }
  return {};
}
