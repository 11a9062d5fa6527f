// Tensors of functions as .npy files.
#ifndef MOEC_RUNTIME_NPY_TENSORFILE_H
#define MOEC_RUNTIME_NPY_TENSORFILE_H

#include "runtime/Function.h"

namespace moec::runtime {

/// The tensor in a file, for an input of type `element`. The file has NumPy's type of that name; a bf16 is given by its bits (<u2,
/// or V2 as extensions of NumPy write it) or as <f4, which is rounded to nearest even.
Result<Tensor> readTensor(const std::string &path, artifact::ElementType element);

/// Writes `tensor` in NumPy's type of its element type; a bf16 as <f4, which holds it exactly.
Status writeTensor(const std::string &path, const Tensor &tensor);

/// The elements as doubles, for comparisons. (Integers beyond 2^53 are rounded.)
std::vector<double> doublesOf(const Tensor &tensor);

} // namespace moec::runtime

#endif // MOEC_RUNTIME_NPY_TENSORFILE_H
