// What a launch found wrong in a kernel: kind, place in the PTX, block and thread.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_REPORT_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_REPORT_H

#include "runtime/devices/emulator/Module.h"

#include <atomic>
#include <map>
#include <mutex>

namespace moec::runtime::emulator {

struct Dimensions {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t(x) * y * z; }
  /// Where number `index` is, x first.
  Dimensions at(uint64_t index) const { return {uint32_t(index % x), uint32_t(index / x % y), uint32_t(index / x / y)}; }
};

enum class ReportKind : uint8_t {
  race,          ///< two threads meet at an address, one writes, and nothing orders them
  earlyRead,     ///< an asynchronous copy has not landed
  outOfBounds,   ///< no allocation holds all of the bytes
  misaligned,    ///< an address is no multiple of the access
  uninitialised, ///< nothing has written what is read or decided upon
  readOnly,      ///< a write to what may only be read
  divergent,     ///< threads are missing at a barrier or in what a whole warp does together
  deadlock,      ///< nobody can go on
  trap,          ///< the kernel gave up, or does what has no meaning
};

std::string_view nameOf(ReportKind kind);

struct Report {
  ReportKind kind = ReportKind::trap;
  std::string kernel;
  uint32_t line = 0;
  std::string text; ///< of the line
  Dimensions block, thread;
  std::string message;
  uint64_t count = 1; ///< of the same kind at the same line
};

/// One sentence: `kernel: line 12 'ld.global.b32 ...': block (0,0,0) thread (3,0,0): out of bounds: ...`.
std::string describe(const Report &report);

/// Reports of one launch, one for each kind and line: the first, with the number of all. May be added to by several threads.
class Reports {
public:
  explicit Reports(uint64_t most) : most(most) {}
  /// Counts one of a kind at a line; true for the first, which is then to be added.
  bool count(uint32_t line, ReportKind kind);
  void add(Report report);
  bool empty() const { return total.load(std::memory_order_relaxed) == 0; }
  /// Whether there have been as many as are wanted.
  bool enough() const { return total.load(std::memory_order_relaxed) >= most; }
  /// In the order of the PTX.
  std::vector<Report> take();

private:
  const uint64_t most;
  std::mutex mutex;
  std::atomic<uint64_t> total{0};
  std::map<std::pair<uint32_t, ReportKind>, Report> found;
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_REPORT_H
