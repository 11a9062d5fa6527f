// Where a function looks up the embeddings of tokens.
#ifndef MOEC_PASSES_RAISE_EMBEDDING_H
#define MOEC_PASSES_RAISE_EMBEDDING_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>
#include <string>

namespace moec::passes {

struct Embedding {
  mlir::Value ids, table, result;
};
/// Nothing where there is none; `problem` says then why not, if there is one of token ids in another form than a step takes.
std::optional<Embedding> findEmbedding(mlir::func::FuncOp function, std::string &problem);

} // namespace moec::passes

#endif // MOEC_PASSES_RAISE_EMBEDDING_H
