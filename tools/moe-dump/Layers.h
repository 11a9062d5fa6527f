// Which operations the layers of a model consist of.
#ifndef MOEC_TOOLS_MOE_DUMP_LAYERS_H
#define MOEC_TOOLS_MOE_DUMP_LAYERS_H

#include "runtime/artifact/Artifact.h"
#include "tools/moe-dump/Operations.h"

namespace moec::dump {

/// Layers that run the same kernels.
struct LayerKind {
  std::vector<uint32_t> layers;
  std::vector<Operation> operations;
};

/// The kinds of layers in a step of the program `name`, in the order of their first layers.
std::vector<LayerKind> layerKinds(const artifact::Manifest &manifest, std::string_view name);

/// "0-2, 4".
std::string rangesOf(const std::vector<uint32_t> &layers);

} // namespace moec::dump

#endif // MOEC_TOOLS_MOE_DUMP_LAYERS_H
