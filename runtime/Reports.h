// How the C interface reports: what a status becomes, and what its models are made of.
#ifndef MOEC_RUNTIME_REPORTS_H
#define MOEC_RUNTIME_REPORTS_H

#include "runtime/artifact/Artifact.h"
#include "runtime/moec.h"

#include <new>

namespace moec::runtime {

/// The code of `status`, whose message becomes the thread's last error.
moec_status report(const Status &status);

/// Runs `body`, whose only exception is that there is no memory.
template <typename Body> moec_status guarded(Body body) {
  try {
    return report(body());
  } catch (const std::bad_alloc &) {
    return report(Status::resourceExhausted("out of memory"));
  }
}

inline Status missing(const char *what) { return Status::invalidArgument(std::string("expected ") + what + ", got null"); }

const Artifact &artifactOf(const moec_model &model);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_REPORTS_H
