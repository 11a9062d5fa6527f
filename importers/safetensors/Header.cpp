// The safetensors format, strictly: 8 bytes of length, that many bytes of JSON, then the tensors without a gap.
#include "importers/safetensors/Header.h"
#include "importers/Refusal.h"
#include "importers/json/Reader.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/Path.h"

#include <memory>

using namespace moec::importers;
using namespace moec::importers::safetensors;
using llvm::CachedHashStringRef;
using llvm::StringRef;
using llvm::Twine;

namespace {

constexpr uint64_t lengthBytes = 8;
/// The format's bound for every integer in a header.
constexpr int64_t maxInteger = (int64_t(1) << 48) - 1;

struct Type {
  StringRef name;
  unsigned bits;
};
constexpr Type types[] = {{"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},   {"I8", 8},
                          {"F8_E5M2", 8},     {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},    {"U16", 16}, {"F8_E4M3FNUZ", 8},
                          {"F8_E5M2FNUZ", 8}, {"F16", 16},    {"BF16", 16},   {"I32", 32},    {"U32", 32}, {"F32", 32},
                          {"C64", 64},        {"F64", 64},    {"I64", 64},    {"U64", 64}};

/// One file's reading: every refusal names the file, and the tensor where there is one.
class HeaderReader {
public:
  HeaderReader(StringRef file, uint64_t fileSize, StringRef text)
      : file(file), fileSize(fileSize), data(lengthBytes + text.size()), json(text, file, {.bytes = maxHeaderBytes}),
        fileName(llvm::sys::path::filename(file).copy(header.names)) {}

  llvm::Expected<Header> read() {
    header.tensors.reserve(size_t(data) / 100); // nearly every tensor takes more
    json.beginObject(json::Keys::LeftToCaller);
    llvm::DenseSet<CachedHashStringRef> keys;
    keys.reserve(unsigned(header.tensors.capacity()));
    for (StringRef name; json.nextMember(name);) {
      CachedHashStringRef key(name.copy(header.names));
      if (!keys.insert(key).second)
        return no("key '" + name + "' is given twice");
      if (name == "__metadata__") {
        if (llvm::Error error = checkMetadata())
          return error;
        continue;
      }
      if (header.tensors.size() == maxTensors)
        return refuse(file + ": more than " + Twine(maxTensors) + " tensors");
      if (llvm::Error error = readTensor(header.tensors.emplace_back(key, fileName)))
        return error;
    }
    if (llvm::Error error = json.finish())
      return error;
    if (llvm::Error error = checkLayout())
      return error;
    return std::move(header);
  }

private:
  llvm::Error no(const Twine &why) {
    json.skipRest();
    return json.failed() ? json.problem() : refuse(file + ": " + why);
  }
  llvm::Error no(StringRef tensor, const Twine &why) { return no("tensor '" + tensor + "': " + why); }

  llvm::Error checkMetadata() {
    if (!json.beginObject())
      return no("__metadata__: expected an object, got " + json.kind());
    for (StringRef key; json.nextMember(key);)
      if (!json.string())
        return no("__metadata__." + key + ": expected a string, got " + json.kind());
    return json.problem();
  }

  llvm::Error readTensor(Tensor &tensor) {
    StringRef name = tensor.name.val();
    if (!json.beginObject())
      return no(name, "expected an object, got " + json.kind());
    const Type *type = nullptr;
    bool hasShape = false, hasOffsets = false;
    llvm::SmallVector<int64_t, 2> offsets;
    for (StringRef key; json.nextMember(key);) {
      llvm::Error error = key == "dtype"          ? readType(type, name)
                          : key == "shape"        ? readIntegers(tensor.shape, hasShape, name, key)
                          : key == "data_offsets" ? readIntegers(offsets, hasOffsets, name, key)
                                                  : no(name, "unknown key '" + key + "'");
      if (error)
        return error;
    }
    if (json.failed())
      return json.problem();
    if (!type)
      return no(name, "dtype: expected a string, got nothing");
    if (!hasShape)
      return no(name, "shape: expected an array, got nothing");
    if (!hasOffsets)
      return no(name, "data_offsets: expected an array, got nothing");
    tensor.type = type->name;
    return checkSize(tensor, *type, offsets);
  }

  llvm::Error readType(const Type *&type, StringRef tensor) {
    std::optional<StringRef> name = json.string();
    if (!name)
      return no(tensor, "dtype: expected a string, got " + json.kind());
    type = llvm::find_if(types, [&](const Type &known) { return known.name == *name; });
    return type == std::end(types) ? no(tensor, "dtype: unknown type '" + *name + "'") : llvm::Error::success();
  }

  llvm::Error readIntegers(llvm::SmallVectorImpl<int64_t> &list, bool &isThere, StringRef tensor, StringRef key) {
    isThere = true;
    if (!json.beginArray())
      return no(tensor, key + ": expected an array, got " + json.kind());
    while (json.nextElement()) {
      std::optional<int64_t> integer = json.integer();
      if (!integer || *integer < 0 || *integer > maxInteger)
        return no(tensor, key + ": expected integers from 0 to 2^48 - 1");
      list.push_back(*integer);
    }
    return json.problem();
  }

  /// Sets where `tensor` lies from its `offsets` behind the header.
  llvm::Error checkSize(Tensor &tensor, const Type &type, llvm::ArrayRef<int64_t> offsets) {
    StringRef name = tensor.name.val();
    if (tensor.shape.size() > maxRank)
      return no(name, "shape: expected at most " + Twine(maxRank) + " dimensions, got " + Twine(tensor.shape.size()));
    int64_t bits = type.bits;
    for (int64_t dim : tensor.shape)
      if (__builtin_mul_overflow(bits, dim, &bits))
        return no(name, "shape: its size overflows");
    if (bits % 8)
      return no(name, "shape: expected whole bytes, got " + Twine(bits) + " bits of " + type.name);
    tensor.bytes = bits / 8;
    if (offsets.size() != 2 || offsets[0] > offsets[1])
      return no(name, "data_offsets: expected a begin and an end not before it");
    if (offsets[1] - offsets[0] != tensor.bytes)
      return no(name, "data_offsets: expected " + Twine(tensor.bytes) + " bytes as dtype and shape say, got " +
                          Twine(offsets[1] - offsets[0]));
    tensor.offset = data + offsets[0];
    return llvm::Error::success();
  }

  /// The tensors fill the rest of the file, each byte belonging to one of them.
  llvm::Error checkLayout() {
    auto liesBefore = [](const Tensor &a, const Tensor &b) { return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes); };
    if (!llvm::is_sorted(header.tensors, liesBefore)) // as they mostly are
      llvm::sort(header.tensors, liesBefore);
    int64_t end = data;
    StringRef previous = "the header";
    for (const Tensor &tensor : header.tensors) {
      if (tensor.offset < end)
        return no(tensor.name.val(), "begins " + Twine(end - tensor.offset) + " bytes before the end of " + previous);
      if (tensor.offset > end)
        return no(tensor.name.val(), Twine(tensor.offset - end) + " bytes between it and " + previous + " belong to no tensor");
      end = tensor.offset + tensor.bytes;
      previous = tensor.name.val();
    }
    if (static_cast<uint64_t>(end) != fileSize)
      return no("expected " + Twine(end) + " bytes as the header says, got a file of " + Twine(fileSize));
    return llvm::Error::success();
  }

  StringRef file;
  uint64_t fileSize;
  /// Where the tensors begin in the file.
  int64_t data;
  json::Reader json;
  Header header;
  /// In `header`.
  StringRef fileName;
};

/// The length of the header, which the first bytes of a file of `fileSize` bytes say.
llvm::Expected<uint64_t> headerLength(StringRef start, uint64_t fileSize, StringRef file) {
  if (fileSize < lengthBytes || start.size() < lengthBytes)
    return refuse(file + ": expected at least 8 bytes, got " + Twine(fileSize));
  uint64_t length = llvm::support::endian::read64le(start.data());
  if (length > maxHeaderBytes)
    return refuse(file + ": expected a header of at most " + Twine(maxHeaderBytes) + " bytes, got " + Twine(length));
  if (length > fileSize - lengthBytes)
    return refuse(file + ": expected a header within the file's " + Twine(fileSize) + " bytes, got a header of " + Twine(length));
  return length;
}

llvm::Expected<Header> tensorsOf(StringRef text, uint64_t fileSize, StringRef file) {
  if (!text.starts_with("{"))
    return refuse(file + ": expected a header that starts with '{'");
  return HeaderReader(file, fileSize, text).read();
}

} // namespace

llvm::Expected<Header> safetensors::readHeader(const File &file) {
  char start[lengthBytes] = {};
  if (file.size() >= lengthBytes)
    if (llvm::Error error = file.read(0, start))
      return error;
  llvm::Expected<uint64_t> length = headerLength(StringRef(start, lengthBytes), file.size(), file.path());
  if (!length)
    return length.takeError();
  auto text = std::make_unique_for_overwrite<char[]>(*length);
  if (llvm::Error error = file.read(lengthBytes, {text.get(), *length}))
    return error;
  return tensorsOf({text.get(), *length}, file.size(), file.path());
}

llvm::Expected<Header> safetensors::readHeader(StringRef start, uint64_t fileSize, StringRef path) {
  llvm::Expected<uint64_t> length = headerLength(start, fileSize, path);
  return length ? tensorsOf(start.substr(lengthBytes, *length), fileSize, path) : length.takeError();
}
