// Fuzzes the reader of safetensors headers.
#include "importers/safetensors/Header.h"

using namespace moec::importers;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::StringRef file(reinterpret_cast<const char *>(data), size);
  llvm::Expected<safetensors::Header> header = safetensors::readHeader(file, file.size(), "fuzzed");
  if (!header) {
    llvm::consumeError(header.takeError());
    return 0;
  }
  // What was accepted lies within the file.
  for (const safetensors::Tensor &tensor : header->tensors)
    if (tensor.offset < 8 || tensor.bytes < 0 || static_cast<uint64_t>(tensor.offset + tensor.bytes) > size)
      __builtin_trap();
  return 0;
}
