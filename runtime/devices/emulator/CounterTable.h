// The counters of kernels as a table for people.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_COUNTERTABLE_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_COUNTERTABLE_H

#include "runtime/devices/emulator/EmulatorDevice.h"

namespace moec::runtime::emulator {

/// Markdown, a kernel a row, those that never ran left out; the last row is their sum.
std::string counterTable(const std::vector<KernelCounters> &kernels);

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_COUNTERTABLE_H
