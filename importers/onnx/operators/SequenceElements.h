// Elements of sequences: those of packed ones, whose scalars lie one after another, and lists of them.
#ifndef MOEC_IMPORTERS_ONNX_OPERATORS_SEQUENCEELEMENTS_H
#define MOEC_IMPORTERS_ONNX_OPERATORS_SEQUENCEELEMENTS_H

#include "importers/onnx/Compound.h"

namespace moec::importers::onnx {

/// The sequence that input 0 is; null after a refusal.
const Sequence *sequenceOf(Call &call);
mlir::LogicalResult giveList(Call &call, DataType type, std::vector<Tensor> list);
/// Refuses where elements differ in how many dimensions they have, which types of tensors must say.
mlir::LogicalResult expectEqualRanks(Call &call, const Ranks &ranks);

/// Where the scalars of the element at `position` of a packed sequence begin.
Extent startOf(Emitter &e, const Sequence &sequence, const Extent &position);
/// The sizes of the element at `position`.
Shape sizesAt(Emitter &e, const Sequence &sequence, const Extent &position);
/// The element at `position`, whose scalars begin at `start`.
Tensor elementAt(Emitter &e, const Sequence &sequence, const Extent &position, const Extent &start);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_OPERATORS_SEQUENCEELEMENTS_H
