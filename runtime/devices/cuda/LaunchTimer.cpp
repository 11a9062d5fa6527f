// Takes the times of launches by events between them.
#include "runtime/devices/cuda/LaunchTimer.h"

#include <algorithm>

using namespace moec::runtime;
using namespace moec::runtime::cuda;

Status LaunchTimer::prepare(std::vector<std::vector<LaunchTime>> launches) {
  size_t most = 0;
  for (const std::vector<LaunchTime> &program : launches)
    most = std::max(most, program.size());
  for (size_t i = 0; i <= most; ++i)
    MOEC_RETURN_IF_ERROR(acquire(events.emplace_back(), driver.eventCreate, driver.eventDestroy, withTiming));
  programs = std::move(launches);
  return {};
}

Status LaunchTimer::mark(Stream stream, size_t done, RecordFlags flags) {
  return events.empty() ? Status() : driver.eventRecord(events[done].get(), stream, flags);
}

Status LaunchTimer::add(size_t program) {
  if (events.empty())
    return {};
  for (size_t i = 0; i < programs[program].size(); ++i) {
    float milliseconds = 0;
    MOEC_RETURN_IF_ERROR(driver.eventElapsedTime(&milliseconds, events[i].get(), events[i + 1].get()));
    programs[program][i].seconds += milliseconds * 1e-3;
  }
  return {};
}
