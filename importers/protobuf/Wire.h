// The wire format of protocol buffers, for messages that anybody may have written.
#ifndef MOEC_IMPORTERS_PROTOBUF_WIRE_H
#define MOEC_IMPORTERS_PROTOBUF_WIRE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <optional>

namespace moec::importers::protobuf {

/// Goes through the fields of one message. The first problem is remembered, and ends the reading; a nested message's is remembered
/// by the message around it, in which `problem` is handed on.
class Message {
public:
  Message(llvm::StringRef bytes, std::string &problem) : rest(bytes), problem(problem) {}

  /// Goes on to the next field; false at the end, or when something is wrong. A field whose value nobody reads is skipped.
  bool next();
  uint32_t field() const { return number; }
  /// What was not gone through yet.
  llvm::StringRef remaining() const { return rest; }
  /// Remembers a problem of the message's meaning.
  void stop(const llvm::Twine &why);

  /// The value of the field that was reached. One of another wire type is a problem, and reads as nothing or 0.
  uint64_t varint();
  int32_t int32() { return static_cast<int32_t>(varint()); }
  bool boolean() { return varint() != 0; }
  float float32();
  llvm::StringRef bytes();
  /// Of a repeated field of integers, one value or all of a packed run.
  void varints(llvm::function_ref<void(uint64_t)> each);
  /// Of a repeated field of numbers of `width` bytes (4 or 8), the bytes of one or of all of a packed run.
  llvm::StringRef fixed(unsigned width);
  Message message() { return Message(bytes(), problem); }

private:
  enum class Kind { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
  std::optional<uint64_t> takeVarint();
  llvm::StringRef take(uint64_t count);
  bool expect(Kind expected, llvm::StringRef name);

  llvm::StringRef rest;
  std::string &problem;
  uint32_t number = 0;
  Kind kind = Kind::varint;
  uint64_t integer = 0;  ///< of a varint
  llvm::StringRef value; ///< of any other
};

} // namespace moec::importers::protobuf

#endif // MOEC_IMPORTERS_PROTOBUF_WIRE_H
