// Fuzzes text: with the shipped model's tokenizer, what was decoded encodes and decodes to itself.
#include "importers/tokenizer/TokenizerImporter.h"
#include "runtime/tokenizer/Tokenizer.h"

#include <cstdlib>
#include <string>

using namespace moec;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const std::string section =
      *llvm::cantFail(importers::importTokenizer(llvm::cantFail(importers::ModelFolder::at(MOEC_TEST_DATA "/fixtures/model"))));
  static const auto tokenizer = runtime::Tokenizer::create(std::as_bytes(std::span<const char>(section)));

  auto ids = (*tokenizer)->encode({reinterpret_cast<const char *>(data), size}, false);
  if (!ids.ok())
    return 0;
  std::string once = (*tokenizer)->decode(*ids, false);
  auto again = (*tokenizer)->encode(once, false);
  if (!again.ok() || (*tokenizer)->decode(*again, false) != once)
    std::abort();
  return 0;
}
