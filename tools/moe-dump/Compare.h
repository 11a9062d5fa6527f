// What two artifacts share and where they differ.
#ifndef MOEC_TOOLS_MOE_DUMP_COMPARE_H
#define MOEC_TOOLS_MOE_DUMP_COMPARE_H

#include "runtime/artifact/Artifact.h"

#include <nlohmann/json.hpp>

namespace moec::dump {

/// Models, routing, layers of the same kind, and the kernels of a decode step by what they compute.
nlohmann::ordered_json compare(const runtime::Artifact &a, const runtime::Artifact &b);

/// A page that a person reads, from the same comparison.
std::string comparisonPage(const nlohmann::ordered_json &comparison);

} // namespace moec::dump

#endif // MOEC_TOOLS_MOE_DUMP_COMPARE_H
