// From a .onnx file to a Model.
#ifndef MOEC_IMPORTERS_ONNX_READER_H
#define MOEC_IMPORTERS_ONNX_READER_H

#include "importers/onnx/Model.h"

namespace moec::importers::onnx {

/// What a file may hold; nothing is allocated beyond these. A byte of a file can stand for a whole node, so the counts are what
/// keeps memory bounded: some 500 MB for the most that is allowed.
struct Limits {
  uint64_t items = 1 << 20;       ///< nodes, attributes, tensors, declared values: of each kind, in the whole file
  uint64_t names = 1 << 22;       ///< of nodes' inputs and outputs
  uint64_t dims = 1 << 22;        ///< of all tensors and declared values
  unsigned depth = 32;            ///< of graphs within graphs
  uint64_t decoded = 64ull << 20; ///< bytes of tensors that are not stored as they lie in memory
  uint64_t bytes = 2ull << 30;    ///< of the file, which is what protocol buffers can have
  int64_t rank = 16;
};

/// Opens the file `fileName` in `folder`, where external data is looked for, too.
llvm::Expected<std::unique_ptr<Model>> openModel(const ModelFolder &folder, llvm::StringRef fileName, const Limits &limits = {});

/// Reads the bytes of the file `name` in `folder` into `model`, which will point into them.
llvm::Error readModel(llvm::StringRef bytes, llvm::StringRef name, const ModelFolder &folder, Model &model,
                      const Limits &limits = {});

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_READER_H
