// Optional values: whether one is there is known while importing, or a flag beside it.
#include "importers/onnx/Compound.h"
#include "importers/onnx/Operators.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

static LogicalResult optional(Call &call) {
  const ValueInfo *declared = call.declared("type");
  if (call.has(0)) {
    if (call.in(0).optional || call.in(0).text)
      return call.refuse("input: expected a tensor or a sequence, got " + kindOf(call.in(0)));
    if (call.in(0).sequence && call.in(0).sequence->list && !countElements(call.e, *call.in(0).sequence->list))
      return call.refuse(tooManyElements);
    call.give(0, asValue(Optional{call.e.known({1}, {}, DataType::Bool), call.in(0), formOf(call.in(0))}));
    return success();
  }
  if (!declared || (declared->kind != "tensor" && declared->kind != "sequence"))
    return call.refuse("attribute 'type': expected the type of a tensor or of a sequence, got " +
                       (declared ? declared->kind : "none"));
  if (!isKnown(declared->type) || !call.e.elementType(declared->type))
    return call.refuse("attribute 'type': tensors of " + nameOf(declared->type) + " are not supported");
  Form form{false, declared->kind == "sequence", call.e.weights.seenAs(declared->type), {}};
  if (!form.isSequence && declared->hasShape)
    form.ranks = {Ranks::Equal, static_cast<int64_t>(declared->dims.size())};
  call.give(0, asValue(Optional{call.e.known({0}, {}, DataType::Bool), {}, form}));
  return success();
}

static LogicalResult optionalHasElement(Call &call) {
  bool isOptional = call.has(0) && call.in(0).optional;
  call.give(0, isOptional ? call.in(0).optional->isPresent : call.e.known({call.has(0) ? 1 : 0}, {}, DataType::Bool));
  return success();
}

static LogicalResult optionalGetElement(Call &call) {
  const Optional *value = call.in(0).optional.get();
  if (!value) {
    call.give(0, call.in(0));
    return success();
  }
  if (value->known() == false)
    return call.refuse("input: expected a value that is there, got an absent one");
  if (!value->known())
    call.e.require(call.e.scalar(value->isPresent), call.place() + ": the optional value is absent");
  call.give(0, value->payload);
  return success();
}

ArrayRef<Operator> onnx::optionalOperators() {
  static constexpr Operator operators[] = {{"Optional", optional, 0, 1, 1, 1, 1000, true},
                                           {"OptionalHasElement", optionalHasElement, 0, 1, 1, 1, 1000, true},
                                           {"OptionalGetElement", optionalGetElement, 1, 1, 1, 1, 1000, true}};
  return operators;
}
