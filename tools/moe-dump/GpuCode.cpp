// What an artifact's GPU code is and how its kernels are launched, as JSON or as text.
#include "tools/moe-dump/GpuCode.h"

using namespace moec;
using namespace moec::runtime;
using Json = nlohmann::ordered_json;

namespace {
/// "64 + 4 x ceil(tokens / 16)", without what changes nothing.
std::string formula(const artifact::LaunchDimension &dimension) {
  if (dimension.extent() == artifact::Extent::constant || dimension.factor() == 0)
    return std::to_string(dimension.addend() + (dimension.extent() == artifact::Extent::constant ? dimension.factor() : 0));
  std::string text = artifact::EnumNameExtent(dimension.extent());
  if (dimension.divisor() != 1)
    text = "ceil(" + text + " / " + std::to_string(dimension.divisor()) + ")";
  if (dimension.factor() != 1)
    text = std::to_string(dimension.factor()) + " x " + text;
  return dimension.addend() ? std::to_string(dimension.addend()) + " + " + text : text;
}

std::string symbolOf(const artifact::Manifest &manifest, const artifact::GpuKernel &kernel) {
  return manifest.kernels()->Get(kernel.kernel())->symbol()->str();
}

Json describeKernel(const artifact::Manifest &manifest, const artifact::GpuKernel &kernel) {
  Json grid = Json::array();
  for (const artifact::LaunchDimension *dimension : *kernel.grid())
    grid.push_back(formula(*dimension));
  return {{"symbol", symbolOf(manifest, kernel)},
          {"threads", kernel.threads()},
          {"grid", grid},
          {"shared_bytes", kernel.shared_bytes()},
          {"workspace_bytes", kernel.workspace() ? formula(*kernel.workspace()) : "0"},
          {"counter_bytes", kernel.counter_bytes()}};
}

/// Of a kernel, or behind the kernels of a chain.
std::string symbolOf(const artifact::Manifest &manifest, const artifact::GpuCode &code, uint32_t entry) {
  uint32_t kernels = code.kernels()->size();
  return entry < kernels ? symbolOf(manifest, *code.kernels()->Get(entry)) : code.chains()->Get(entry - kernels)->symbol()->str();
}

Json describeChains(const artifact::Manifest &manifest, const artifact::GpuCode &code) {
  Json chains = Json::array();
  for (uint32_t i = 0; code.chains() && i < code.chains()->size(); ++i) {
    Json kernels = Json::array();
    for (uint32_t kernel : *code.chains()->Get(i)->kernels())
      kernels.push_back(symbolOf(manifest, code, kernel));
    chains.push_back({{"symbol", code.chains()->Get(i)->symbol()->str()}, {"kernels", kernels}});
  }
  return chains;
}

/// How many launches a step of each program takes.
Json describeLaunches(const artifact::Manifest &manifest, const artifact::GpuCode &code) {
  Json launches = Json::object();
  for (uint32_t i = 0; i < manifest.programs()->size(); ++i) {
    uint64_t count = manifest.programs()->Get(i)->launches()->size();
    if (code.programs())
      for (const artifact::ChainedLaunches *chained : *code.programs()->Get(i)->chained())
        count -= code.chains()->Get(chained->chain())->kernels()->size() - 1;
    launches[manifest.programs()->Get(i)->name()->str()] = count;
  }
  return launches;
}

Json describeCubin(const artifact::Manifest &manifest, const artifact::GpuCode &code, const artifact::Cubin &cubin) {
  Json kernels = Json::array();
  for (uint32_t i = 0; cubin.kernels() && i < cubin.kernels()->size(); ++i) {
    const artifact::AssembledKernel &kernel = *cubin.kernels()->Get(i);
    kernels.push_back({{"symbol", symbolOf(manifest, code, i)},
                       {"registers", kernel.registers()},
                       {"shared_bytes", kernel.shared_bytes()},
                       {"local_bytes", kernel.local_bytes()},
                       {"spill_store_bytes", kernel.spill_store_bytes()},
                       {"spill_load_bytes", kernel.spill_load_bytes()}});
  }
  const artifact::Section *section = manifest.sections()->Get(cubin.section());
  return {{"chip", cubin.chip()->str()}, {"section", section->name()->str()}, {"bytes", section->length()}, {"kernels", kernels}};
}

} // namespace

Json moec::dump::describeGpuCode(const artifact::Manifest &manifest) {
  Json targets = Json::array();
  if (!manifest.gpu_code())
    return targets;
  for (const artifact::GpuCode *code : *manifest.gpu_code()) {
    Json kernels = Json::array(), cubins = Json::array();
    for (const artifact::GpuKernel *kernel : *code->kernels())
      kernels.push_back(describeKernel(manifest, *kernel));
    if (code->cubins())
      for (const artifact::Cubin *cubin : *code->cubins())
        cubins.push_back(describeCubin(manifest, *code, *cubin));
    const artifact::Section *section = manifest.sections()->Get(code->section());
    targets.push_back({{"target", code->target()->str()},
                       {"section", section->name()->str()},
                       {"bytes", section->length()},
                       {"min_compute_capability", code->min_compute_capability()},
                       {"kernels", kernels},
                       {"chains", describeChains(manifest, *code)},
                       {"launches", describeLaunches(manifest, *code)},
                       {"cubins", cubins}});
  }
  return targets;
}

std::string moec::dump::plain(const Json &value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string moec::dump::gpuCodePage(const Json &targets) {
  std::string text;
  for (const Json &target : targets) {
    uint64_t capability = target["min_compute_capability"].get<uint64_t>();
    text += "\nGPU code " + plain(target["target"]) + ": " + plain(target["bytes"]) + " bytes of PTX, needs compute capability " +
            std::to_string(capability / 10) + "." + std::to_string(capability % 10) + "\n";
    for (const Json &kernel : target["kernels"]) {
      std::string grid;
      for (const Json &dimension : kernel["grid"])
        grid += (grid.empty() ? "" : ", ") + plain(dimension);
      text += "  " + plain(kernel["symbol"]) + ": " + plain(kernel["threads"]) + " threads, grid (" + grid + "), " +
              plain(kernel["shared_bytes"]) + " bytes shared, workspace of " + plain(kernel["workspace_bytes"]) + " bytes\n";
    }
    for (const Json &chain : target["chains"]) {
      std::string kernels;
      for (const Json &kernel : chain["kernels"])
        kernels += (kernels.empty() ? "" : ", ") + plain(kernel);
      text += "  " + plain(chain["symbol"]) + ": " + kernels + " in one launch\n";
    }
    for (const auto &[program, launches] : target["launches"].items())
      text += "  " + program + ": " + plain(launches) + " launches a step\n";
    for (const Json &cubin : target["cubins"]) {
      text += "  for " + plain(cubin["chip"]) + ": " + plain(cubin["bytes"]) + " bytes\n";
      for (const Json &kernel : cubin["kernels"])
        text += "    " + plain(kernel["symbol"]) + ": " + plain(kernel["registers"]) + " registers, " +
                plain(kernel["shared_bytes"]) + " bytes shared, " + plain(kernel["local_bytes"]) + " local, spills " +
                plain(kernel["spill_store_bytes"]) + " stored and " + plain(kernel["spill_load_bytes"]) + " loaded\n";
    }
  }
  return text;
}
