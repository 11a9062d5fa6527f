// The safetensors format, strictly: 8 bytes of length, that many bytes of JSON, then the tensors without a gap.
#include "importers/safetensors/Header.h"
#include "importers/Refusal.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"

#include <algorithm>

using namespace moec::importers;
using namespace moec::importers::safetensors;
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
class Reader {
public:
  Reader(StringRef file, uint64_t fileSize) : file(file), fileSize(fileSize) {}

  llvm::Expected<uint64_t> headerLength(StringRef start) {
    if (fileSize < lengthBytes || start.size() < lengthBytes)
      return no("expected at least 8 bytes, got " + Twine(fileSize));
    uint64_t length = llvm::support::endian::read64le(start.data());
    if (length > maxHeaderBytes)
      return no("expected a header of at most " + Twine(maxHeaderBytes) + " bytes, got " + Twine(length));
    if (length > fileSize - lengthBytes)
      return no("expected a header within the file's " + Twine(fileSize) + " bytes, got a header of " + Twine(length));
    return length;
  }

  llvm::Expected<Header> tensors(StringRef text) {
    if (!text.starts_with("{"))
      return no("expected a header that starts with '{'");
    llvm::Expected<json::Value> parsed = json::parse(text, file, {.bytes = maxHeaderBytes});
    if (!parsed)
      return parsed.takeError();
    data = lengthBytes + text.size();
    Header header;
    for (const json::Member &member : *parsed->object()) {
      if (member.key == "__metadata__") {
        if (llvm::Error error = checkMetadata(member.value))
          return error;
        continue;
      }
      if (header.size() == maxTensors)
        return no("more than " + Twine(maxTensors) + " tensors");
      llvm::Expected<Tensor> tensor = readTensor(member.key, member.value);
      if (!tensor)
        return tensor.takeError();
      header.push_back(std::move(*tensor));
    }
    if (llvm::Error error = checkLayout(header))
      return error;
    return header;
  }

private:
  llvm::Error no(const Twine &why) { return refuse(file + ": " + why); }
  llvm::Error no(StringRef tensor, const Twine &why) { return refuse(file + ": tensor '" + tensor + "': " + why); }

  llvm::Error checkMetadata(const json::Value &value) {
    if (!value.object())
      return no("__metadata__: expected an object, got " + value.kind());
    for (const json::Member &member : *value.object())
      if (!member.value.string())
        return no("__metadata__." + member.key + ": expected a string, got " + member.value.kind());
    return llvm::Error::success();
  }

  llvm::Expected<Tensor> readTensor(const std::string &name, const json::Value &value) {
    if (!value.object())
      return no(name, "expected an object, got " + value.kind());
    for (const json::Member &member : *value.object())
      if (member.key != "dtype" && member.key != "shape" && member.key != "data_offsets")
        return no(name, "unknown key '" + member.key + "'");

    Tensor tensor;
    tensor.name = name;
    const json::Value *dtype = value.find("dtype");
    if (!dtype || !dtype->string())
      return no(name, "dtype: expected a string, got " + (dtype ? dtype->kind() : "nothing"));
    const Type *type = std::find_if(std::begin(types), std::end(types), [&](const Type &t) { return t.name == *dtype->string(); });
    if (type == std::end(types))
      return no(name, "dtype: unknown type '" + *dtype->string() + "'");
    tensor.type = type->name;

    llvm::Expected<std::vector<int64_t>> shape = integers(name, value, "shape");
    if (!shape)
      return shape.takeError();
    if (shape->size() > maxRank)
      return no(name, "shape: expected at most " + Twine(maxRank) + " dimensions, got " + Twine(shape->size()));
    tensor.shape.assign(shape->begin(), shape->end());
    int64_t bits = type->bits;
    for (int64_t dim : *shape)
      if (__builtin_mul_overflow(bits, dim, &bits))
        return no(name, "shape: its size overflows");
    if (bits % 8)
      return no(name, "shape: expected whole bytes, got " + Twine(bits) + " bits of " + type->name);
    tensor.bytes = bits / 8;

    llvm::Expected<std::vector<int64_t>> offsets = integers(name, value, "data_offsets");
    if (!offsets)
      return offsets.takeError();
    if (offsets->size() != 2 || (*offsets)[0] > (*offsets)[1])
      return no(name, "data_offsets: expected a begin and an end not before it");
    if ((*offsets)[1] - (*offsets)[0] != tensor.bytes)
      return no(name, "data_offsets: expected " + Twine(tensor.bytes) + " bytes as dtype and shape say, got " +
                          Twine((*offsets)[1] - (*offsets)[0]));
    tensor.offset = data + (*offsets)[0];
    return tensor;
  }

  llvm::Expected<std::vector<int64_t>> integers(StringRef tensor, const json::Value &value, StringRef key) {
    const json::Value *list = value.find(key);
    if (!list || !list->array())
      return no(tensor, key + ": expected an array, got " + (list ? list->kind() : "nothing"));
    std::vector<int64_t> result;
    for (const json::Value &element : *list->array()) {
      std::optional<int64_t> integer = element.integer();
      if (!integer || *integer < 0 || *integer > maxInteger)
        return no(tensor, key + ": expected integers from 0 to 2^48 - 1");
      result.push_back(*integer);
    }
    return result;
  }

  /// The tensors fill the rest of the file, each byte belonging to one of them.
  llvm::Error checkLayout(Header &header) {
    std::sort(header.begin(), header.end(),
              [](const Tensor &a, const Tensor &b) { return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes); });
    int64_t end = data;
    StringRef previous = "the header";
    for (const Tensor &tensor : header) {
      if (tensor.offset < end)
        return no(tensor.name, "begins " + Twine(end - tensor.offset) + " bytes before the end of " + previous);
      if (tensor.offset > end)
        return no(tensor.name, Twine(tensor.offset - end) + " bytes between it and " + previous + " belong to no tensor");
      end = tensor.offset + tensor.bytes;
      previous = tensor.name;
    }
    if (static_cast<uint64_t>(end) != fileSize)
      return no("expected " + Twine(end) + " bytes as the header says, got a file of " + Twine(fileSize));
    return llvm::Error::success();
  }

  StringRef file;
  uint64_t fileSize;
  /// Where the tensors begin in the file.
  int64_t data = 0;
};

} // namespace

llvm::Expected<Header> safetensors::readHeader(const File &file) {
  char start[lengthBytes] = {};
  if (file.size() >= lengthBytes)
    if (llvm::Error error = file.read(0, start))
      return error;
  Reader reader(file.path(), file.size());
  llvm::Expected<uint64_t> length = reader.headerLength(StringRef(start, lengthBytes));
  if (!length)
    return length.takeError();
  std::string text(*length, '\0');
  if (llvm::Error error = file.read(lengthBytes, text))
    return error;
  return reader.tensors(text);
}

llvm::Expected<Header> safetensors::readHeader(StringRef start, uint64_t fileSize, StringRef name) {
  Reader reader(name, fileSize);
  llvm::Expected<uint64_t> length = reader.headerLength(start);
  if (!length)
    return length.takeError();
  return reader.tensors(start.substr(lengthBytes, *length));
}
