// All memory that a GPU needs to run an artifact, known before any of it is allocated.
#include "runtime/devices/gpu/MemoryPlan.h"

#include "runtime/artifact/Bounds.h"

#include <algorithm>
#include <map>

using namespace moec::runtime;
using namespace moec::runtime::gpu;
using moec::artifact::Cache;
using moec::artifact::GpuCode;
using moec::artifact::GpuKernel;
using moec::artifact::Manifest;
using moec::artifact::Model;
using moec::artifact::Program;
using moec::artifact::Weight;
using moec::artifact::WeightRun;

namespace {
uint64_t aligned(uint64_t bytes) { return (bytes + memoryAlignment - 1) / memoryAlignment * memoryAlignment; }

const char *nameOf(Purpose purpose) {
  switch (purpose) {
  case Purpose::weights:
    return "weights";
  case Purpose::tables:
    return "tables of weights";
  case Purpose::constants:
    return "constants";
  case Purpose::cache:
    return "caches";
  case Purpose::arena:
    return "activations";
  case Purpose::step:
    return "inputs";
  case Purpose::arrivals:
    return "counters";
  case Purpose::workspace:
    return "workspace";
  }
  return "";
}

/// Two digits of what matters, in a unit that people read.
std::string inWords(uint64_t bytes) {
  const char *units[] = {"bytes", "KiB", "MiB", "GiB"};
  size_t unit = 0;
  uint64_t tenths = bytes * 10;
  for (; tenths >= 10240 && unit < 3; ++unit)
    tenths /= 1024;
  std::string text = std::to_string(tenths / 10);
  if (unit && tenths < 1000)
    text += "." + std::to_string(tenths % 10);
  return text + " " + units[unit];
}

class Planner {
public:
  Planner(const Artifact &artifact, const GpuCode &code) : artifact(artifact), manifest(artifact.manifest()), code(code) {}

  Result<MemoryPlan> plan(uint64_t pages) {
    placeWeights();
    if (std::optional<std::span<const std::byte>> constants = artifact.section("constants"))
      add(Purpose::constants, constants->size());
    for (const Cache *cache : *manifest.caches()) {
      std::optional<uint64_t> bytes = bytesOf(*cache, *manifest.model(), pages);
      if (!bytes)
        return Status::resourceExhausted("caches of " + std::to_string(pages) + " pages are too large" + remedy);
      add(Purpose::cache, *bytes);
    }
    const Model &model = *manifest.model();
    uint64_t arenaBytes = 0, stepBytes = 0;
    for (const Program *program : *manifest.programs()) {
      arenaBytes = std::max(arenaBytes, program->arena_bytes());
      stepBytes = std::max(stepBytes, plan_.steps.emplace_back(*program, pagesFor(model, model.max_sequence())).bytes());
    }
    add(Purpose::arena, arenaBytes);
    add(Purpose::step, stepBytes);
    add(Purpose::arrivals, code.chains() && code.chains()->size() ? sizeof(uint32_t) : 0);
    planWorkspaces();
    uint64_t total = 0;
    for (const Region &region : plan_.regions)
      if (region.bytes > maxBytes || (total += aligned(region.bytes)) > maxBytes)
        return Status::resourceExhausted("the model needs more than " + inWords(maxBytes) + remedy);
    return std::move(plan_);
  }

private:
  static constexpr const char *remedy = "; compile with a smaller --max-sequence or --max-batch";

  size_t add(Purpose purpose, uint64_t bytes) {
    if (size_t &first = plan_.firstOf[size_t(purpose)]; plan_.regions.empty() || plan_.regions[first].purpose != purpose)
      first = plan_.regions.size();
    plan_.regions.push_back({purpose, bytes});
    return plan_.regions.size() - 1;
  }

  /// Weights of several programs share their parts, so each is placed once.
  void placeWeights() {
    std::map<std::pair<const void *, uint64_t>, uint32_t> known;
    uint64_t end = 0, entries = 0;
    for (uint32_t i = 0; i < manifest.weights()->size(); ++i) {
      const Weight &weight = *manifest.weights()->Get(i);
      std::vector<uint32_t> &parts = plan_.weightParts.emplace_back();
      plan_.tableOffsets.push_back(entries * sizeof(uint64_t));
      std::span<const void *const> sources = artifact.partsOf(i);
      entries += (sources.size() + 1) / 2 * 2; // what kernels are given begins at multiples of 16 bytes
      for (const WeightRun *run : *weight.runs()) {
        for (const void *source : sources.first(run->times())) {
          auto [entry, isNew] = known.try_emplace({source, run->bytes()}, uint32_t(plan_.parts.size()));
          if (isNew) {
            plan_.parts.push_back({static_cast<const std::byte *>(source), run->bytes(), end});
            end = aligned(end + run->bytes());
          }
          parts.push_back(entry->second);
        }
        sources = sources.subspan(run->times());
      }
    }
    add(Purpose::weights, end);
    add(Purpose::tables, entries * sizeof(uint64_t));
  }

  /// Launches run one after the other, so that kernels can share; but nobody else may write where a kernel left counters at zero.
  void planWorkspaces() {
    std::map<uint32_t, std::vector<const Program *>> programsOf = launchers(manifest);
    uint64_t shared = 0;
    std::vector<uint32_t> sharing;
    for (uint32_t i = 0; i < code.kernels()->size(); ++i) {
      const GpuKernel &kernel = *code.kernels()->Get(i);
      plan_.workspaces.push_back(-1);
      uint64_t bytes = 0;
      if (kernel.workspace())
        for (const Program *program : programsOf[kernel.kernel()])
          bytes = std::max(bytes, valueOf(*kernel.workspace(), largestStep(*program)).value_or(0));
      if (bytes == 0)
        continue;
      if (kernel.counter_bytes()) {
        plan_.workspaces.back() = int64_t(add(Purpose::workspace, bytes));
      } else {
        shared = std::max(shared, bytes);
        sharing.push_back(i);
      }
    }
    if (sharing.empty())
      return;
    int64_t region = int64_t(add(Purpose::workspace, shared));
    for (uint32_t kernel : sharing)
      plan_.workspaces[kernel] = region;
  }

  const Artifact &artifact;
  const Manifest &manifest;
  const GpuCode &code;
  MemoryPlan plan_;
};
} // namespace

Result<MemoryPlan> MemoryPlan::create(const Artifact &artifact, const GpuCode &code, uint64_t pages) {
  return Planner(artifact, code).plan(pages);
}

uint64_t MemoryPlan::total() const {
  uint64_t bytes = 0;
  for (const Region &region : regions)
    bytes += aligned(region.bytes);
  return bytes;
}

std::string MemoryPlan::describe() const {
  std::map<Purpose, uint64_t> bytes;
  for (const Region &region : regions)
    bytes[region.purpose] += region.bytes;
  std::vector<std::pair<uint64_t, Purpose>> largestFirst;
  for (auto [purpose, size] : bytes)
    if (size)
      largestFirst.emplace_back(size, purpose);
  std::ranges::sort(largestFirst, std::greater());
  std::string text;
  for (auto [size, purpose] : largestFirst)
    text += (text.empty() ? "" : ", ") + std::string(nameOf(purpose)) + " " + inWords(size);
  return text;
}

uint64_t MemoryPlan::addressOfWorkspace(size_t kernel) const {
  return workspaces[kernel] < 0 ? 0 : regions[size_t(workspaces[kernel])].address;
}

std::vector<uint64_t> MemoryPlan::tables() const {
  uint64_t weights = only(Purpose::weights).address;
  std::vector<uint64_t> entries(only(Purpose::tables).bytes / sizeof(uint64_t));
  for (size_t i = 0; i < weightParts.size(); ++i)
    std::ranges::transform(weightParts[i], entries.begin() + int64_t(tableOffsets[i] / sizeof(uint64_t)),
                           [&](uint32_t part) { return weights + parts[part].offset; });
  return entries;
}
