// Parts of weights whose elements do not follow each other in their file, laid out as kernels read them.
#ifndef MOEC_LOWERING_ARTIFACT_STRIDEDPART_H
#define MOEC_LOWERING_ARTIFACT_STRIDEDPART_H

#include "dialects/plan/Plan.h"
#include "lowering/artifact/ArtifactWriter.h"

#include <vector>

namespace moec::lowering {

struct MatrixSize {
  uint64_t columns, elementBits;
};

/// Part `index` of the strided `run`: row after row. Holds the part's stretch of the file and the result in memory.
llvm::Expected<std::vector<char>> readStrided(WeightFiles &files, plan::PartAttr run, int64_t index, MatrixSize size);

} // namespace moec::lowering

#endif // MOEC_LOWERING_ARTIFACT_STRIDEDPART_H
