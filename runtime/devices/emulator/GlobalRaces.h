// Who touched which word of an allocation last.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_GLOBALRACES_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_GLOBALRACES_H

#include <cstdint>

namespace moec::runtime::emulator {

class GlobalRaces {
public:
  void reserve(uint64_t, uint64_t) {}
};

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_GLOBALRACES_H
