// rope_theta and rope_scaling, or rope_parameters, with the arithmetic of transformers' _compute_yarn_parameters and
// _compute_llama3_parameters.
#include "importers/config/Rope.h"

#include "dialects/moe/Rotary.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace moec;
using namespace moec::importers;
using llvm::StringRef;

/// The frequencies of `plain`, some of them divided.
static mlir::DenseF64ArrayAttr divided(moe::RotaryAttr plain, const Rope &rope) {
  std::vector<double> frequencies = moe::rotaryFrequencies(plain);
  for (double &frequency : frequencies) {
    frequency /= rope.divisor;
    if (!rope.ramp)
      continue;
    double turns = frequency * rope.ramp->originalPositions / (2 * std::numbers::pi);
    double kept = std::clamp((turns - rope.ramp->low) / (rope.ramp->high - rope.ramp->low), 0.0, 1.0);
    frequency *= kept + (1 - kept) / rope.ramp->factor;
  }
  return mlir::DenseF64ArrayAttr::get(plain.getContext(), frequencies);
}

moe::RotaryAttr Rope::attr(mlir::MLIRContext *context, int64_t dims, moe::RotaryLayout layout, int64_t offset) const {
  auto plain = moe::RotaryAttr::get(context, dims, theta, layout, offset, multiplier, /*inverse=*/false, yarn);
  if (!ramp && divisor == 1)
    return plain;
  return moe::RotaryAttr::get(context, dims, std::nullopt, layout, offset, multiplier, /*inverse=*/false, /*yarn=*/{},
                              divided(plain, *this));
}

static double mscale(double factor, double strength) { return factor <= 1 ? 1 : 0.1 * strength * std::log(factor) + 1; }

/// The keys of YaRN. Zero and null mean "not given" where transformers tests for truth.
static void readYarn(Config &keys, mlir::MLIRContext *context, int64_t maxPositions, bool scales, Rope &rope) {
  double factor = keys.positive("factor");
  int64_t original = keys.count("original_max_position_embeddings", most::positions, maxPositions);
  double fast = keys.positiveOrNull("beta_fast").value_or(32), slow = keys.positiveOrNull("beta_slow").value_or(1);
  keys.require(fast >= slow, "expected beta_fast not below beta_slow, got " + llvm::Twine(spelled(fast)) + " and " + spelled(slow));
  keys.require(rope.theta > 1, "rope_theta: expected more than 1 with YaRN, got " + llvm::Twine(spelled(rope.theta)));
  if (rope.theta <= 1)
    rope.theta = 2;
  bool truncate = keys.flag("truncate", true);
  double strength = keys.nonNegative("mscale", 0), allDimStrength = keys.nonNegative("mscale_all_dim", 0);
  double implied = strength && allDimStrength ? mscale(factor, strength) / mscale(factor, allDimStrength) : mscale(factor, 1);
  rope.multiplier = keys.positiveOrNull("attention_factor").value_or(scales ? implied : 1);
  rope.latentScale = allDimStrength ? std::pow(mscale(factor, allDimStrength), 2) : 1;
  if (!std::isfinite(rope.multiplier) || !std::isfinite(rope.latentScale)) {
    keys.require(false, "mscale: expected scales that a number can hold, got " + llvm::Twine(spelled(strength)) +
                            " and mscale_all_dim " + spelled(allDimStrength));
    rope.multiplier = rope.latentScale = 1;
  }
  rope.yarn = moe::YarnAttr::get(context, factor, original, std::max(fast, slow), slow, truncate);
}

/// The keys of Llama 3's. Where the two bounds are one there is no ramp but a step, which YaRN's without length is, too.
static void readRamp(Config &keys, mlir::MLIRContext *context, Rope &rope) {
  double factor = keys.positive("factor"), low = keys.positive("low_freq_factor"), high = keys.positive("high_freq_factor");
  int64_t original = keys.count("original_max_position_embeddings", most::positions);
  keys.require(low <= high,
               "high_freq_factor: expected low_freq_factor " + llvm::Twine(spelled(low)) + " or more, got " + spelled(high));
  keys.require(rope.theta > 1, "rope_theta: expected more than 1 beside rope_scaling, got " + llvm::Twine(spelled(rope.theta)));
  rope.theta = std::max(rope.theta, 2.0);
  if (low < high)
    rope.ramp = {factor, low, high, double(original)};
  else
    rope.yarn = moe::YarnAttr::get(context, factor, original, low, low, /*truncate=*/false);
}

/// 1 + beta ln(1 + floor(position / original)); beta 0 is how a config says that nothing is scaled.
static moe::PositionScaleAttr readPositionScale(Config &keys, mlir::MLIRContext *context) {
  double beta = keys.nonNegative("llama_4_scaling_beta");
  int64_t original = keys.count("original_max_position_embeddings", most::positions);
  // Written beside it, and read by nobody.
  keys.leaveAside({"max_position_embeddings"});
  return beta > 0 ? moe::PositionScaleAttr::get(context, beta, original, /*shift=*/0) : moe::PositionScaleAttr();
}

static std::optional<double> readPartial(Config &keys, bool allowed) {
  if (allowed)
    return keys.positiveOrNull("partial_rotary_factor");
  keys.expect("partial_rotary_factor", json::Value(int64_t(1)));
  return std::nullopt;
}

Rope moec::importers::readRope(Config &config, mlir::MLIRContext *context, const RopeKeys &allowed, int64_t maxPositions) {
  Rope rope;
  rope.partial = readPartial(config, allowed.partial);
  // rope_scaling: null is how a config of the flat spelling says "none".
  const json::Value *flat = config.take("rope_scaling"), *nested = config.take("rope_parameters");
  const json::Value *given = nested && !nested->isNull() ? nested : flat;
  const Spelling spelling = given == nested ? "rope_parameters" : "rope_scaling";
  if (flat && !flat->isNull() && given == nested)
    given = config.take({"rope_parameters", "rope_scaling"});
  std::optional<double> theta = config.positiveOrNull("rope_theta");
  rope.theta = theta.value_or(allowed.theta);
  if (!given || given->isNull()) {
    config.require(!allowed.positionScale, "rope_parameters: expected an object, got nothing");
    return rope;
  }
  if (!given->object()) {
    config.require(false, spelling.names.front() + ": expected an object, got " + given->kind());
    return rope;
  }

  Config keys = config.within(*given, spelling);
  rope.theta = keys.positive("rope_theta", rope.theta);
  if (theta)
    keys.expect("rope_theta", json::Value(*theta));
  return readRopeObject(keys, context, allowed, maxPositions, rope);
}

Rope moec::importers::readRopeObject(Config &keys, mlir::MLIRContext *context, const RopeKeys &allowed, int64_t maxPositions,
                                     Rope rope) {
  if (std::optional<double> partial = readPartial(keys, allowed.partial)) {
    keys.require(rope.partial.value_or(*partial) == *partial, "partial_rotary_factor: expected the config's other " +
                                                                  llvm::Twine(spelled(rope.partial.value_or(0))) + ", got " +
                                                                  spelled(*partial));
    rope.partial = partial;
  }
  StringRef type = keys.choice({"rope_type", "type"}, {"default", "linear", "yarn", "llama3"});
  if (type == "linear")
    rope.divisor = keys.positive("factor");
  if (type == "yarn")
    readYarn(keys, context, maxPositions, allowed.yarnScales, rope);
  if (type == "llama3")
    readRamp(keys, context, rope);
  if (allowed.positionScale)
    rope.positionScale = readPositionScale(keys, context);
  keys.checkConsumed();
  return rope;
}
