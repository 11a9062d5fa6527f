// Arrays in NumPy's .npy format: little-endian, C order, version 1.0.
#include "runtime/npy/Npy.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace moec::runtime;

namespace {
constexpr char magic[] = "\x93NUMPY\x01\x00";
constexpr size_t preambleBytes = 10;

/// Reads the header's dictionary, written as Python does: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderReader {
public:
  explicit HeaderReader(std::string_view text) : text(text) {}

  bool read() {
    bool hasDescr = false, hasOrder = false, hasShape = false;
    if (!take('{'))
      return false;
    while (!take('}')) {
      std::string key;
      if (!readString(key) || !take(':'))
        return false;
      if (key == "descr" && !hasDescr)
        hasDescr = readString(descr);
      else if (key == "fortran_order" && !hasOrder)
        hasOrder = takeWord("False");
      else if (key == "shape" && !hasShape)
        hasShape = readShape();
      else
        return false;
      take(',');
      if (text.empty())
        return false;
    }
    skipSpace();
    return text.empty() && hasDescr && hasOrder && hasShape;
  }

  std::string descr;
  std::vector<int64_t> shape;

private:
  void skipSpace() {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\n'))
      text.remove_prefix(1);
  }
  bool take(char c) {
    skipSpace();
    if (text.empty() || text.front() != c)
      return false;
    text.remove_prefix(1);
    return true;
  }
  bool takeWord(std::string_view word) {
    skipSpace();
    if (!text.starts_with(word))
      return false;
    text.remove_prefix(word.size());
    return true;
  }
  bool readString(std::string &value) {
    if (!take('\''))
      return false;
    size_t end = text.find('\'');
    if (end == std::string_view::npos)
      return false;
    value = text.substr(0, end);
    text.remove_prefix(end + 1);
    return true;
  }
  bool readShape() {
    if (!take('('))
      return false;
    while (!take(')')) {
      skipSpace();
      int64_t dim = 0;
      size_t digits = 0;
      for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits)
        if (__builtin_mul_overflow(dim, int64_t(10), &dim) || __builtin_add_overflow(dim, int64_t(text[digits] - '0'), &dim))
          return false;
      if (digits == 0 || shape.size() == 8)
        return false;
      text.remove_prefix(digits);
      shape.push_back(dim);
      take(',');
    }
    return true;
  }

  std::string_view text;
};

template <typename Stored, typename Held> void widen(std::span<const std::byte> bytes, std::vector<Held> &values) {
  values.resize(bytes.size() / sizeof(Stored));
  for (size_t i = 0; i < values.size(); ++i) {
    Stored value;
    std::memcpy(&value, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = Held(value); // NOLINT(bugprone-signed-char-misuse): an 8-bit integer is a number here
  }
}
} // namespace

uint64_t moec::runtime::bytesOfNpyType(std::string_view type) {
  constexpr std::string_view bytes[] = {"|b1", "|i1", "|u1"};
  if (std::ranges::find(bytes, type) != std::end(bytes))
    return 1;
  bool known = type.size() == 3 && type[0] == '<' && (type[1] == 'i' || type[1] == 'u' || type[1] == 'f' || type == "<V2");
  uint64_t size = known && type[2] >= '2' && type[2] <= '8' ? uint64_t(type[2] - '0') : 0;
  return size == 2 || size == 4 || size == 8 ? size : type == "|V2" ? 2 : 0;
}

Result<NpyFile> moec::runtime::readNpyFile(const std::string &path) {
  Result<MappedFile> mapped = MappedFile::open(path);
  if (!mapped.ok())
    return mapped.status();
  std::span<const std::byte> bytes = mapped->bytes();
  auto refuse = [&](const std::string &why) { return Status::invalidData(path + ": " + why); };
  if (bytes.size() < preambleBytes || std::memcmp(bytes.data(), magic, sizeof magic - 1) != 0)
    return refuse("expected a .npy file of version 1.0");
  size_t headerBytes = size_t(bytes[8]) | size_t(bytes[9]) << 8;
  if (headerBytes > bytes.size() - preambleBytes)
    return refuse("the header is cut off");
  HeaderReader header({reinterpret_cast<const char *>(bytes.data()) + preambleBytes, headerBytes});
  if (!header.read())
    return refuse("the header is malformed, or the array is in Fortran order");
  bytes = bytes.subspan(preambleBytes + headerBytes);
  uint64_t expected = bytesOfNpyType(header.descr);
  if (expected == 0)
    return refuse("element type '" + header.descr + "', expected one of <f2, <f4, <f8, |b1, |i1, |u1, <i2 ... <u8");
  for (int64_t dim : header.shape)
    if (__builtin_mul_overflow(expected, uint64_t(dim), &expected))
      return refuse("the shape is too large");
  if (expected != bytes.size())
    return refuse("expected " + std::to_string(expected) + " bytes of elements, got " + std::to_string(bytes.size()));
  return NpyFile{header.descr, header.shape, std::move(*mapped), bytes};
}

Result<NpyArray> moec::runtime::readNpy(const std::string &path) {
  Result<NpyFile> file = readNpyFile(path);
  if (!file.ok())
    return file.status();
  NpyArray array;
  array.shape = file->shape;
  if (file->type == "<f4")
    widen<float>(file->bytes, array.floats);
  else if (file->type == "<f8")
    widen<double>(file->bytes, array.floats);
  else if (file->type == "<i4")
    widen<int32_t>(file->bytes, array.integers);
  else if (file->type == "<i8")
    widen<int64_t>(file->bytes, array.integers);
  else if (file->type == "|i1")
    widen<int8_t>(file->bytes, array.integers);
  else if (file->type == "|u1")
    widen<uint8_t>(file->bytes, array.integers);
  else
    return Status::invalidData(path + ": element type '" + file->type + "', expected one of <f4, <f8, <i4, <i8, |i1, |u1");
  return array;
}

Result<NpyWriter> NpyWriter::create(const std::string &path, const char *type, std::span<const int64_t> shape) {
  std::string header = std::string("{'descr': '") + type + "', 'fortran_order': False, 'shape': (";
  uint64_t bytes = bytesOfNpyType(type);
  for (int64_t dim : shape) {
    header += std::to_string(dim) + ", ";
    bytes *= uint64_t(dim);
  }
  header += "), }";
  header.append(63 - (preambleBytes + header.size()) % 64, ' ');
  header += '\n';

  NpyWriter writer;
  writer.path = path;
  struct stat existing;
  if (stat(path.c_str(), &existing) == 0 && !S_ISREG(existing.st_mode)) {
    writer.descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC); // a device or a pipe cannot be replaced
  } else {
    writer.temporary = path + ".XXXXXX";
    writer.descriptor = mkostemp(writer.temporary.data(), O_CLOEXEC);
  }
  if (writer.descriptor < 0)
    return Status::ioError(path + ": cannot write: " + std::strerror(errno));
  if (!writer.temporary.empty())
    fchmod(writer.descriptor, 0644);
  std::string preamble(magic, sizeof magic - 1);
  preamble += char(header.size() & 255);
  preamble += char(header.size() >> 8);
  header = preamble + header;
  writer.missing = bytes + header.size();
  MOEC_RETURN_IF_ERROR(writer.append(std::as_bytes(std::span(header))));
  return writer;
}

NpyWriter::NpyWriter(NpyWriter &&other) noexcept { *this = std::move(other); }

NpyWriter &NpyWriter::operator=(NpyWriter &&other) noexcept {
  std::swap(path, other.path);
  std::swap(temporary, other.temporary);
  std::swap(descriptor, other.descriptor);
  std::swap(missing, other.missing);
  return *this;
}

NpyWriter::~NpyWriter() {
  if (descriptor < 0)
    return;
  close(descriptor);
  if (!temporary.empty())
    unlink(temporary.c_str());
}

Status NpyWriter::append(std::span<const std::byte> bytes) {
  if (bytes.size() > missing)
    return Status::invalidArgument(path + ": more rows than expected");
  missing -= bytes.size();
  while (!bytes.empty()) {
    ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return Status::ioError(path + ": cannot write: " + std::strerror(errno));
    bytes = bytes.subspan(size_t(written));
  }
  return {};
}

Status NpyWriter::finish() {
  if (missing)
    return Status::invalidArgument(path + ": fewer rows than expected");
  if (!temporary.empty() && (fsync(descriptor) != 0 || rename(temporary.c_str(), path.c_str()) != 0))
    return Status::ioError(path + ": cannot write: " + std::strerror(errno));
  close(descriptor);
  descriptor = -1;
  return {};
}
