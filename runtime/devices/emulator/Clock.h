// Which events of other warps are known to have happened before the next one of a warp: vector clocks.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_CLOCK_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_CLOCK_H

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace moec::runtime::emulator {

using Stamp = uint32_t; ///< a warp's own time, from 1; it advances when others may learn of what came before

/// The last stamps that are known of some warps of the grid, numbered through all blocks, in ascending order of the warps.
/// Sparse, and shared by all who know the same: few kernels let blocks learn of each other, and then of few others, or all the
/// same.
struct GridStamp {
  uint64_t warp;
  Stamp stamp;
};
using GridStamps = std::shared_ptr<const std::vector<GridStamp>>;

/// Whether `a` knows all that `b` does.
inline bool covers(const std::vector<GridStamp> &a, const std::vector<GridStamp> &b) {
  auto left = a.begin();
  return a.size() >= b.size() && std::ranges::all_of(b, [&](const GridStamp &right) {
           while (left != a.end() && left->warp < right.warp)
             ++left;
           return left != a.end() && left->warp == right.warp && left->stamp >= right.stamp;
         });
}

/// What any of the two knows.
inline GridStamps joined(const GridStamps &a, const GridStamps &b) {
  if (!a || !b || a == b)
    return a ? a : b;
  if (covers(*a, *b))
    return a;
  if (covers(*b, *a))
    return b;
  auto both = std::make_shared<std::vector<GridStamp>>();
  both->reserve(a->size() + b->size());
  for (auto left = a->begin(), right = b->begin(); left != a->end() || right != b->end();) {
    if (right == b->end() || (left != a->end() && left->warp < right->warp))
      both->push_back(*left++);
    else if (left == a->end() || right->warp < left->warp)
      both->push_back(*right++);
    else
      both->push_back({left->warp, std::max(left++->stamp, right++->stamp)});
  }
  return both;
}

/// For each warp of the block the last stamp whose events are known, and likewise for those warps of other blocks that have been
/// heard of.
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
    others = nullptr;
  }

  void join(const Clock &other) {
    if (stamps.size() < other.stamps.size())
      stamps.resize(other.stamps.size());
    for (size_t warp = 0; warp < other.stamps.size(); ++warp)
      stamps[warp] = std::max(stamps[warp], other.stamps[warp]);
    findLeast();
    others = joined(others, other.others);
  }

  /// Events up to this stamp are known whosever in the block they are.
  Stamp oldest() const { return least; }
  Stamp newest() const { return stamps.empty() ? 0 : *std::ranges::max_element(stamps); }

  /// All that is known, of a block whose warps are numbered from `firstWarp` in the grid.
  GridStamps inGrid(uint64_t firstWarp) const {
    auto own = std::make_shared<std::vector<GridStamp>>();
    for (size_t warp = 0; warp < stamps.size(); ++warp)
      own->push_back({firstWarp + warp, stamps[warp]});
    return own->empty() ? others : joined(own, others);
  }
  /// Learns what others know, for a block of `warps` warps from `firstWarp` on.
  void join(const GridStamps &known, uint64_t firstWarp, unsigned warps) {
    if (others == known && stamps.size() == warps)
      return;
    others = joined(others, known);
    stamps.resize(warps);
    for (unsigned warp = 0; warp < warps; ++warp)
      stamps[warp] = std::max(stamps[warp], ofGrid(firstWarp + warp));
    findLeast();
  }
  /// The last stamp that others have told of a warp of the grid; 0 when none has.
  Stamp ofGrid(uint64_t warp) const {
    if (!others)
      return 0;
    auto found = std::ranges::lower_bound(*others, warp, {}, &GridStamp::warp);
    return found != others->end() && found->warp == warp ? found->stamp : 0;
  }

private:
  void findLeast() { least = stamps.empty() ? 0 : *std::ranges::min_element(stamps); }

  std::vector<Stamp> stamps;
  Stamp least = 0;
  GridStamps others;
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_CLOCK_H
