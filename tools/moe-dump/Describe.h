// What is in an artifact, as JSON or as text.
#ifndef MOEC_TOOLS_MOE_DUMP_DESCRIBE_H
#define MOEC_TOOLS_MOE_DUMP_DESCRIBE_H

#include "runtime/artifact/Artifact.h"

#include <nlohmann/json.hpp>

namespace moec::dump {

nlohmann::ordered_json describe(const runtime::Artifact &artifact);

/// The whole manifest as JSON, as the schema names its fields.
std::string textOfManifest(const runtime::Artifact &artifact);

/// A page that a person reads, from the same description.
std::string page(const nlohmann::ordered_json &description);

} // namespace moec::dump

#endif // MOEC_TOOLS_MOE_DUMP_DESCRIBE_H
