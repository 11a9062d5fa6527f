// What a tensor counts for by its name and type alone.
#include "importers/quantization/QuantizedTensor.h"

#include <gtest/gtest.h>

using namespace moec::importers;

namespace {

int64_t parameters(llvm::StringRef name, llvm::StringRef type, llvm::ArrayRef<int64_t> shape,
                   const Quantization &quantization = {}) {
  return parametersIn({llvm::CachedHashStringRef(name), "model.safetensors", type, llvm::SmallVector<int64_t, 3>(shape)},
                      quantization);
}

Quantization inWords(int64_t bits) {
  Quantization result;
  result.words = Quantization::Words{.bits = bits};
  return result;
}

TEST(Quantization, NumbersOfMatricesAreParameters) {
  EXPECT_EQ(parameters("layers.0.norm.weight", "F32", {12}), 12);
  EXPECT_EQ(parameters("layers.0.wq.weight", "F8_E4M3", {6, 10}), 60);
  EXPECT_EQ(parameters("layers.0.w1.weight", "I8", {6, 16}), 192);
  EXPECT_EQ(parameters("layers.0.w1.weight_packed", "U8", {6, 16}), 192);
  EXPECT_EQ(parameters("layers.0.w1.weight_packed", "I32", {6, 4}), 192);
  EXPECT_EQ(parameters("layers.0.experts.down_proj_blocks", "U8", {2, 3, 1, 16}), 192);
  EXPECT_EQ(parameters("layers.0.w1.qweight", "I32", {4, 6}, inWords(8)), 96);
  EXPECT_EQ(parameters("layers.0.w1.qweight", "I32", {4, 6}, inWords(4)), 192);
  EXPECT_EQ(parameters("layers.0.hc_attn_scale", "F32", {3}), 3);
}

TEST(Quantization, WhatLiesBesideThemIsNone) {
  for (llvm::StringRef suffix :
       {".weight_scale_inv", ".weight_scale", ".scale", ".qscale_weight", ".weight_scale_2", ".weight_global_scale", ".input_scale",
        ".scales", ".qzeros", ".g_idx", ".weight_g_idx", ".weight_shape"})
    EXPECT_EQ(parameters(("layers.0.w1" + suffix).str(), "F32", {4, 6}), 0) << suffix.str();
  EXPECT_EQ(parameters("layers.0.ffn.gate.tid2eid", "I64", {60, 2}), 0);
}

} // namespace
