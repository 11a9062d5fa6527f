// Attention and rotary embeddings as ops of the moe dialect, over rows.
#include "importers/onnx/operators/Attention.h"

#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;
using namespace moec::importers::onnx;

void onnx::staysGeneric(Emitter &e, const Twine &why) {
  remark::missed(e.b.getLoc(), remark::RemarkOpts::name("import-onnx").category("import-onnx")) << "stays loops: " << why.str();
}

/// [batch, heads, length, width] as rows of [batch x length, heads x width], and back.
static Value rowsOf(Emitter &e, const Tensor &tensor) {
  return e.rows(joinHeads(e, tensor), tensor.shape[1].constant() * tensor.shape[3].constant());
}
static Tensor headsOf(Emitter &e, Value rows, const Shape &shape, DataType type) {
  return e.transpose(e.fromRows(rows, {shape[0], shape[2], shape[1], shape[3]}, type), {0, 2, 1, 3});
}

static bool hasKnownHeads(const Tensor &tensor) {
  return tensor.shape[1].isConstant() && tensor.shape[3].isConstant() && tensor.shape[1].constant() > 0 &&
         tensor.shape[3].constant() > 0;
}

/// A number for each sequence, as ops take them.
static Value counts(Emitter &e, Value numbers) {
  auto type = RankedTensorType::get({ShapedType::kDynamic}, e.b.getI64Type());
  return numbers.getType() == type ? numbers : Value(tensor::CastOp::create(e.b, type, numbers));
}

static Value countsOf(Emitter &e, const Extent &batch, const CountFunction &count) {
  Tensor numbers = e.generate({batch}, DataType::Int64, [&](Scalars &s, ValueRange at) -> Value {
    Scalars indices(s.b);
    return arith::IndexCastOp::create(s.b, s.b.getI64Type(), count(indices, at[0]));
  });
  return counts(e, e.value(numbers));
}

/// The masks that no number says, as what is added to scores; null where there are none.
static FailureOr<Value> biasOf(Call &call, const AttentionInputs &inputs, const Extent &keys) {
  Emitter &e = call.e;
  bool isCounted = inputs.counted.has_value();
  if (!inputs.mask && (isCounted || !inputs.visible))
    return Value();
  auto sizeOf = [&](int64_t axis) -> Extent {
    int64_t own = inputs.mask ? axis - (4 - inputs.mask->rank()) : -1;
    return own >= 0 ? inputs.mask->shape[own] : Extent(1);
  };
  Shape shape = {sizeOf(0), sizeOf(1), sizeOf(2), keys};
  if (!isCounted && inputs.visible)
    shape[0] = inputs.query.shape[0], shape[2] = inputs.query.shape[2];
  AttentionInputs masks;
  masks.mask = inputs.mask;
  if (!isCounted)
    masks.visible = inputs.visible;
  FailureOr<Tensor> bias = masked(call, masks, e.filled(shape, DataType::Float32, 0));
  if (failed(bias))
    return failure();
  return e.value(*bias);
}

FailureOr<std::optional<Tensor>> onnx::attendRows(Call &call, const AttentionInputs &inputs) {
  Emitter &e = call.e;
  auto missed = [&](const Twine &why) {
    staysGeneric(e, why);
    return std::optional<Tensor>();
  };
  const Tensor &query = inputs.query, &key = inputs.key, &value = inputs.value;
  if (inputs.wantsScores || inputs.changeScores || inputs.changeWeights)
    return missed("its scores are an output or are changed on the way, which moe.attention does not have");
  if (bitsOf(query.type) > 32)
    return missed("moe.attention computes in f32, not in f64");
  if (!hasKnownHeads(query) || !hasKnownHeads(key) || !hasKnownHeads(value))
    return missed("the width of a head is not known");
  if (inputs.mask && inputs.mask->rank() > 4)
    return missed("its mask has more than four dimensions");
  int64_t heads = query.shape[1].constant();
  Value sinks;
  if (inputs.sinks) {
    if (inputs.sinks->rank() != 1 || !inputs.sinks->shape[0].is(heads))
      return missed("it does not have a sink for each head");
    sinks = e.value(*inputs.sinks);
  }
  FailureOr<Value> bias = biasOf(call, inputs, key.shape[2]);
  if (failed(bias))
    return failure();
  moe::Attended attended;
  attended.bias = *bias;
  const Extent &batch = query.shape[0];
  auto allKeys = [keys = e.extents.value(key.shape[2])](Scalars &, Value) { return keys; };
  attended.lengths = countsOf(e, batch, inputs.counted && inputs.counted->length ? inputs.counted->length : CountFunction(allKeys));
  std::optional<int64_t> window;
  if (inputs.counted && inputs.counted->first) {
    attended.first = countsOf(e, batch, inputs.counted->first);
    window = inputs.counted->window;
  }
  int64_t valueWidth = value.shape[3].constant(), width = query.shape[3].constant();
  auto type = RankedTensorType::get({ShapedType::kDynamic, heads * valueWidth}, e.b.getF32Type());
  std::optional<double> softCap = inputs.softCap == 0 ? std::nullopt : std::optional(inputs.softCap);
  Value result = moe::AttentionOp::create(e.b, type, rowsOf(e, query), rowsOf(e, key), rowsOf(e, value), attended, sinks, width,
                                          inputs.scale, window, softCap);
  return std::optional(headsOf(e, result, {batch, heads, query.shape[2], valueWidth}, query.type));
}

std::optional<Tensor> onnx::rotatedRows(Emitter &e, const Tensor &tensor, const Rotation &rotation) {
  if (bitsOf(tensor.type) > 32) {
    staysGeneric(e, "moe.rope computes in f32, not in f64");
    return std::nullopt;
  }
  if (!hasKnownHeads(tensor)) {
    staysGeneric(e, "the number of heads or their width is not known");
    return std::nullopt;
  }
  int64_t pairs = rotation.dims / 2;
  auto table = [&](const Tensor &angles) {
    return e.rows(e.expand(angles, Shape{tensor.shape[0], tensor.shape[2], pairs}), pairs);
  };
  auto layout = rotation.isInterleaved ? moe::RotaryLayout::Interleaved : moe::RotaryLayout::Half;
  auto rotary = moe::RotaryAttr::get(e.b.getContext(), rotation.dims, std::nullopt, layout, 0, 1.0, false, {});
  Value result =
      moe::RopeOp::create(e.b, rowsOf(e, tensor), table(rotation.cos), table(rotation.sin), tensor.shape[3].constant(), rotary);
  return headsOf(e, result, tensor.shape, tensor.type);
}
