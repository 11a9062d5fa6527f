// Cast, CastLike, BitCast.
#include "importers/onnx/Operators.h"

using namespace mlir;
using namespace moec::importers;
using namespace moec::importers::onnx;

static LogicalResult castTo(Call &call, DataType type) {
  call.leaveAside("round_mode");
  bool saturate = call.flag("saturate", true);
  if (!isKnown(type) || !call.e.elementType(type))
    return call.refuse("to: conversion to " + nameOf(type) + " is not supported");
  // Integers are rounded as the graph says; see WeightTable::seenAs for the rest.
  DataType seen = call.e.weights.seenAs(type);
  bool isRounded = seen == type || isInteger(call.in(0).type);
  Tensor result = isRounded ? call.e.cast(call.in(0), type, saturate) : call.in(0);
  call.give(0, call.e.cast(result, seen, saturate));
  return success();
}

static LogicalResult cast(Call &call) { return castTo(call, static_cast<DataType>(call.integer("to", 0))); }
static LogicalResult castLike(Call &call) { return castTo(call, call.in(1).type); }

static LogicalResult bitCast(Call &call) {
  auto type = static_cast<DataType>(call.integer("to", 0));
  const Tensor &input = call.in(0);
  if (!isKnown(type) || !call.e.elementType(type) || bitsOf(type) != bitsOf(input.type) || type == DataType::Bool ||
      input.type == DataType::Bool)
    return call.refuse("to: expected a type as wide as " + nameOf(input.type) + ", got " + nameOf(type));
  Subscripts all;
  for (int64_t axis = 0; axis < input.rank(); ++axis)
    all.push_back(static_cast<int>(axis));
  Type element = call.e.elementType(type);
  call.give(0, call.e.loop({input}, {all}, input.shape, input.rank(), type, std::nullopt, [&](Scalars &s, ValueRange x) -> Value {
    return x[0].getType() == element ? x[0] : Value(arith::BitcastOp::create(s.b, element, x[0]));
  }));
  return success();
}

ArrayRef<Operator> onnx::castOperators() {
  static constexpr Operator operators[] = {{"Cast", cast, 1, 1}, {"CastLike", castLike, 2, 2}, {"BitCast", bitCast, 1, 1, 1, 26}};
  return operators;
}
