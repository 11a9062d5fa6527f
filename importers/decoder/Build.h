// The builders of a decoder's parts.
#ifndef MOEC_IMPORTERS_DECODER_BUILD_H
#define MOEC_IMPORTERS_DECODER_BUILD_H

#include "importers/decoder/Scope.h"

#include "mlir/IR/OwningOpRef.h"

namespace moec::importers {

/// The whole model: a module with its weights, its caches, and `@step`; `folder` is where its files lie. Every tensor of the
/// checkpoint is used, or known to be of no use for inference.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> buildDecoder(const Decoder &decoder, llvm::StringRef folder,
                                                               safetensors::Checkpoint &checkpoint, mlir::MLIRContext *context);

/// Layer `number`, around the residual stream or streams; `ids` are the tokens', `positions` as below. `chosen` receives the
/// experts that a mixture chose.
mlir::Value buildLayer(const Decoder &decoder, Scope layer, int64_t number, mlir::Value stream, mlir::Value ids,
                       mlir::Value &positions, mlir::Value &chosen);

/// Whether `tensor` is no part of the model: one of other parts, or rotary frequencies that old checkpoints stored although they
/// follow from the config.
bool isLeftAside(const Decoder &decoder, llvm::StringRef tensor);

/// Counts the layers that predict further tokens, in an attribute of `module`, and holds each to its tensors: they are all there,
/// as the config says, and from now on used.
llvm::Error takePredictionLayers(mlir::ModuleOp module, const Decoder &decoder, safetensors::Checkpoint &checkpoint);

/// Attention of one layer over its cache, from the normalised residual stream `input`; the result is as wide. `positions` are those
/// that the last layer with an indexer chose, and a layer with one renews them.
mlir::Value buildAttention(const Scope &layer, const GroupedAttention &attention, mlir::Value input, double epsilon,
                           mlir::Value &positions);
mlir::Value buildAttention(const Scope &layer, const LatentAttention &attention, mlir::Value input, double epsilon,
                           mlir::Value &positions);
mlir::Value buildAttention(const Scope &layer, const SharedKeyAttention &attention, mlir::Value input, double epsilon,
                           mlir::Value &positions);

/// A layer's mixture of experts; `ids` receives the experts that were chosen, by a table where there are `tokens`.
mlir::Value buildMixture(const Scope &layer, const Decoder &decoder, mlir::Value input, mlir::Value tokens, mlir::Value &ids);

/// What `part` of a layer, or of the model, reads of the residual streams, and the weights by which it may write to them.
struct StreamRead {
  mlir::Value input, weights;
};
StreamRead readStreams(Scope scope, const Streams &config, llvm::StringRef part, mlir::Value streams, double epsilon, bool writes);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_DECODER_BUILD_H
