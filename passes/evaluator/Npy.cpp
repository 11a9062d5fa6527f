// Arrays in NumPy's .npy format, version 1.0.
#include "passes/evaluator/Npy.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/EndianStream.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec::evaluator;

static constexpr StringRef magic("\x93NUMPY\x01\x00", 8);

static void writeElement(raw_ostream &out, double value, NpyType type) {
  switch (type) {
  case NpyType::F64:
    return support::endian::write(out, value, endianness::little);
  case NpyType::F32:
    return support::endian::write(out, float(value), endianness::little);
  case NpyType::I32:
    return support::endian::write(out, int32_t(value), endianness::little);
  }
}

Error moec::evaluator::writeNpy(StringRef path, const Tensor &tensor, NpyType type) {
  StringRef descr = type == NpyType::F64 ? "<f8" : type == NpyType::F32 ? "<f4" : "<i4";
  std::string shape;
  for (int64_t dim : tensor.shape)
    shape += std::to_string(dim) + ",";
  std::string header = ("{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + shape + "), }").str();
  header.append(63 - (magic.size() + 2 + header.size()) % 64, ' '); // data starts at a multiple of 64, after a line feed
  header += '\n';
  return writeToOutput(path, [&](raw_ostream &out) -> Error {
    out << magic;
    support::endian::write(out, uint16_t(header.size()), endianness::little);
    out << header;
    for (double value : tensor.elements)
      writeElement(out, value, type);
    return Error::success();
  });
}

/// What follows `key` in a header's dictionary.
static StringRef entryOf(StringRef header, StringRef key) {
  size_t at = header.find(key);
  return at == StringRef::npos ? "" : header.substr(at + key.size()).ltrim(" ':");
}

template <typename T> static double numberAt(const char *data) {
  return double(support::endian::read<T, endianness::little>(data));
}

static double halfAt(const char *data) {
  return APFloat(APFloat::IEEEhalf(), APInt(16, support::endian::read16le(data))).convertToDouble();
}

namespace {
/// A type of elements: how a header spells it, its bytes, and how to read one.
struct ElementType {
  StringRef descr;
  size_t size;
  double (*read)(const char *data);
};

/// What a file holds.
struct Contents {
  std::unique_ptr<MemoryBuffer> buffer;
  const ElementType *type;
  std::vector<int64_t> shape;
  StringRef data;
};
} // namespace

static const ElementType elementTypes[] = {
    {"|b1", 1, numberAt<uint8_t>},  {"|i1", 1, numberAt<int8_t>},
    {"|u1", 1, numberAt<uint8_t>},  {"<i2", 2, numberAt<int16_t>},
    {"<u2", 2, numberAt<uint16_t>}, {"<i4", 4, numberAt<int32_t>},
    {"<u4", 4, numberAt<uint32_t>}, {"<i8", 8, numberAt<int64_t>},
    {"<u8", 8, numberAt<uint64_t>}, {"<f2", 2, halfAt},
    {"<f4", 4, numberAt<float>},    {"<f8", 8, numberAt<double>},
};

static Error refuse(StringRef path, const Twine &why) { return createStringError(inconvertibleErrorCode(), path + ": " + why); }

static Expected<Contents> readContents(StringRef path) {
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return refuse(path, buffer.getError().message());
  StringRef bytes = (*buffer)->getBuffer();
  if (!bytes.starts_with(magic) || bytes.size() < magic.size() + 2)
    return refuse(path, "expected a .npy file of version 1.0");
  size_t length = support::endian::read16le(bytes.data() + magic.size()), from = magic.size() + 2;
  if (length > bytes.size() - from)
    return refuse(path, "expected a header of " + Twine(length) + " bytes, got fewer");
  StringRef header = bytes.substr(from, length), data = bytes.substr(from + length);
  StringRef descr = entryOf(header, "'descr'").take_while([](char c) { return c != '\''; });
  auto type = find_if(elementTypes, [&](const ElementType &type) { return type.descr == descr; });
  if (type == std::end(elementTypes))
    return refuse(path, "expected booleans, integers or floating-point numbers, got '" + descr + "'");
  if (entryOf(header, "'fortran_order'").starts_with("True"))
    return refuse(path, "expected elements in C order, got Fortran's");
  StringRef spelled = entryOf(header, "'shape'").ltrim('(').take_while([](char c) { return c != ')'; });
  Contents contents{nullptr, type, {}, data};
  uint64_t count = 1;
  for (StringRef part : split(spelled.rtrim(", "), ',')) {
    uint64_t dim;
    if (spelled.rtrim(", ").empty())
      break;
    if (!to_integer(part.trim(), dim, 10) || (dim && count > UINT64_MAX / dim))
      return refuse(path,
                    "expected a shape and the data it says, got shape (" + spelled + ") and " + Twine(data.size()) + " bytes");
    count *= dim;
    contents.shape.push_back(int64_t(dim));
  }
  if (count > data.size() / type->size || count * type->size != data.size())
    return refuse(path, "expected a shape and the data it says, got shape (" + spelled + ") and " + Twine(data.size()) + " bytes");
  contents.buffer = std::move(*buffer);
  return contents;
}

Expected<Tensor> moec::evaluator::readNpy(StringRef path) {
  Expected<Contents> contents = readContents(path);
  if (!contents)
    return contents.takeError();
  Tensor tensor(contents->shape);
  for (auto [index, element] : enumerate(tensor.elements))
    element = contents->type->read(contents->data.data() + index * contents->type->size);
  return tensor;
}

Expected<std::vector<int32_t>> moec::evaluator::readIds(StringRef path) {
  Expected<Contents> contents = readContents(path);
  if (!contents)
    return contents.takeError();
  const ElementType &type = *contents->type;
  if (type.descr != "<i4" && type.descr != "<i8")
    return refuse(path, "expected ids of type '<i4' or '<i8', got '" + type.descr + "'");
  if (contents->shape.size() != 1)
    return refuse(path, "expected one dimension, got " + Twine(contents->shape.size()));
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < contents->shape.front(); ++i) {
    double id = type.read(contents->data.data() + size_t(i) * type.size);
    if (id < 0 || id > INT32_MAX)
      return refuse(path, "expected ids that are not negative and fit 32 bits, got " + Twine(int64_t(id)));
    ids.push_back(int32_t(id));
  }
  return ids;
}
