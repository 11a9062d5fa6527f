// The model families that can be imported.
#ifndef MOEC_IMPORTERS_FAMILIES_FAMILIES_H
#define MOEC_IMPORTERS_FAMILIES_FAMILIES_H

#include "importers/config/Config.h"
#include "importers/decoder/Decoder.h"

namespace moec::importers {

/// A family: what config.json calls it, and how its keys describe a decoder.
struct Family {
  llvm::StringRef modelType;
  /// The class whose arithmetic is imported; `architectures` must name it when given.
  llvm::StringRef architecture;
  Decoder (*describe)(Config &config, mlir::MLIRContext *context);
};

/// In the order of their model types.
llvm::ArrayRef<Family> families();

Decoder describeDeepSeekMoE(Config &config, mlir::MLIRContext *context);
Decoder describeDeepSeekV2(Config &config, mlir::MLIRContext *context);
Decoder describeDeepSeekV3(Config &config, mlir::MLIRContext *context);
Decoder describeDeepSeekV32(Config &config, mlir::MLIRContext *context);
Decoder describeDeepSeekV4(Config &config, mlir::MLIRContext *context);
Decoder describeGLM4MoE(Config &config, mlir::MLIRContext *context);
Decoder describeGLM5(Config &config, mlir::MLIRContext *context);
Decoder describeGptOss(Config &config, mlir::MLIRContext *context);
Decoder describeKimiK2(Config &config, mlir::MLIRContext *context);
Decoder describeLlama4(Config &config, mlir::MLIRContext *context);
Decoder describeLlama4Wrapper(Config &config, mlir::MLIRContext *context);
Decoder describeMiniMaxM2(Config &config, mlir::MLIRContext *context);
Decoder describeMinistral3(Config &config, mlir::MLIRContext *context);
Decoder describeMistral(Config &config, mlir::MLIRContext *context);
Decoder describeMistral3(Config &config, mlir::MLIRContext *context);
Decoder describeMistral4(Config &config, mlir::MLIRContext *context);
Decoder describeMixtral(Config &config, mlir::MLIRContext *context);
Decoder describeOLMoE(Config &config, mlir::MLIRContext *context);
Decoder describeQwen3MoE(Config &config, mlir::MLIRContext *context);

} // namespace moec::importers

#endif // MOEC_IMPORTERS_FAMILIES_FAMILIES_H
