// A block: its warps, its shared memory, its barriers.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_BLOCK_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_BLOCK_H

#include "runtime/devices/emulator/Launch.h"
#include "runtime/devices/emulator/NamedBarrier.h"
#include "runtime/devices/emulator/PhaseBarrier.h"
#include "runtime/devices/emulator/SharedMemory.h"
#include "runtime/devices/emulator/Synchronization.h"
#include "runtime/devices/emulator/Warp.h"

#include <array>
#include <map>
#include <vector>

namespace moec::runtime::emulator {

class Block {
public:
  Block(const Launch &launch, Counters &counters);

  /// Begins with block `index` of the grid.
  void start(uint64_t index);

  enum class Outcome : uint8_t {
    finished, ///< or aborted
    waiting,  ///< no warp can go on before another block changes memory
  };
  /// Executes until all warps have finished or none can go on by itself.
  Outcome run();

  /// Reports that the block waits for what will never come; `why` is added to the message.
  void reportDeadlock(const std::string &why = "");

  const Launch &launch;
  uint64_t index = 0;
  Dimensions at;
  SharedMemory shared;
  std::array<NamedBarrier, 16> barriers;
  std::map<uint32_t, PhaseBarrier> phaseBarriers; ///< by their address in shared memory
  std::vector<Warp> warps;
  bool aborted = false;
  Stamp firstStamp = 0;                ///< the stamps of this block's warps are above it
  std::map<uint64_t, Clock> published; ///< what its warps have published for each other, by address
  uint64_t progress = 0;               ///< raised by whatever another warp may be waiting for
  /// The number in the grid of its first warp.
  uint64_t firstWarp() const { return index * launch.warps(); }

private:
  bool stopping() const { return aborted || launch.stopping.load(std::memory_order_relaxed) || launch.reports.enough(); }
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_BLOCK_H
