// The C interface (moec.h) of functions.
#include "runtime/Function.h"
#include "runtime/Reports.h"
#include "runtime/moec.h"

using namespace moec::runtime;

struct moec_function {
  std::unique_ptr<Function> function;
  std::vector<Tensor> results; ///< of the last run
};

static_assert(int(moec::artifact::ElementType::u64) == MOEC_U64 && int(moec::artifact::ElementType::f64) == MOEC_F64);

namespace {
using Descriptions = flatbuffers::Vector<flatbuffers::Offset<moec::artifact::TensorDescription>>;

/// What is known of tensor `index` before a run.
Status describe(const moec_function *function, const Descriptions *(moec::artifact::Function::*tensors)() const, size_t index,
                moec_tensor *tensor) {
  if (!function || !tensor)
    return missing("a function and a place for the tensor");
  const Descriptions &descriptions = *(function->function->description().*tensors)();
  if (index >= descriptions.size())
    return Status::invalidArgument("expected a tensor below " + std::to_string(descriptions.size()) + ", got " +
                                   std::to_string(index));
  const moec::artifact::TensorDescription &described = *descriptions.Get(uint32_t(index));
  *tensor = {described.name()->c_str(),
             moec_element(described.element()),
             described.shape()->size(),
             described.shape()->data(),
             nullptr,
             0};
  return {};
}
} // namespace

moec_status moec_function_create(moec_model *model, const moec_session_options *options, moec_function **function) {
  return guarded([&]() -> Status {
    if (!model || !function)
      return missing("a model and a place for the function");
    *function = nullptr;
    FunctionOptions functionOptions;
    if (options && options->isa)
      functionOptions.isa = options->isa;
    if (options && options->device && std::string_view(options->device) != "cpu")
      return Status::invalidArgument("functions run on the device 'cpu', got '" + std::string(options->device) + "'");
    Result<std::unique_ptr<Function>> created = Function::create(artifactOf(*model), "", functionOptions);
    if (!created.ok())
      return created.status();
    *function = new moec_function{std::move(*created), {}};
    return {};
  });
}

void moec_function_destroy(moec_function *function) { delete function; }

size_t moec_function_inputs(const moec_function *function) {
  return function ? function->function->description().inputs()->size() : 0;
}

size_t moec_function_outputs(const moec_function *function) {
  return function ? function->function->description().outputs()->size() : 0;
}

moec_status moec_function_input(const moec_function *function, size_t index, moec_tensor *tensor) {
  return guarded([&] { return describe(function, &moec::artifact::Function::inputs, index, tensor); });
}

moec_status moec_function_output(const moec_function *function, size_t index, moec_tensor *tensor) {
  return guarded([&] { return describe(function, &moec::artifact::Function::outputs, index, tensor); });
}

moec_status moec_function_run(moec_function *function, const moec_tensor *inputs, size_t count) {
  return guarded([&]() -> Status {
    if (!function || (count && !inputs))
      return missing("a function and its inputs");
    std::vector<Tensor> tensors;
    for (size_t index = 0; index < count; ++index) {
      const moec_tensor &input = inputs[index];
      if ((input.rank && !input.shape) || (input.bytes && !input.data))
        return missing("a shape and data");
      if (input.element < MOEC_F32 || input.element > MOEC_U64)
        return Status::invalidArgument("unknown element type " + std::to_string(int(input.element)));
      const auto *data = static_cast<const std::byte *>(input.data);
      tensors.push_back(
          {moec::artifact::ElementType(input.element), {input.shape, input.shape + input.rank}, {data, data + input.bytes}});
    }
    return take(function->results, function->function->run(tensors));
  });
}

moec_status moec_function_result(const moec_function *function, size_t index, moec_tensor *tensor) {
  return guarded([&]() -> Status {
    MOEC_RETURN_IF_ERROR(describe(function, &moec::artifact::Function::outputs, index, tensor));
    if (index >= function->results.size())
      return Status::invalidArgument("expected a run that succeeded before its results are asked for");
    const Tensor &result = function->results[index];
    tensor->shape = result.shape.data();
    tensor->data = result.bytes.data();
    tensor->bytes = result.bytes.size();
    return {};
  });
}
