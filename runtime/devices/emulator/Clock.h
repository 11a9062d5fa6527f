// Which events of one warp of a block are known to have happened before the next one of another: a vector clock a warp.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_CLOCK_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_CLOCK_H

#include <algorithm>
#include <cstdint>
#include <vector>

namespace moec::runtime::emulator {

using Stamp = uint32_t; ///< a warp's own time; it advances when others may learn of what came before

/// For each warp of the block the last stamp whose events are known.
class Clock {
public:
  Clock() = default;
  Clock(unsigned warps, Stamp known) : stamps(warps, known), least(known) {}

  Stamp operator[](unsigned warp) const { return stamps[warp]; }
  void set(unsigned warp, Stamp stamp) {
    stamps[warp] = stamp;
    findLeast();
  }
  void clear() {
    stamps.clear();
    least = 0;
  }

  void join(const Clock &other) {
    if (stamps.size() < other.stamps.size())
      stamps.resize(other.stamps.size());
    for (size_t warp = 0; warp < other.stamps.size(); ++warp)
      stamps[warp] = std::max(stamps[warp], other.stamps[warp]);
    findLeast();
  }

  /// Events up to this stamp are known whosever they are.
  Stamp oldest() const { return least; }
  Stamp newest() const { return stamps.empty() ? 0 : *std::ranges::max_element(stamps); }

private:
  void findLeast() { least = stamps.empty() ? 0 : *std::ranges::min_element(stamps); }

  std::vector<Stamp> stamps;
  Stamp least = 0;
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_CLOCK_H
