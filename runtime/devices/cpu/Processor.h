// What the host's processor can do.
#ifndef MOEC_RUNTIME_DEVICES_CPU_PROCESSOR_H
#define MOEC_RUNTIME_DEVICES_CPU_PROCESSOR_H

#include <string_view>

namespace moec::runtime {

/// Whether processor and operating system support `feature`, in the words of /proc/cpuinfo; an unknown word is not supported.
bool processorHas(std::string_view feature);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_DEVICES_CPU_PROCESSOR_H
