// A kernel written in a test: its text, its arguments, and what it gives.
#ifndef MOEC_TEST_RUNTIME_EMULATOR_KERNEL_H
#define MOEC_TEST_RUNTIME_EMULATOR_KERNEL_H

#include "runtime/devices/emulator/Emulator.h"

#include <cstring>
#include <string>
#include <vector>

namespace moec::test {

/// `body` as entry `k` with the parameters `p0`, `p1`, ... of 64 bits, some registers of each size, and what `declarations` adds.
/// %rd0 to %rd3 hold the first parameters, %r0 the thread, %r1 the block.
std::string kernelText(const std::string &body, const std::string &declarations = "", unsigned parameters = 2);

struct KernelRun {
  runtime::Status status;
  std::vector<runtime::emulator::Report> reports;
  runtime::emulator::Counters counters;

  /// Whether there are reports of this kind alone.
  bool only(runtime::emulator::ReportKind kind) const {
    for (const auto &report : reports)
      if (report.kind != kind)
        return false;
    return !reports.empty();
  }
  bool has(runtime::emulator::ReportKind kind) const {
    for (const auto &report : reports)
      if (report.kind == kind)
        return true;
    return false;
  }
};

struct Shape {
  runtime::emulator::Dimensions grid, block{32, 1, 1};
  uint32_t dynamicSharedBytes = 0;
  int threads = 1;
  bool cooperative = false;
  uint64_t blocksAtOnce = 1, mostReports = 10000;
};

/// Allocations that a kernel gets, each as a parameter.
class Buffers {
public:
  /// A buffer of these values.
  template <class T>
  Buffers &in(const std::vector<T> &values, runtime::emulator::Contents contents = runtime::emulator::Contents::written) {
    std::memcpy(add(values.size() * sizeof(T), contents), values.data(), values.size() * sizeof(T));
    return *this;
  }
  /// One to be written first.
  Buffers &out(size_t bytes) {
    add(bytes, runtime::emulator::Contents::fresh);
    return *this;
  }
  template <class T> std::vector<T> get(size_t k) const {
    std::vector<T> values(buffers[k].bytes / sizeof(T));
    std::memcpy(values.data(), buffers[k].data, buffers[k].bytes);
    return values;
  }
  KernelRun run(const std::string &text, const Shape &shape = {});

private:
  struct Buffer {
    std::unique_ptr<std::byte[]> storage;
    std::byte *data; ///< aligned to 256 bytes
    size_t bytes;
    runtime::emulator::Contents contents;
  };
  std::byte *add(size_t bytes, runtime::emulator::Contents contents);
  std::vector<Buffer> buffers;
};

} // namespace moec::test

#endif // MOEC_TEST_RUNTIME_EMULATOR_KERNEL_H
