// What orders the events of different threads beside barriers: fences, and strong operations that publish and learn.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_SYNCHRONIZATION_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_SYNCHRONIZATION_H

#include "runtime/devices/emulator/Clock.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace moec::runtime::emulator {

class Warp;
struct Access;

/// What blocks have published at addresses of global memory: for each block of the grid how many of its fences are known.
///
/// A block's events count the fences before them. A strong operation publishes all that came before the block's last fence; who
/// operates on the same address later learns of it. That is a little kinder than the memory model, which wants the right threads to
/// fence, and a fence of those who learn as well.
class Publications {
public:
  using Epochs = std::vector<uint32_t>;
  /// Adds `epochs` to what is known at an address, and what is known there to `epochs`.
  void publish(uint64_t address, const Epochs &epochs);
  void learn(uint64_t address, Epochs &epochs);

private:
  std::mutex mutex;
  std::map<uint64_t, Epochs> known;
};

/// The warp's threads have met: what they did before is ordered before what they do next.
void advance(Warp &warp);

/// A strong operation is going to tell who operates on its addresses, or has been told.
void publish(Warp &warp, const Access &access);
void learn(Warp &warp, const Access &access);
/// What has been written so far may be published.
void fence(Warp &warp);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_SYNCHRONIZATION_H
