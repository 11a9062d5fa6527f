// The frequencies and scales that #moe.rotary and #moe.position_scale stand for.
#include "dialects/moe/Rotary.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace mlir;
using namespace moec::moe;

std::vector<double> moec::moe::rotaryFrequencies(RotaryAttr rotary) {
  if (DenseF64ArrayAttr given = rotary.getFrequencies())
    return given.asArrayRef().vec();
  double dims = double(rotary.getDims()), theta = *rotary.getTheta();
  std::vector<double> frequencies(rotary.getDims() / 2);
  for (size_t i = 0; i < frequencies.size(); ++i)
    frequencies[i] = std::pow(theta, -2.0 * double(i) / dims);
  YarnAttr yarn = rotary.getYarn();
  if (!yarn)
    return frequencies;
  auto dimThatTurns = [&](double turns) {
    return dims * std::log(double(yarn.getOriginalPositions()) / (turns * 2 * std::numbers::pi)) / (2 * std::log(theta));
  };
  double low = dimThatTurns(yarn.getBetaFast()), high = dimThatTurns(yarn.getBetaSlow());
  if (yarn.getTruncate()) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dims - 1);
  if (low == high)
    high += 0.001; // the reference's way out of a division by zero: a step instead of a ramp
  for (size_t i = 0; i < frequencies.size(); ++i) {
    double ramp = std::clamp((double(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] *= (1 - ramp) + ramp / yarn.getFactor();
  }
  return frequencies;
}

double moec::moe::positionScale(PositionScaleAttr scale, int64_t position) {
  double steps = std::floor(double(position + scale.getShift()) / double(scale.getOriginalPositions()));
  return 1 + scale.getBeta() * std::log(1 + steps);
}
