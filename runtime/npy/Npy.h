// Arrays in NumPy's .npy format: little-endian, C order, version 1.0.
#ifndef MOEC_RUNTIME_NPY_NPY_H
#define MOEC_RUNTIME_NPY_NPY_H

#include "runtime/artifact/MappedFile.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace moec::runtime {

/// Bytes of an element of NumPy's type `type`, such as "<f4"; 0 of a type that is not read. "<V2" is how extensions of NumPy write
/// bf16.
uint64_t bytesOfNpyType(std::string_view type);

/// A file as it is: its type, its shape, and its elements where they are mapped.
struct NpyFile {
  std::string type;
  std::vector<int64_t> shape;
  MappedFile file;
  std::span<const std::byte> bytes;
};

/// Refuses other versions, Fortran order, big-endian or other element types, and a size that differs from the shape.
Result<NpyFile> readNpyFile(const std::string &path);

/// An array of one element type; floats are held as double, integers as int64.
struct NpyArray {
  std::vector<int64_t> shape;
  std::vector<double> floats;    ///< f2 is refused; f4 and f8 are read
  std::vector<int64_t> integers; ///< i1, u1, i4, i8
  bool isFloat() const { return integers.empty() && !floats.empty(); }
};

/// Reads a file whole, as `readNpyFile`.
Result<NpyArray> readNpy(const std::string &path);

/// Writes a file in pieces, so that results need not be held: the number of rows is known when it is opened.
class NpyWriter {
public:
  /// `descriptor`: a type that bytesOfNpyType knows. The file appears under its name when `finish` succeeds; devices and pipes
  /// are written as they are.
  static Result<NpyWriter> create(const std::string &path, const char *descriptor, std::span<const int64_t> shape);
  NpyWriter(NpyWriter &&other) noexcept;
  NpyWriter &operator=(NpyWriter &&other) noexcept;
  ~NpyWriter();

  Status append(std::span<const std::byte> bytes);
  /// Refused when fewer or more bytes were written than the shape says.
  Status finish();

private:
  NpyWriter() = default;
  std::string path, temporary; ///< `temporary` is empty where the file itself is written
  int descriptor = -1;
  uint64_t missing = 0;
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_NPY_NPY_H
