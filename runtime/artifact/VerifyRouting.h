// That what a manifest says of routing agrees with itself and with the steps.
#ifndef MOEC_RUNTIME_ARTIFACT_VERIFYROUTING_H
#define MOEC_RUNTIME_ARTIFACT_VERIFYROUTING_H

#include "runtime/Status.h"
#include "runtime/schema/Artifact_generated.h"

#include <string>

namespace moec::runtime {

/// Every record is of a layer of its own and of a routing that is possible; every program gives out the choices of just these
/// layers, k experts each. The programs are verified.
Status verifyRouting(const artifact::Manifest &manifest, const std::string &path);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_ARTIFACT_VERIFYROUTING_H
