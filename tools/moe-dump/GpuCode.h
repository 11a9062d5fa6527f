// What an artifact's GPU code is and how its kernels are launched, as JSON or as text.
#ifndef MOEC_TOOLS_MOE_DUMP_GPUCODE_H
#define MOEC_TOOLS_MOE_DUMP_GPUCODE_H

#include "runtime/artifact/Artifact.h"

#include <nlohmann/json.hpp>

namespace moec::dump {

/// An array with one record for each GPU target.
nlohmann::ordered_json describeGpuCode(const artifact::Manifest &manifest);

/// A value as a person reads it.
std::string plain(const nlohmann::ordered_json &value);

/// The same as a part of the page; nothing when there is no such code.
std::string gpuCodePage(const nlohmann::ordered_json &targets);

} // namespace moec::dump

#endif // MOEC_TOOLS_MOE_DUMP_GPUCODE_H
