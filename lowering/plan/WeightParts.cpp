// How the bytes of a weight are cut into parts with an address each.
#include "lowering/plan/WeightParts.h"

#include "dialects/plan/Plan.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {
/// A part for each row, as kernels index the parts of stacked experts and heads.
SmallVector<Attribute> partPerRow(WeightOp weight, int64_t rowBytes) {
  MLIRContext *context = weight.getContext();
  SmallVector<Attribute> parts;
  for (auto run : weight.getSlices().getAsRange<SliceAttr>()) {
    if (run.getRows() == 1) {
      parts.push_back(plan::PartAttr::get(context, run.getFile(), run.getOffset(), rowBytes, run.getTimes(), run.getEvery(),
                                          run.getRowStride(), run.getColumnStride(), run.getWords(), run.getWordAxis()));
      continue;
    }
    for (int64_t index = 0; index < run.getTimes(); ++index)
      parts.push_back(plan::PartAttr::get(context, run.getFile(), run.getOffsetOf(index), rowBytes, run.getRows(), rowBytes));
  }
  return parts;
}

/// As few parts as can be: slices that are neighbours in their file are joined.
SmallVector<Attribute> fewestParts(WeightOp weight, int64_t rowBytes) {
  SmallVector<Attribute> parts;
  for (auto run : weight.getSlices().getAsRange<SliceAttr>()) {
    if (run.isStrided()) {
      parts.push_back(plan::PartAttr::get(weight.getContext(), run.getFile(), run.getOffset(), run.getRows() * rowBytes,
                                          run.getTimes(), run.getEvery(), run.getRowStride(), run.getColumnStride(), run.getWords(),
                                          run.getWordAxis()));
      continue;
    }
    for (int64_t index = 0; index < run.getTimes(); ++index) {
      int64_t offset = run.getOffsetOf(index), bytes = run.getRows() * rowBytes;
      if (!parts.empty()) {
        auto last = cast<plan::PartAttr>(parts.back());
        if (!last.isStrided() && last.getFile() == run.getFile() && last.getOffset() + last.getBytes() == offset) {
          offset = last.getOffset();
          bytes += last.getBytes();
          parts.pop_back();
        }
      }
      parts.push_back(plan::PartAttr::get(weight.getContext(), run.getFile(), offset, bytes));
    }
  }
  return parts;
}

int64_t rowBytes(RankedTensorType type) { return type.getNumElements() / type.getDimSize(0) * type.getElementTypeBitWidth() / 8; }
} // namespace

SmallVector<Attribute> lowering::partsForKernels(WeightOp weight) {
  auto type = cast<RankedTensorType>(weight.getType());
  return type.getRank() > 2 ? partPerRow(weight, rowBytes(type)) : fewestParts(weight, rowBytes(type));
}

SmallVector<Attribute> lowering::partsForFunctions(WeightOp weight) {
  return fewestParts(weight, rowBytes(cast<RankedTensorType>(weight.getType())));
}
