// Values that are no tensors of numbers, sequences of tensors, optional values and strings: what they are, and how they become
// tensors where ways meet.
#ifndef MOEC_IMPORTERS_ONNX_COMPOUND_H
#define MOEC_IMPORTERS_ONNX_COMPOUND_H

#include "importers/onnx/Call.h"

namespace moec::importers::onnx {

using Tensors = llvm::SmallVector<Tensor, 2>;

/// What is known of how many dimensions each element of a sequence has.
struct Ranks {
  enum Kind { None, Equal, AtMost, Unknown }; ///< no elements were seen; all `most`; `most` or fewer; nothing
  Kind kind = None;
  int64_t most = 0;
  bool operator==(const Ranks &) const = default;
};
Ranks join(Ranks a, Ranks b);

/// Tensors of one element type. Where their number is known they stay what they are, in a list; else they are packed.
struct Sequence {
  DataType type = DataType::Undefined;
  std::optional<std::vector<Tensor>> list;
  Tensor scalars; ///< of all elements, one after another
  Tensor shapes;  ///< int64: a row for each element, its sizes; those with fewer dimensions than others have -1 before them
  Ranks ranks;    ///< when packed

  Extent length() const { return list ? Extent(static_cast<int64_t>(list->size())) : shapes.shape[0]; }
};

/// What different values of one name have in common.
struct Form {
  bool isOptional = false, isSequence = false;
  DataType type = DataType::Undefined;
  Ranks ranks; ///< of the elements, or of the tensor
  bool operator==(const Form &) const = default;
  /// How many tensors a value of this form is taken apart into.
  size_t parts() const { return (isOptional ? 1 : 0) + (isSequence ? 2 : 1); }
};

/// A tensor or a sequence, or neither.
struct Optional {
  Tensor isPresent; ///< a boolean scalar
  Tensor payload;   ///< nothing when it is known to be absent
  Form form;        ///< of the payload

  /// Whether it is present, where that is known.
  std::optional<bool> known() const;
};

Tensor asValue(Sequence sequence);
Tensor asValue(Optional optional);
/// Strings as `bytes`, uint8: each is a row of the last dimension, with zeros behind it up to the longest one's length.
Tensor asText(const Tensor &bytes);
/// "a tensor", "a sequence", "an optional value", "strings".
llvm::StringRef kindOf(const Tensor &value);

Form formOf(const Tensor &value);
mlir::FailureOr<Form> join(Call &call, const Form &a, const Form &b);
/// As many tensors as the form has parts: whether an optional value is present; then the tensor, or a sequence's scalars and
/// shapes. Fails when sequences have more elements than the limit.
mlir::LogicalResult takeApart(Emitter &e, const Tensor &value, const Form &form, Tensors &parts);
Tensor putTogether(Emitter &e, llvm::ArrayRef<Tensor> parts, const Form &form);

/// Keeps count of elements of lists, which are copied and packed again and again; false when there are more than the limit.
bool countElements(Emitter &e, llvm::ArrayRef<Tensor> elements);
constexpr llvm::StringLiteral tooManyElements = "sequences have more elements than the limit, all together";

/// The same elements, packed, with as many columns of sizes as `ranks` say.
Sequence packed(Emitter &e, const Sequence &sequence, Ranks ranks);
/// `shapes` with more columns before them, of -1.
Tensor widened(Emitter &e, const Tensor &shapes, const Extent &columns);
/// How many scalars each element of a packed sequence has.
Tensor countsOf(Emitter &e, const Tensor &shapes);
/// An i1: whether dimension `dim` of all elements is of `size`, an index.
mlir::Value haveSize(Emitter &e, const Tensor &shapes, int64_t dim, mlir::Value size);
/// Ends the run unless there are as many scalars as the shapes say; so nothing that is read of them later lies outside.
void requirePacked(Emitter &e, const Sequence &sequence, const llvm::Twine &name);

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_COMPOUND_H
