// Temporary file, fsync, rename, fsync of the folder.
#include "tools/AtomicFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <fcntl.h>
#include <unistd.h>

using llvm::StringRef;

static llvm::Error failed(StringRef path, std::error_code error) {
  return llvm::createStringError(error, path + ": " + error.message());
}

static std::error_code lastError() { return std::error_code(errno, std::generic_category()); }

llvm::Error moec::tools::writeAtomically(StringRef path, llvm::function_ref<void(llvm::raw_ostream &)> write) {
  if (path == "-") {
    write(llvm::outs());
    llvm::outs().flush();
    if (llvm::outs().has_error()) {
      std::error_code error = llvm::outs().error();
      llvm::outs().clear_error();
      return failed("standard output", error);
    }
    return llvm::Error::success();
  }
  llvm::Expected<llvm::sys::fs::TempFile> file =
      llvm::sys::fs::TempFile::create(path + ".tmp-%%%%%%%%", llvm::sys::fs::all_read | llvm::sys::fs::owner_write);
  if (!file)
    return llvm::createStringError(llvm::inconvertibleErrorCode(), path + ": " + llvm::toString(file.takeError()));
  llvm::raw_fd_ostream out(file->FD, /*shouldClose=*/false);
  write(out);
  out.flush();
  std::error_code error = out.error();
  out.clear_error();
  if (!error && ::fsync(file->FD) != 0)
    error = lastError();
  if (error) {
    llvm::consumeError(file->discard());
    return failed(path, error);
  }
  if (llvm::Error moved = file->keep(path)) {
    llvm::consumeError(file->discard());
    return llvm::createStringError(llvm::inconvertibleErrorCode(), path + ": " + llvm::toString(std::move(moved)));
  }
  // The new name is on the disk once its folder is.
  StringRef folder = llvm::sys::path::parent_path(path);
  int descriptor = ::open(folder.empty() ? "." : folder.str().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0)
    return failed(path, lastError());
  int result = ::fsync(descriptor);
  std::error_code folderError = lastError();
  ::close(descriptor);
  return result == 0 ? llvm::Error::success() : failed(path, folderError);
}
