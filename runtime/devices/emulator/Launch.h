// What all blocks of a launch share.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_LAUNCH_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_LAUNCH_H

#include "runtime/devices/emulator/Memory.h"
#include "runtime/devices/emulator/Module.h"
#include "runtime/devices/emulator/Report.h"
#include "runtime/devices/emulator/Synchronization.h"

#include <atomic>
#include <mutex>
#include <span>

namespace moec::runtime::emulator {

struct Launch {
  const Module &module;
  const Function &entry;
  Dimensions grid, blockSize;
  uint32_t dynamicSharedBytes = 0;
  std::span<const std::byte> parameters;
  Memory &memory;
  Reports &reports;
  bool cooperative = false;
  uint64_t mostInstructions = 0;             ///< that a warp may execute
  uint32_t number = 0;                       ///< of the launches of a device, from 1
  mutable std::atomic<uint64_t> progress{0}; ///< raised by whatever another block may be waiting for
  mutable std::atomic<bool> stopping{false}; ///< no block goes on
  mutable std::mutex strongOperations;       ///< held by each from what it publishes to what it observes
  mutable Publications publications;

  unsigned threads() const { return unsigned(blockSize.count()); }
  unsigned warps() const { return (threads() + laneCount - 1) / laneCount; }
  uint32_t sharedBytes() const { return dynamicSharedBytes ? entry.dynamicSharedStart() + dynamicSharedBytes : entry.sharedBytes; }
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_LAUNCH_H
