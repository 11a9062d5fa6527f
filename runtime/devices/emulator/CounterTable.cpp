// Formats counters.
#include "runtime/devices/emulator/CounterTable.h"

#include <cinttypes>
#include <cstdio>

using namespace moec::runtime::emulator;

static std::string matrixOperations(const Counters &counters) {
  std::string text;
  for (unsigned shape = 0; shape < matrixShapes; ++shape)
    if (counters.matrixOperations[shape])
      text += (text.empty() ? "" : ", ") + std::to_string(counters.matrixOperations[shape]) + " " +
              std::string(nameOfMatrixShape(shape));
  return text;
}

static std::string row(const std::string &name, uint64_t launches, const Counters &c) {
  // Sectors that were moved and not asked for; without rounding a thread's share of a sector counts as asked for.
  double moved = double(c.globalSectorsLoaded) * 32;
  double wasted = moved > 0 && moved > double(c.globalBytesLoaded) ? 1 - double(c.globalBytesLoaded) / moved : 0;
  char numbers[512];
  snprintf(numbers, sizeof numbers,
           " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %.1f %% | %" PRIu64 " | %" PRIu64 " | %" PRIu64
           " | ",
           launches, c.blocks, c.instructions, c.globalBytesLoaded, c.uniqueSectorsLoaded * 32, 100 * wasted, c.globalBytesStored,
           c.bankConflicts, c.barriers);
  return "| " + name + numbers + matrixOperations(c) + " |\n";
}

std::string moec::runtime::emulator::counterTable(const std::vector<KernelCounters> &kernels) {
  std::string table =
      "| kernel | launches | blocks | instructions | bytes loaded | distinct | wasted | bytes stored | bank conflicts | barriers "
      "| matrix products |\n|---|---|---|---|---|---|---|---|---|---|---|\n";
  Counters sum;
  uint64_t launches = 0;
  for (const KernelCounters &kernel : kernels) {
    if (!kernel.launches)
      continue;
    table += row(kernel.kernel, kernel.launches, kernel.counters);
    sum.add(kernel.counters);
    launches += kernel.launches;
  }
  return table + row("all", launches, sum);
}
