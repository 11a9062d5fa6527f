// The entries of GPU code and their grids.
#include "runtime/devices/gpu/Entries.h"

#include "runtime/artifact/Bounds.h"

#include <algorithm>

using namespace moec::runtime;
using namespace moec::runtime::gpu;
using moec::artifact::GpuChain;
using moec::artifact::GpuCode;
using moec::artifact::GpuKernel;
using moec::artifact::Manifest;

static Grid gridOf(const GpuKernel &kernel, const StepNumbers &numbers) {
  Grid grid{1, 1, 1};
  for (uint32_t i = 0; i < kernel.grid()->size(); ++i)
    grid[i] = uint32_t(*valueOf(*kernel.grid()->Get(i), numbers));
  return grid;
}

std::optional<Grid> Entry::gridOf(const GpuCode &code, const StepNumbers &numbers, uint64_t residentBlocks) const {
  Grid grid{};
  uint64_t most = 0;
  for (uint32_t kernel : kernels) {
    grid = ::gridOf(*code.kernels()->Get(kernel), numbers);
    most = std::max(most, uint64_t(grid[0]) * grid[1] * grid[2]);
  }
  if (most == 0)
    return std::nullopt;
  return isChain ? Grid{uint32_t(std::min(most, residentBlocks)), 1, 1} : grid;
}

std::vector<Entry> moec::runtime::gpu::entriesOf(const Manifest &manifest, const GpuCode &code) {
  std::vector<Entry> entries;
  for (uint32_t i = 0; i < code.kernels()->size(); ++i) {
    const GpuKernel &kernel = *code.kernels()->Get(i);
    entries.push_back(
        {manifest.kernels()->Get(kernel.kernel())->symbol()->c_str(), {i}, false, kernel.threads(), kernel.shared_bytes()});
  }
  if (code.chains())
    for (const GpuChain *chain : *code.chains()) {
      Entry &entry = entries.emplace_back(Entry{chain->symbol()->c_str(), {}, true, 0, 0});
      for (uint32_t place : *chain->kernels()) {
        const GpuKernel &kernel = *code.kernels()->Get(place);
        entry.kernels.push_back(place);
        entry.threads = kernel.threads();
        entry.sharedBytes = std::max(entry.sharedBytes, kernel.shared_bytes());
      }
    }
  return entries;
}
