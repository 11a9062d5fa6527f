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
  explicit Clock(unsigned warps) : stamps(warps) {}

  Stamp operator[](unsigned warp) const { return stamps[warp]; }
  void set(unsigned warp, Stamp stamp) { stamps[warp] = stamp; }
  bool empty() const { return stamps.empty(); }
  void clear() { stamps.clear(); }

  void join(const Clock &other) {
    if (stamps.size() < other.stamps.size())
      stamps.resize(other.stamps.size());
    for (size_t warp = 0; warp < other.stamps.size(); ++warp)
      stamps[warp] = std::max(stamps[warp], other.stamps[warp]);
  }

  Stamp oldest() const { return stamps.empty() ? 0 : *std::ranges::min_element(stamps); }
  Stamp newest() const { return stamps.empty() ? 0 : *std::ranges::max_element(stamps); }

private:
  std::vector<Stamp> stamps;
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_CLOCK_H
