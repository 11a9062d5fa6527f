// What exporters leave beside a graph.
#ifndef MOEC_IMPORTERS_ONNX_EXPORTFOLDER_H
#define MOEC_IMPORTERS_ONNX_EXPORTFOLDER_H

#include "importers/files/ModelFolder.h"

#include "mlir/IR/BuiltinOps.h"

namespace moec::importers::onnx {

struct GraphFile {
  ModelFolder folder;
  std::string name;
};

/// The file with the graph of the model in `folder`, or in the folder `onnx` in it: the decoder that genai_config.json names, or
/// the only one; an error where neither says which. Nothing when there is no graph, or weights in another form beside it.
llvm::Expected<std::optional<GraphFile>> graphIn(const ModelFolder &folder);

/// Puts on `module`, the model in the file `graph`, what its folder says of the text that it reads and writes, should it be a
/// language model: moe.max_positions, moe.bos and moe.eos. genai_config.json wins over generation_config.json, that over
/// config.json, which may lie around a folder `onnx`; of what a graph computes they are not asked.
llvm::Error describeText(const ModelFolder &folder, llvm::StringRef graph, mlir::ModuleOp module);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_EXPORTFOLDER_H
