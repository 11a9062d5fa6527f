// A block: its warps, its shared memory, its barriers.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_BLOCK_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_BLOCK_H

#include "runtime/devices/emulator/Launch.h"
#include "runtime/devices/emulator/NamedBarrier.h"
#include "runtime/devices/emulator/SharedMemory.h"
#include "runtime/devices/emulator/Warp.h"

#include <array>
#include <vector>

namespace moec::runtime::emulator {

class Block {
public:
  Block(const Launch &launch, Counters &counters);

  /// Begins with block `index` of the grid.
  void start(uint64_t index);

  enum class Outcome : uint8_t {
    finished,
    waiting, ///< every warp polls, perhaps for what another block does
  };
  /// Executes until all warps have finished or none can go on by itself.
  Outcome run();

  /// Reports that the block waits for what will never come.
  void reportDeadlock();

  const Launch &launch;
  uint64_t index = 0;
  Dimensions at;
  SharedMemory shared;
  std::array<NamedBarrier, 16> barriers;
  std::vector<Warp> warps;
  bool aborted = false;
  uint64_t progress = 0; ///< raised by whatever another warp may be waiting for

private:
  bool stopping() const { return aborted || launch.stopping.load(std::memory_order_relaxed) || launch.reports.enough(); }
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_BLOCK_H
