// Output that is complete or absent.
#include "tools/AtomicFile.h"

#include "lowering/artifact/PartialFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace moec;

namespace {
/// Into a partial file; the first failure is kept, and nothing is written behind it.
class PartialStream : public raw_ostream {
public:
  explicit PartialStream(lowering::PartialFile &file) : file(file) { SetBufferSize(1 << 16); }
  ~PartialStream() override { consumeError(finish()); }

  Error finish() {
    flush();
    return std::exchange(failure, Error::success());
  }

private:
  void write_impl(const char *bytes, size_t count) override {
    if (!failure)
      failure = file.write({bytes, count}, position);
    position += count;
  }
  uint64_t current_pos() const override { return position; }

  lowering::PartialFile &file;
  uint64_t position = 0;
  Error failure = Error::success();
};

/// Into what cannot be replaced: standard output, devices, pipes.
Error writeThrough(raw_fd_ostream &out, StringRef name, function_ref<void(raw_ostream &)> write) {
  write(out);
  out.flush();
  std::error_code error = out.error();
  out.clear_error();
  return error ? createStringError(error, name + ": " + error.message()) : Error::success();
}
} // namespace

Error tools::writeAtomically(StringRef path, function_ref<void(raw_ostream &)> write) {
  if (path == "-")
    return writeThrough(outs(), "standard output", write);
  if (sys::fs::exists(path) && !sys::fs::is_directory(path) && !sys::fs::is_regular_file(path)) {
    std::error_code error;
    raw_fd_ostream out(path, error);
    return error ? createStringError(error, path + ": " + error.message()) : writeThrough(out, path, write);
  }
  Expected<std::unique_ptr<lowering::PartialFile>> file = lowering::PartialFile::create(path);
  if (!file)
    return file.takeError();
  PartialStream out(**file);
  write(out);
  if (Error error = out.finish())
    return error;
  return (*file)->keep();
}
