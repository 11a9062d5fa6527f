// What a launch did, as a profiler would count it.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_COUNTERS_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_COUNTERS_H

#include <array>
#include <cstdint>
#include <string_view>

namespace moec::runtime::emulator {

/// Matrix products that are told apart.
constexpr unsigned matrixShapes = 24;
/// Such as "m16n8k16.f32.bf16.bf16.f32"; empty for numbers that stand for none.
std::string_view nameOfMatrixShape(unsigned shape);

struct Counters {
  uint64_t blocks = 0;
  uint64_t instructions = 0;        ///< of warps
  uint64_t globalBytesLoaded = 0;   ///< asked for by threads
  uint64_t globalBytesStored = 0;   ///< asked for by threads
  uint64_t globalSectorsLoaded = 0; ///< of 32 bytes, moved for the instructions of warps
  uint64_t globalSectorsStored = 0;
  uint64_t uniqueSectorsLoaded = 0;                      ///< different ones, over the launch
  uint64_t globalAtomics = 0;                            ///< of threads
  uint64_t sharedAccesses = 0;                           ///< wavefronts that the instructions of warps needed at least
  uint64_t bankConflicts = 0;                            ///< wavefronts beyond those
  uint64_t barriers = 0;                                 ///< arrivals of warps
  std::array<uint64_t, matrixShapes> matrixOperations{}; ///< of warps, by shape (nameOfMatrixShape)

  void add(const Counters &other);
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_COUNTERS_H
