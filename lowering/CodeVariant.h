// Machine code for the kernels of a plan, whichever target it is for.
#ifndef MOEC_LOWERING_CODEVARIANT_H
#define MOEC_LOWERING_CODEVARIANT_H

#include <string>
#include <vector>

namespace moec::lowering {

/// The kernels of a plan as a shared object that depends on nothing; every plan.kernel is a function under its symbol's name.
struct CodeVariant {
  std::string isa;                   ///< as `--isa` names it
  std::vector<std::string> features; ///< what the processor must have, in the words of /proc/cpuinfo
  std::string sharedObject;
};

} // namespace moec::lowering

#endif // MOEC_LOWERING_CODEVARIANT_H
