// A warp: its registers, where its threads are, and the loop that executes instructions.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_WARP_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_WARP_H

#include "runtime/devices/emulator/AsyncCopy.h"
#include "runtime/devices/emulator/Clock.h"
#include "runtime/devices/emulator/Counters.h"
#include "runtime/devices/emulator/Module.h"
#include "runtime/devices/emulator/Report.h"
#include "runtime/devices/emulator/Synchronization.h"

#include <cstring>
#include <map>
#include <span>
#include <vector>

namespace moec::runtime::emulator {

class Block;
struct Allocation;
struct Launch;

/// Threads that execute together until they reach `reconvergence`, where the path below, which holds them too, takes over.
struct Path {
  uint32_t pc;
  uint32_t reconvergence;
  LaneMask lanes;
  uint32_t frame; ///< depth of calls
};

/// The registers of one call, and how they were entered.
struct Frame {
  uint32_t function;
  uint32_t registers; ///< offset, in bytes
  uint32_t masks;     ///< offset
};

class Warp {
public:
  enum class State : uint8_t {
    ready,
    atBarrier, ///< until the barrier releases it
    polling,   ///< for a phase: it tries again when all others have had their turn
    watching,  ///< memory that is still what it was: likewise, and other blocks may change it
    finished,
  };

  Warp(Block &block, const Launch &launch, Counters &counters) : block(block), launch(launch), counters(counters) {}
  Warp(Warp &&) = default;

  /// Puts the first `threads` lanes at the entry's first instruction.
  void start(unsigned number, unsigned threads);
  /// Executes until the warp waits or finishes, at most `budget` instructions.
  void run(uint32_t budget);

  // What instructions read and write.
  template <class T> const T *source(const Instruction &i, unsigned k) const {
    return reinterpret_cast<const T *>(at(operand(i, i.results + k)));
  }
  LaneMask predicate(const Instruction &i, unsigned k) const {
    LaneMask mask;
    std::memcpy(&mask, at(operand(i, i.results + k)), sizeof mask);
    return mask;
  }
  /// Writes the active lanes of result `k`.
  template <class T> void write(const Instruction &i, unsigned k, const T *values) {
    T *to = reinterpret_cast<T *>(registers + operand(i, k).offset);
    if (active == allLanes) {
      std::memcpy(to, values, laneCount * sizeof(T));
      return;
    }
    for (unsigned lane = 0; lane < laneCount; ++lane)
      to[lane] = active >> lane & 1 ? values[lane] : to[lane];
  }
  void writePredicate(const Instruction &i, unsigned k, LaneMask values) {
    std::byte *to = registers + operand(i, k).offset;
    LaneMask mask;
    std::memcpy(&mask, to, sizeof mask);
    mask = (mask & ~active) | (values & active);
    std::memcpy(to, &mask, sizeof mask);
  }
  const Slot &operand(const Instruction &i, unsigned k) const { return slots[i.firstOperand + k]; }
  /// The lanes for which a source has been written.
  LaneMask writtenLanes(const Instruction &i, unsigned k) const { return written[operand(i, i.results + k).index]; }
  /// Sets which of the active lanes of a result have been written; for instructions with `ownShadow`.
  void setWritten(const Instruction &i, unsigned k, LaneMask lanes) {
    LaneMask &mask = written[operand(i, k).index];
    mask = (mask & ~active) | (lanes & active);
  }

  // Control.
  Path &path() { return paths.back(); }
  /// Splits the current path, whose lanes are those of `ways`; all have the same point where they meet again.
  void part(std::span<const Path> ways);
  void call(uint32_t function);
  /// The active lanes return from their function, or exit from an entry.
  void leave();
  void exit(LaneMask lanes);
  /// The instruction is executed again when the other warps have had their turn.
  void retry() {
    --path().pc;
    state = State::polling;
  }
  /// Gives the others their turn.
  void yield() { state = State::polling; }
  /// A strong operation has read this (values and addresses in one number) and changed nothing. When it is what the same
  /// instruction read before, the warp waits for another to change it.
  void noteRead(uint64_t digest);

  /// Where an address of a lane's local memory lies in `local`; the address must be one.
  size_t localIndex(unsigned lane, uint64_t address) const;

  /// Tells of something wrong at the instruction that is being executed; `lane` is one of those concerned.
  void report(ReportKind kind, unsigned lane, std::string message);
  /// Likewise, and the launch ends.
  void abort(ReportKind kind, unsigned lane, std::string message);

  Block &block;
  const Launch &launch;
  Counters &counters;
  unsigned number = 0; ///< in the block
  State state = State::finished;
  LaneMask existing = 0; ///< those the block was launched with
  LaneMask exited = 0;
  LaneMask active = 0; ///< those that execute the instruction
  LaneMask known = 0;  ///< those for which every source has been written
  uint64_t executed = 0;
  const Instruction *current = nullptr;
  std::vector<std::byte> local;      ///< [lanes][bytes]
  std::vector<uint8_t> localWritten; ///< likewise, 0xff when written
  uint32_t localBytes = 0;
  Allocation *lastAllocation = nullptr; ///< that global memory was found in
  Clock clock;
  Fences fences;
  CopiesInFlight copies;

private:
  void step();
  void enter(uint32_t function, uint32_t registerOffset, uint32_t maskOffset);
  void useFrame(const Frame &frame);
  const std::byte *at(Slot slot) const { return (slot.offset & 1 ? constants - 1 : registers) + slot.offset; }

  std::byte *registers = nullptr; ///< of the current frame
  LaneMask *written = nullptr;    ///< likewise
  const std::byte *constants = nullptr;
  const Slot *slots = nullptr;
  std::vector<std::byte> registerFile;
  std::vector<LaneMask> writtenFile;
  std::map<const Instruction *, uint64_t> lastRead; ///< by strong operations
  std::vector<Path> paths;
  std::vector<Frame> frames;
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_WARP_H
