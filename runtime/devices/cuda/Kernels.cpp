// The kernels of an artifact's GPU code, loaded into a context.
#include "runtime/devices/cuda/Kernels.h"

#include <charconv>

using namespace moec::runtime;
using namespace moec::runtime::cuda;
using namespace moec::artifact;

Result<Gpu> Gpu::find(const Driver &driver, int ordinal) {
  int count = 0, device = 0, major = 0, minor = 0, shared = 0;
  MOEC_RETURN_IF_ERROR(driver.deviceGetCount(&count));
  if (ordinal < 0 || ordinal >= count)
    return Status::invalidArgument("expected the number of one of this machine's " + std::to_string(count) + " GPUs, got " +
                                   std::to_string(ordinal) + "; nvidia-smi lists them");
  MOEC_RETURN_IF_ERROR(driver.deviceGet(&device, ordinal));
  char name[256] = {};
  MOEC_RETURN_IF_ERROR(driver.deviceGetName(name, sizeof name - 1, device));
  MOEC_RETURN_IF_ERROR(driver.deviceGetAttribute(&major, capabilityMajor, device));
  MOEC_RETURN_IF_ERROR(driver.deviceGetAttribute(&minor, capabilityMinor, device));
  MOEC_RETURN_IF_ERROR(driver.deviceGetAttribute(&shared, maxSharedBytesPerBlock, device));
  return Gpu{device, name, uint32_t(10 * major + minor), uint32_t(shared)};
}

const Cubin *moec::runtime::cuda::cubinFor(const GpuCode &code, uint32_t capability) {
  const Cubin *best = nullptr;
  uint32_t bestCapability = 0;
  if (!code.cubins())
    return nullptr;
  for (const Cubin *cubin : *code.cubins()) {
    std::string_view chip = cubin->chip()->string_view();
    if (!chip.starts_with("sm_"))
      continue;
    uint32_t built = 0;
    auto [end, error] = std::from_chars(chip.data() + 3, chip.data() + chip.size(), built);
    if (error != std::errc())
      continue;
    // A suffix, as in sm_90a, binds the code to exactly this chip.
    bool exact = end != chip.data() + chip.size();
    if (built / 10 != capability / 10 || built > capability || (exact && built != capability) || built < bestCapability)
      continue;
    best = cubin;
    bestCapability = built;
  }
  return best;
}

Status Kernels::load(const Artifact &artifact, const GpuCode &code, const Gpu &gpu) {
  MOEC_RETURN_IF_ERROR(loadModule(artifact, code, gpu));
  for (const GpuKernel *kernel : *code.kernels()) {
    const char *symbol = artifact.manifest().kernels()->Get(kernel->kernel())->symbol()->c_str();
    if (Status status = prepare(*kernel, symbol, gpu); !status.ok())
      return {status.code(), artifact.path() + ": kernel '" + symbol + "': " + status.message()};
  }
  return {};
}

/// Code that was assembled for another chip than it says, or is damaged, is no loss where there is PTX.
Status Kernels::loadModule(const Artifact &artifact, const GpuCode &code, const Gpu &gpu) {
  loaded = code.target()->str();
  std::string instead;
  if (const Cubin *cubin = cubinFor(code, gpu.capability)) {
    std::string chip = cubin->chip()->str();
    Status status = loadSection(artifact, cubin->section());
    if (status.ok()) {
      loaded += " for " + chip;
      return {};
    }
    instead = ", as its code for " + chip + " does not load: " + status.message();
  }
  MOEC_RETURN_IF_ERROR(loadSection(artifact, code.section()));
  loaded += " from PTX" + instead;
  return {};
}

Status Kernels::loadSection(const Artifact &artifact, uint32_t index) {
  const Section &section = *artifact.manifest().sections()->Get(index);
  std::span<const std::byte> bytes = artifact.section(section);
  // The driver reads PTX up to a zero, which the section does not have.
  std::string image(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  std::string log(8192, '\0');
  int options[] = {errorLog, errorLogBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size() - 1)};
  Status status = acquire(module, driver.moduleLoad, driver.moduleUnload, image.c_str(), 2, options, values);
  if (status.ok())
    return status;
  log.resize(log.find('\0'));
  while (log.ends_with('\n'))
    log.pop_back();
  return {status.code(), artifact.path() + ": section '" + section.name()->str() + "': " + status.message() +
                             (log.empty() ? "" : "\nthe driver's compiler says: " + log)};
}

Status Kernels::prepare(const GpuKernel &kernel, const char *symbol, const Gpu &gpu) {
  Function function{};
  MOEC_RETURN_IF_ERROR(driver.moduleGetFunction(&function, module.get(), symbol));
  int mostThreads = 0;
  MOEC_RETURN_IF_ERROR(driver.functionGetAttribute(&mostThreads, maxThreadsPerBlock, function));
  if (kernel.threads() > uint32_t(mostThreads))
    return Status::unavailable("needs blocks of " + std::to_string(kernel.threads()) + " threads, " + gpu.name + " runs it with " +
                               std::to_string(mostThreads) + " at most");
  if (kernel.shared_bytes() > gpu.maxSharedBytes)
    return Status::unavailable("needs " + std::to_string(kernel.shared_bytes()) + " bytes of shared memory, " + gpu.name + " has " +
                               std::to_string(gpu.maxSharedBytes) + " for a block; compile for another target");
  if (kernel.shared_bytes())
    MOEC_RETURN_IF_ERROR(driver.functionSetAttribute(function, maxDynamicSharedBytes, int(kernel.shared_bytes())));
  functions.push_back(function);
  return {};
}
