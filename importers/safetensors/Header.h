// What a safetensors file says it holds. The bytes of the tensors are not read.
#ifndef MOEC_IMPORTERS_SAFETENSORS_HEADER_H
#define MOEC_IMPORTERS_SAFETENSORS_HEADER_H

#include "importers/files/ModelFolder.h"

#include "llvm/ADT/CachedHashString.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Allocator.h"

namespace moec::importers::safetensors {

struct Tensor {
  llvm::CachedHashStringRef name;
  /// Name of the file that it lies in, in the model's folder.
  llvm::StringRef file;
  /// As the format spells it: "BF16", "F8_E4M3", ...
  llvm::StringRef type;
  llvm::SmallVector<int64_t, 3> shape = {};
  /// Absolute in the file.
  int64_t offset = 0;
  int64_t bytes = 0;
};

struct Header {
  /// In the order of their offsets.
  std::vector<Tensor> tensors;
  /// Holds the names.
  llvm::BumpPtrAllocatorImpl<llvm::MallocAllocator, 16384> names;
};

constexpr uint64_t maxHeaderBytes = 100'000'000;
constexpr size_t maxTensors = size_t(1) << 20;
constexpr size_t maxRank = 8;

/// Reads the header at the start of `file`. Refuses whatever the reference reader (safetensors 0.8) refuses: a header beyond
/// 100 MB or the file, duplicate names, unknown types, sizes that overflow or differ from shape times type, holes, overlaps, bytes
/// behind the last tensor. A file need not be aligned; scalars and empty tensors are legal.
llvm::Expected<Header> readHeader(const File &file);

/// The same for a header in memory: `start` is the beginning of the file `path` of `fileSize` bytes, long enough to hold the
/// header.
llvm::Expected<Header> readHeader(llvm::StringRef start, uint64_t fileSize, llvm::StringRef path);

} // namespace moec::importers::safetensors

#endif // MOEC_IMPORTERS_SAFETENSORS_HEADER_H
