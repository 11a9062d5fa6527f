// The tables that the compiler computes for kernels.
#ifndef MOEC_LOWERING_ARTIFACT_CONSTANTS_H
#define MOEC_LOWERING_ARTIFACT_CONSTANTS_H

#include "dialects/plan/Plan.h"
#include "llvm/Support/Error.h"

#include <vector>

namespace moec::lowering {

/// The f32 elements of a constant: for #moe.rotary [positions, dims / 2, 2] cosines and sines, turned backwards when inverse and
/// multiplied with the multiplier; for #moe.position_scale [positions] factors.
llvm::Expected<std::vector<float>> elementsOf(plan::ConstantOp constant);

} // namespace moec::lowering

#endif // MOEC_LOWERING_ARTIFACT_CONSTANTS_H
