// The tables that the compiler computes for kernels.
#include "lowering/artifact/Constants.h"

#include "dialects/moe/Rotary.h"

#include <cmath>

using namespace llvm;
using namespace moec;

Expected<std::vector<float>> moec::lowering::elementsOf(plan::ConstantOp constant) {
  auto type = cast<mlir::RankedTensorType>(constant.getType());
  int64_t positions = type.getDimSize(0);
  std::vector<float> elements;
  elements.reserve(size_t(type.getNumElements()));
  if (auto rotary = dyn_cast<moe::RotaryAttr>(constant.getSource())) {
    std::vector<double> frequencies = moe::rotaryFrequencies(rotary);
    double direction = rotary.getInverse() ? -1 : 1, multiplier = rotary.getMultiplier();
    for (int64_t position = 0; position < positions; ++position)
      for (double frequency : frequencies) {
        double angle = double(position) * frequency;
        elements.push_back(float(multiplier * std::cos(angle)));
        elements.push_back(float(multiplier * direction * std::sin(angle)));
      }
  } else if (auto scale = dyn_cast<moe::PositionScaleAttr>(constant.getSource())) {
    for (int64_t position = 0; position < positions; ++position)
      elements.push_back(float(moe::positionScale(scale, position)));
  }
  if (elements.size() != size_t(type.getNumElements()) || !type.getElementType().isF32())
    return createStringError("constant '" + constant.getSymName() + "': expected a table of f32 that its source describes");
  return elements;
}
