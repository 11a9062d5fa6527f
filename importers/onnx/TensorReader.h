// Reads TensorProto messages: what they declare, held to what they carry.
#ifndef MOEC_IMPORTERS_ONNX_TENSORREADER_H
#define MOEC_IMPORTERS_ONNX_TENSORREADER_H

#include "importers/onnx/Reader.h"
#include "importers/protobuf/Wire.h"

namespace moec::importers::onnx {

/// What limits leave over. One that runs out is a problem.
struct Budget {
  uint64_t items, names, dims, decoded;
  bool take(uint64_t &of, uint64_t count) { return of >= count ? (of -= count, true) : false; }
};

class TensorReader {
public:
  TensorReader(llvm::StringRef bytes, llvm::StringRef name, const ModelFolder &folder, Model &model, Budget &budget,
               const Limits &limits, std::string &problem)
      : bytes(bytes), fileName(name), folder(folder), model(model), budget(budget), limits(limits), problem(problem) {}

  StoredTensor read(protobuf::Message message);
  /// One that may be sparse; only its form is checked, for it is refused.
  void refuseSparse(protobuf::Message message);

private:
  struct Payload;
  void stop(const StoredTensor &tensor, const llvm::Twine &why);
  void readExternalEntry(protobuf::Message message, Payload &payload);
  bool measure(StoredTensor &tensor);
  void place(StoredTensor &tensor, const Payload &payload);
  void placeExternal(StoredTensor &tensor, const Payload &payload);
  void placeTyped(StoredTensor &tensor, const Payload &payload);
  std::optional<uint64_t> sizeOf(const StoredTensor &tensor, llvm::StringRef location);

  llvm::StringRef bytes, fileName;
  const ModelFolder &folder;
  Model &model;
  Budget &budget;
  const Limits &limits;
  std::string &problem;
  llvm::StringMap<uint64_t> externalFiles; ///< their sizes
};

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_TENSORREADER_H
