// Arrays in NumPy's .npy format, version 1.0.
#include "passes/evaluator/Npy.h"
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

Expected<std::vector<int32_t>> moec::evaluator::readIds(StringRef path) {
  auto refuse = [&](const Twine &why) { return createStringError(inconvertibleErrorCode(), path + ": " + why); };
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return refuse(buffer.getError().message());
  StringRef bytes = (*buffer)->getBuffer();
  if (!bytes.starts_with(magic) || bytes.size() < magic.size() + 2)
    return refuse("expected a .npy file of version 1.0");
  size_t length = support::endian::read16le(bytes.data() + magic.size()), from = magic.size() + 2;
  if (length > bytes.size() - from)
    return refuse("expected a header of " + Twine(length) + " bytes, got fewer");
  StringRef header = bytes.substr(from, length), data = bytes.substr(from + length);
  StringRef descr = entryOf(header, "'descr'").take_while([](char c) { return c != '\''; });
  size_t size = descr == "<i4" ? 4 : descr == "<i8" ? 8 : 0;
  if (!size)
    return refuse("expected ids of type '<i4' or '<i8', got '" + descr + "'");
  StringRef shape = entryOf(header, "'shape'").ltrim('(').take_while([](char c) { return c != ')'; }).rtrim(", ");
  uint64_t count;
  if (!to_integer(shape, count, 10) || count > data.size() / size || count * size != data.size())
    return refuse("expected one dimension and the data it says, got shape (" + shape + ") and " + Twine(data.size()) + " bytes");
  std::vector<int32_t> ids;
  for (uint64_t i = 0; i < count; ++i) {
    int64_t id = size == 4 ? support::endian::read<int32_t, endianness::little>(data.data() + i * size)
                           : support::endian::read<int64_t, endianness::little>(data.data() + i * size);
    if (id < 0 || id > INT32_MAX)
      return refuse("expected ids that are not negative and fit 32 bits, got " + Twine(id));
    ids.push_back(int32_t(id));
  }
  return ids;
}
