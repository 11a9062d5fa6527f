// TensorProto: dimensions, element type, and one of three places for the elements: raw bytes, numbers of their type, another file.
#include "importers/onnx/TensorReader.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

using namespace moec::importers;
using namespace moec::importers::onnx;
using llvm::StringRef;
using llvm::Twine;
using protobuf::Message;

namespace {
/// Numbers of the schema's fields.
enum Field : uint32_t {
  Dims = 1,
  Type = 2,
  Segment = 3,
  FloatData = 4,
  Int32Data = 5,
  StringData = 6,
  Int64Data = 7,
  Name = 8,
  RawData = 9,
  DoubleData = 10,
  Uint64Data = 11,
  ExternalData = 13,
  DataLocation = 14
};
} // namespace

/// What a message carries, before it is known what it should carry.
struct TensorReader::Payload {
  std::optional<StringRef> raw;
  uint32_t typed = 0;    ///< the field of typed numbers
  bool twoTyped = false; ///< more than one such field
  StringRef message;
  bool isExternal = false;
  std::optional<StringRef> location, offset, length;
};

void TensorReader::stop(const StoredTensor &tensor, const Twine &why) {
  if (problem.empty())
    problem = ("tensor '" + tensor.name + "': " + why).str();
}

void TensorReader::readExternalEntry(Message message, Payload &payload) {
  StringRef key, value;
  while (message.next()) {
    if (message.field() == 1)
      key = message.bytes();
    else if (message.field() == 2)
      value = message.bytes();
  }
  if (key == "location")
    payload.location = value;
  else if (key == "offset")
    payload.offset = value;
  else if (key == "length")
    payload.length = value;
}

StoredTensor TensorReader::read(Message message) {
  StoredTensor tensor;
  Payload payload;
  int64_t type = 0;
  if (!budget.take(budget.items, 1))
    message.stop("the file has more tensors than the limit");
  payload.message = message.remaining();
  while (message.next()) {
    switch (message.field()) {
    case Dims:
      message.varints([&](uint64_t dim) {
        if (!budget.take(budget.dims, 1) || tensor.dims.size() >= static_cast<size_t>(limits.rank))
          message.stop("a tensor's dimensions are more than the limit of " + Twine(limits.rank));
        else
          tensor.dims.push_back(static_cast<int64_t>(dim));
      });
      break;
    case Type:
      type = message.int32();
      break;
    case Name:
      tensor.name = message.bytes();
      break;
    case RawData:
      payload.raw = message.bytes();
      break;
    case FloatData:
    case Int32Data:
    case StringData:
    case Int64Data:
    case DoubleData:
    case Uint64Data:
      payload.twoTyped |= payload.typed && payload.typed != message.field();
      payload.typed = message.field();
      break;
    case ExternalData:
      readExternalEntry(message.message(), payload);
      break;
    case DataLocation:
      payload.isExternal = message.int32() == 1;
      break;
    case Segment:
      stop(tensor, "segments of tensors are not supported");
      break;
    default:
      break;
    }
  }
  if (!problem.empty())
    return tensor;
  tensor.type = static_cast<DataType>(type);
  if (!isKnown(tensor.type))
    stop(tensor, "data type " + Twine(type) + " is not known");
  else if (measure(tensor))
    place(tensor, payload);
  return tensor;
}

void TensorReader::refuseSparse(Message message) {
  StringRef name;
  while (message.next())
    if (message.field() == 1)
      for (Message values = message.message(); values.next();)
        if (values.field() == Name)
          name = values.bytes();
  message.stop("tensor '" + name + "': sparse tensors are not supported: store it as a dense one");
}

/// Counts elements and bytes; false after a problem.
bool TensorReader::measure(StoredTensor &tensor) {
  int64_t count = 1;
  bool overflow = false;
  for (int64_t dim : tensor.dims) {
    if (dim < 0) {
      stop(tensor, "expected dimensions of at least 0, got " + Twine(dim));
      return false;
    }
    // A dimension of 0 must not hide that the others are too many.
    overflow |= llvm::MulOverflow(count, std::max<int64_t>(dim, 1), count);
  }
  int64_t bits = 0;
  if (overflow || llvm::MulOverflow(count, int64_t(bitsOf(tensor.type)), bits) || bits > INT64_MAX - 7) {
    stop(tensor, "the product of its dimensions overflows 63 bits");
    return false;
  }
  tensor.elements = llvm::is_contained(tensor.dims, 0) ? 0 : count;
  tensor.bytes = tensor.elements ? llvm::divideCeil(uint64_t(bits), 8) : 0;
  return true;
}

void TensorReader::place(StoredTensor &tensor, const Payload &payload) {
  if (payload.isExternal) {
    if (payload.raw || payload.typed)
      return stop(tensor, "expected external data alone, got raw_data or typed data beside it");
    return placeExternal(tensor, payload);
  }
  if (payload.twoTyped || (payload.raw && payload.typed))
    return stop(tensor, "expected its elements in one field, got two");
  if (tensor.type == DataType::String) {
    if (payload.raw)
      stop(tensor, "expected a tensor of string to have string_data, got raw_data");
    return;
  }
  if (payload.typed)
    return placeTyped(tensor, payload);
  StringRef raw = payload.raw.value_or("");
  if (raw.size() != tensor.bytes)
    return stop(tensor, "expected raw_data of " + Twine(tensor.bytes) + " bytes as its dimensions say, got " + Twine(raw.size()));
  tensor.data = raw;
  tensor.file = fileName;
  tensor.offset = raw.data() - bytes.data();
}

/// The field in which the schema wants elements of a type that are not raw.
static uint32_t typedField(DataType type) {
  switch (type) {
  case DataType::Float32:
  case DataType::Complex64:
    return FloatData;
  case DataType::Float64:
  case DataType::Complex128:
    return DoubleData;
  case DataType::Int64:
    return Int64Data;
  case DataType::UInt32:
  case DataType::UInt64:
    return Uint64Data;
  default:
    return Int32Data;
  }
}

void TensorReader::placeTyped(StoredTensor &tensor, const Payload &payload) {
  if (payload.typed != typedField(tensor.type))
    return stop(tensor, "its elements are in field " + Twine(payload.typed) + ", which is not the one for " + nameOf(tensor.type));
  auto mismatch = [&](uint64_t got) {
    stop(tensor, "expected " + Twine(tensor.elements) + " elements as its dimensions say, got " + Twine(got));
  };
  if (tensor.bytes > budget.decoded)
    return mismatch(payload.message.size()); // or too many in this form; a message is at least as long
  std::string &decoded = model.owned.emplace_back();
  unsigned bits = bitsOf(tensor.type), width = std::max(1u, bits / 8);
  uint64_t most = llvm::alignTo(tensor.bytes, width);
  bool tooMany = false;
  Message message(payload.message, problem);
  while (message.next()) {
    if (message.field() != payload.typed)
      continue;
    if (payload.typed == FloatData || payload.typed == DoubleData) {
      StringRef run = message.fixed(payload.typed == FloatData ? 4 : 8);
      if (run.size() > most - decoded.size())
        return mismatch((decoded.size() + run.size()) / width);
      decoded += run;
      continue;
    }
    // Narrow elements share the low bits of a number of 8.
    message.varints([&](uint64_t element) {
      if (decoded.size() >= most) {
        tooMany = true;
        return;
      }
      for (unsigned byte = 0; byte < width; ++byte)
        decoded += static_cast<char>(element >> (8 * byte));
    });
  }
  if (tooMany || decoded.size() != tensor.bytes)
    return mismatch(decoded.size() / width + tooMany);
  budget.take(budget.decoded, decoded.size());
  tensor.data = decoded;
}

std::optional<uint64_t> TensorReader::sizeOf(const StoredTensor &tensor, StringRef location) {
  auto [known, isNew] = externalFiles.try_emplace(location, 0);
  if (!isNew)
    return known->second;
  llvm::Expected<File> file = folder.open(location);
  if (!file) {
    stop(tensor, "external data: location: " + llvm::toString(file.takeError()));
    return std::nullopt;
  }
  return known->second = file->size();
}

/// Why a location may not be opened; empty when it may.
static StringRef refusalOf(const std::optional<StringRef> &location) {
  if (!location)
    return "external data has no location";
  if (location->empty())
    return "external data: the location is empty";
  if (location->contains('\0'))
    return "external data: the location has a NUL in it";
  if (location->contains('/') || location->contains('\\') || *location == "..")
    return "external data: the location is outside the model's folder: expected the plain name of a file beside the model";
  return "";
}

void TensorReader::placeExternal(StoredTensor &tensor, const Payload &payload) {
  if (StringRef refusal = refusalOf(payload.location); !refusal.empty())
    return stop(tensor, refusal + (payload.location ? ", got '" + *payload.location + "'" : StringRef()));
  std::optional<uint64_t> size = sizeOf(tensor, *payload.location);
  if (!size)
    return;
  uint64_t offset = 0, length = tensor.bytes;
  if (payload.offset && (payload.offset->getAsInteger(10, offset) || offset > INT64_MAX))
    return stop(tensor, "external data: expected an offset of at least 0, got '" + *payload.offset + "'");
  if (payload.length && (payload.length->getAsInteger(10, length) || length > INT64_MAX))
    return stop(tensor, "external data: expected a length of at least 0, got '" + *payload.length + "'");
  if (length > *size || offset > *size - length)
    return stop(tensor, "external data: offset " + Twine(offset) + " and " + Twine(length) + " bytes go past the end of '" +
                            *payload.location + "', which has " + Twine(*size));
  if (length != tensor.bytes)
    return stop(tensor,
                "external data: expected a length of " + Twine(tensor.bytes) + " as its dimensions say, got " + Twine(length));
  tensor.file = *payload.location;
  tensor.offset = offset;
}
