// Which of an artifact's code variants runs on this processor.
#ifndef MOEC_RUNTIME_DEVICES_CPU_CODECHOICE_H
#define MOEC_RUNTIME_DEVICES_CPU_CODECHOICE_H

#include "runtime/artifact/Artifact.h"
#include "runtime/devices/cpu/CodeModule.h"

namespace moec::runtime {

/// The code of level `isa`, or the best that the processor has when that is empty, loaded; `isa` becomes the level's name.
Result<std::unique_ptr<CodeModule>> loadCode(const Artifact &artifact, std::string &isa);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_DEVICES_CPU_CODECHOICE_H
