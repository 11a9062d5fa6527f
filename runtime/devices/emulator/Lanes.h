// Executes a function of one thread's operands for all lanes at once; the loops become vector code.
#ifndef MOEC_RUNTIME_DEVICES_EMULATOR_LANES_H
#define MOEC_RUNTIME_DEVICES_EMULATOR_LANES_H

#include "runtime/devices/emulator/Warp.h"

#include <cstdint>
#include <utility>

namespace moec::runtime::emulator {

/// Every lane is computed, also those that are not active: `function` must be defined for all values.
template <auto function> struct Lanewise;

template <class R, class... S, R (*function)(S...)> struct Lanewise<function> {
  static void execute(Warp &warp, const Instruction &i) { run(warp, i, std::index_sequence_for<S...>()); }

private:
  template <size_t... k> static void run(Warp &warp, const Instruction &i, std::index_sequence<k...>) {
    auto compute = [](R *result, const S *...sources) {
      for (unsigned lane = 0; lane < laneCount; ++lane)
        result[lane] = function(sources[lane]...);
    };
    R result[laneCount];
    compute(result, warp.source<S>(i, k)...);
    warp.write(i, 0, result);
  }
};

template <auto function> constexpr Execute lanewise = &Lanewise<function>::execute;

/// A condition of one thread's operands as a mask.
template <auto condition, class... S> LaneMask lanesWhere(const S *...sources) {
  LaneMask mask = 0;
  for (unsigned lane = 0; lane < laneCount; ++lane)
    mask |= LaneMask(condition(sources[lane]...)) << lane;
  return mask;
}

// The instances of an operation for the types that have it, null for others.

template <template <class> class Operation> constexpr Execute forUnsigned(unsigned bytes) {
  return bytes == 2   ? lanewise<&Operation<uint16_t>::apply>
         : bytes == 4 ? lanewise<&Operation<uint32_t>::apply>
         : bytes == 8 ? lanewise<&Operation<uint64_t>::apply>
                      : nullptr;
}
template <template <class> class Operation> constexpr Execute forSigned(unsigned bytes) {
  return bytes == 2   ? lanewise<&Operation<int16_t>::apply>
         : bytes == 4 ? lanewise<&Operation<int32_t>::apply>
         : bytes == 8 ? lanewise<&Operation<int64_t>::apply>
                      : nullptr;
}
template <template <class> class Operation> constexpr Execute forInteger(Type type) {
  return isFloat(type) ? nullptr : isSigned(type) ? forSigned<Operation>(bytesOf(type)) : forUnsigned<Operation>(bytesOf(type));
}

} // namespace moec::runtime::emulator

#endif // MOEC_RUNTIME_DEVICES_EMULATOR_LANES_H
