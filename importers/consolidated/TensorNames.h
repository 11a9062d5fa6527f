// How consolidated files call the tensors of a model.
#ifndef MOEC_IMPORTERS_CONSOLIDATED_TENSORNAMES_H
#define MOEC_IMPORTERS_CONSOLIDATED_TENSORNAMES_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace moec::importers::consolidated {

/// The name there of the tensor that the Hugging Face form calls `name`: "layers.3.attention.wq.weight" for
/// "model.layers.3.self_attn.q_proj.weight".
std::string tensorName(llvm::StringRef name);

} // namespace moec::importers::consolidated

#endif // MOEC_IMPORTERS_CONSOLIDATED_TENSORNAMES_H
