// An index, which says which file each tensor of a model is in.
#ifndef MOEC_IMPORTERS_SAFETENSORS_INDEX_H
#define MOEC_IMPORTERS_SAFETENSORS_INDEX_H

#include "importers/json/Reader.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace moec::importers::safetensors {

struct IndexEntry {
  llvm::StringRef tensor, file;
};

/// Reads the `weight_map` of the index that `json` goes through, whose strings the entries are; a tensor may be there twice.
/// Messages begin with `path`. `foundFile` learns of each file as soon as it is named, and may learn of it again.
llvm::Expected<std::vector<IndexEntry>> readIndex(json::Reader &json, llvm::StringRef path,
                                                  llvm::function_ref<void(llvm::StringRef)> foundFile);

} // namespace moec::importers::safetensors

#endif // MOEC_IMPORTERS_SAFETENSORS_INDEX_H
