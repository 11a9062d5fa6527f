// Tensors of functions as .npy files.
#include "runtime/npy/TensorFile.h"

#include "runtime/npy/Npy.h"

#include <bit>
#include <cmath>
#include <cstring>

using namespace moec::runtime;
using moec::artifact::ElementType;

namespace {
/// NumPy's type for `element`; that of its bits for bf16.
const char *npyTypeOf(ElementType element) {
  switch (element) {
  case ElementType::f16:
    return "<f2";
  case ElementType::f32:
    return "<f4";
  case ElementType::f64:
    return "<f8";
  case ElementType::boolean:
    return "|b1";
  case ElementType::i8:
    return "|i1";
  case ElementType::i16:
    return "<i2";
  case ElementType::i32:
    return "<i4";
  case ElementType::i64:
    return "<i8";
  case ElementType::u8:
    return "|u1";
  case ElementType::u16:
  case ElementType::bf16:
    return "<u2";
  case ElementType::u32:
    return "<u4";
  case ElementType::u64:
    return "<u8";
  }
  return "";
}

template <typename T> std::vector<T> elementsOf(std::span<const std::byte> bytes) {
  std::vector<T> elements(bytes.size() / sizeof(T));
  if (!elements.empty())
    std::memcpy(elements.data(), bytes.data(), bytes.size());
  return elements;
}

float fromBF16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

uint16_t toBF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return uint16_t(bits >> 16 | 0x40);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

double fromF16(uint16_t bits) {
  int exponent = bits >> 10 & 31;
  double fraction = bits & 1023, sign = bits >> 15 ? -1 : 1;
  if (exponent == 31)
    return fraction != 0 ? NAN : sign * INFINITY;
  return sign * (exponent ? std::ldexp(fraction + 1024, exponent - 25) : std::ldexp(fraction, -24));
}

template <typename T> std::vector<double> widened(std::span<const std::byte> bytes) {
  std::vector<double> values;
  for (T element : elementsOf<T>(bytes))
    values.push_back(double(element)); // NOLINT(bugprone-signed-char-misuse): an 8-bit integer is a number here
  return values;
}
} // namespace

Result<Tensor> moec::runtime::readTensor(const std::string &path, ElementType element) {
  Result<NpyFile> file = readNpyFile(path);
  if (!file.ok())
    return file.status();
  Tensor tensor{element, file->shape, {}};
  if (element == ElementType::bf16 && file->type == "<f4") {
    std::vector<uint16_t> rounded;
    for (float value : elementsOf<float>(file->bytes))
      rounded.push_back(toBF16(value));
    std::span<const std::byte> bytes = std::as_bytes(std::span(rounded));
    tensor.bytes.assign(bytes.begin(), bytes.end());
    return tensor;
  }
  if (file->type != npyTypeOf(element) && !(element == ElementType::bf16 && file->type.ends_with("V2")))
    return Status::invalidData(path + ": expected " + artifact::EnumNameElementType(element) + " (" + npyTypeOf(element) +
                               (element == ElementType::bf16 ? " or <f4" : "") + "), got " + file->type);
  tensor.bytes.assign(file->bytes.begin(), file->bytes.end());
  if (element == ElementType::boolean)
    for (std::byte &byte : tensor.bytes)
      byte = std::byte(byte != std::byte(0));
  return tensor;
}

Status moec::runtime::writeTensor(const std::string &path, const Tensor &tensor) {
  bool widens = tensor.element == ElementType::bf16;
  Result<NpyWriter> writer = NpyWriter::create(path, widens ? "<f4" : npyTypeOf(tensor.element), tensor.shape);
  if (!writer.ok())
    return writer.status();
  std::vector<float> wide;
  if (widens)
    for (uint16_t bits : elementsOf<uint16_t>(tensor.bytes))
      wide.push_back(fromBF16(bits));
  MOEC_RETURN_IF_ERROR(writer->append(widens ? std::as_bytes(std::span(wide)) : std::span<const std::byte>(tensor.bytes)));
  return writer->finish();
}

std::vector<double> moec::runtime::doublesOf(const Tensor &tensor) {
  std::vector<double> values;
  switch (tensor.element) {
  case ElementType::f16:
    for (uint16_t bits : elementsOf<uint16_t>(tensor.bytes))
      values.push_back(fromF16(bits));
    return values;
  case ElementType::bf16:
    for (uint16_t bits : elementsOf<uint16_t>(tensor.bytes))
      values.push_back(fromBF16(bits));
    return values;
  case ElementType::f32:
    return widened<float>(tensor.bytes);
  case ElementType::f64:
    return widened<double>(tensor.bytes);
  case ElementType::boolean:
  case ElementType::u8:
    return widened<uint8_t>(tensor.bytes);
  case ElementType::i8:
    return widened<int8_t>(tensor.bytes);
  case ElementType::i16:
    return widened<int16_t>(tensor.bytes);
  case ElementType::u16:
    return widened<uint16_t>(tensor.bytes);
  case ElementType::i32:
    return widened<int32_t>(tensor.bytes);
  case ElementType::u32:
    return widened<uint32_t>(tensor.bytes);
  case ElementType::i64:
    return widened<int64_t>(tensor.bytes);
  case ElementType::u64:
    return widened<uint64_t>(tensor.bytes);
  }
  return values;
}
