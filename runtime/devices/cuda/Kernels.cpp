// The kernels of an artifact's GPU code, loaded into a context.
#include "runtime/devices/cuda/Kernels.h"

#include <algorithm>
#include <charconv>

using namespace moec::runtime;
using namespace moec::runtime::cuda;
using moec::artifact::Cubin;
using moec::artifact::GpuCode;
using moec::artifact::Section;

Result<Gpu> Gpu::find(const Driver &driver, int ordinal) {
  int count = 0, device = 0, major = 0, minor = 0, shared = 0, processors = 0, cooperative = 0;
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
  MOEC_RETURN_IF_ERROR(driver.deviceGetAttribute(&processors, multiprocessorCount, device));
  MOEC_RETURN_IF_ERROR(driver.deviceGetAttribute(&cooperative, cooperativeLaunch, device));
  return Gpu{device, name, uint32_t(10 * major + minor), uint32_t(shared), uint32_t(processors), cooperative != 0};
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
  for (const gpu::Entry &entry : gpu::entriesOf(artifact.manifest(), code))
    if (Status status = prepare(entry, gpu); !status.ok())
      return {status.code(), artifact.path() + ": kernel '" + entry.symbol + "': " + status.message()};
  return {};
}

bool Kernels::canChain() const {
  return std::ranges::all_of(entries, [](const LoadedEntry &loaded) { return !loaded.entry.isChain || loaded.residentBlocks > 0; });
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

Status Kernels::prepare(const gpu::Entry &entry, const Gpu &gpu) {
  Function function{};
  MOEC_RETURN_IF_ERROR(driver.moduleGetFunction(&function, module.get(), entry.symbol));
  int mostThreads = 0;
  MOEC_RETURN_IF_ERROR(driver.functionGetAttribute(&mostThreads, maxThreadsPerBlock, function));
  if (entry.threads > uint32_t(mostThreads))
    return Status::unavailable("needs blocks of " + std::to_string(entry.threads) + " threads, " + gpu.name + " runs it with " +
                               std::to_string(mostThreads) + " at most");
  if (entry.sharedBytes > gpu.maxSharedBytes)
    return Status::unavailable("needs " + std::to_string(entry.sharedBytes) + " bytes of shared memory, " + gpu.name + " has " +
                               std::to_string(gpu.maxSharedBytes) + " for a block; compile for another target");
  if (entry.sharedBytes)
    MOEC_RETURN_IF_ERROR(driver.functionSetAttribute(function, maxDynamicSharedBytes, int(entry.sharedBytes)));
  int ofMultiprocessor = 0;
  if (entry.isChain && gpu.isCooperative)
    MOEC_RETURN_IF_ERROR(driver.blocksOfMultiprocessor(&ofMultiprocessor, function, int(entry.threads), entry.sharedBytes));
  entries.push_back({entry, function, uint64_t(ofMultiprocessor) * gpu.multiprocessors});
  return {};
}
