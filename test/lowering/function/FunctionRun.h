// Functions written as text, compiled in this process and run on every level of processor that the host has.
#ifndef MOEC_TEST_LOWERING_FUNCTION_FUNCTIONRUN_H
#define MOEC_TEST_LOWERING_FUNCTION_FUNCTIONRUN_H

#include "runtime/Function.h"

#include <cstring>
#include <string>
#include <vector>

namespace moec::test {

using runtime::Tensor;

template <typename T> Tensor tensorOf(artifact::ElementType element, std::vector<int64_t> shape, const std::vector<T> &values) {
  Tensor tensor{element, std::move(shape), std::vector<std::byte>(values.size() * sizeof(T))};
  if (!values.empty())
    std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}
inline Tensor floats(std::vector<int64_t> shape, const std::vector<float> &values) {
  return tensorOf(artifact::ElementType::f32, std::move(shape), values);
}
inline Tensor longs(std::vector<int64_t> shape, const std::vector<int64_t> &values) {
  return tensorOf(artifact::ElementType::i64, std::move(shape), values);
}
template <typename T> std::vector<T> elementsOf(const Tensor &tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  if (!values.empty())
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

/// Numbers between -1 and 1, the same for the same seed.
std::vector<float> randomFloats(int64_t count, uint32_t seed);

/// A compiled module of functions.
class CompiledFunctions {
public:
  /// From `text`, whose weights lie in the bytes of a file "weights".
  explicit CompiledFunctions(const std::string &text, const std::string &weights = "");
  ~CompiledFunctions();

  /// The outputs of @main on each level that the host has, lowest first; fails the test when one has none.
  std::vector<std::vector<Tensor>> run(const std::vector<Tensor> &inputs);
  /// Why @main refuses `inputs`, the same on every level.
  std::string refusal(const std::vector<Tensor> &inputs);

private:
  std::vector<runtime::Result<std::vector<Tensor>>> runEach(const std::vector<Tensor> &inputs);

  std::string folder;
  std::unique_ptr<runtime::Artifact> artifact;
};

} // namespace moec::test

#endif // MOEC_TEST_LOWERING_FUNCTION_FUNCTIONRUN_H
