// The frequencies and scales that #moe.rotary and #moe.position_scale stand for.
#ifndef MOEC_DIALECTS_MOE_ROTARY_H
#define MOEC_DIALECTS_MOE_ROTARY_H

#include "dialects/moe/MoE.h"

#include <vector>

namespace moec::moe {

/// Radians that pair i turns per position, for i in [0, dims / 2); YaRN as transformers' _compute_yarn_parameters.
std::vector<double> rotaryFrequencies(RotaryAttr rotary);

/// The factor at `position`.
double positionScale(PositionScaleAttr scale, int64_t position);

} // namespace moec::moe

#endif // MOEC_DIALECTS_MOE_ROTARY_H
