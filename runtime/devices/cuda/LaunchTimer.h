// Takes the times of launches by events between them.
#ifndef MOEC_RUNTIME_DEVICES_CUDA_LAUNCHTIMER_H
#define MOEC_RUNTIME_DEVICES_CUDA_LAUNCHTIMER_H

#include "runtime/devices/Device.h"
#include "runtime/devices/cuda/Owned.h"

#include <vector>

namespace moec::runtime::cuda {

/// Does nothing, at no cost, until it is prepared.
class LaunchTimer {
public:
  explicit LaunchTimer(const Driver &driver) : driver(driver) {}

  /// For programs of these launches, with no time yet, in the order in which they run.
  Status prepare(std::vector<std::vector<LaunchTime>> launches);
  /// Says that what the stream does next comes behind `done` launches of its program.
  Status mark(Stream stream, size_t done, RecordFlags flags);
  /// Adds the times of a run of a program that has come to its end.
  Status add(size_t program);

  std::span<const LaunchTime> times(size_t program) const {
    return programs.empty() ? std::span<const LaunchTime>() : programs[program];
  }

private:
  const Driver &driver;
  std::vector<Owned<Event>> events; ///< before the first launch, and behind each; all programs use the same
  std::vector<std::vector<LaunchTime>> programs;
};

} // namespace moec::runtime::cuda

#endif // MOEC_RUNTIME_DEVICES_CUDA_LAUNCHTIMER_H
