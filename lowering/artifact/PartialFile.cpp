// A file that appears under its name only when it is whole.
#include "lowering/artifact/PartialFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;
using namespace moec::lowering;

namespace {
/// A file that is being written is PATH.partial-XXXXXX, and locked by its writer.
constexpr StringLiteral partialMark = ".partial-";

/// Removes what writers of `path` have left that are no more: their lock is free.
void removeStale(const std::string &path) {
  std::error_code error;
  std::string prefix = (sys::path::filename(path) + partialMark).str();
  std::string folder = sys::path::parent_path(path).str();
  for (sys::fs::directory_iterator entry(folder.empty() ? "." : folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!sys::path::filename(entry->path()).starts_with(prefix))
      continue;
    int descriptor = open(entry->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0)
      continue;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0)
      unlink(entry->path().c_str());
    close(descriptor);
  }
}
} // namespace

Expected<std::unique_ptr<PartialFile>> PartialFile::create(StringRef path) {
  if (sys::fs::exists(path) && !sys::fs::is_regular_file(path)) // a device would be replaced by a file
    return createStringError(path + ": cannot write: expected a regular file, or a name that is free");
  removeStale(path.str());
  std::string temporary = (path + partialMark + "XXXXXX").str();
  int descriptor = mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0)
    return createStringError(path + ": cannot write: " + std::strerror(errno));
  std::unique_ptr<PartialFile> file(new PartialFile(path.str(), temporary, descriptor));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0)
    return file->refuse("lock");
  mode_t mask = umask(0);
  umask(mask);
  fchmod(descriptor, 0666 & ~mask);
  return file;
}

PartialFile::~PartialFile() {
  if (descriptor < 0)
    return;
  unlink(temporary.c_str());
  close(descriptor);
}

Error PartialFile::refuse(const char *what) const {
  return createStringError(path + ": cannot " + what + ": " + std::strerror(errno));
}

Error PartialFile::write(ArrayRef<char> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    ssize_t written = pwrite(descriptor, bytes.data(), bytes.size(), off_t(offset));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return refuse("write");
    bytes = bytes.drop_front(size_t(written));
    offset += uint64_t(written);
  }
  return Error::success();
}

Error PartialFile::keep() {
  std::string folder = sys::path::parent_path(path).str();
  int folderDescriptor = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool kept = fsync(descriptor) == 0 && rename(temporary.c_str(), path.c_str()) == 0;
  Error error = kept ? Error::success() : refuse("write");
  if (kept) {
    fsync(folderDescriptor); // best effort: the file is whole whether its name survives a crash or not
    close(descriptor);
    descriptor = -1;
  }
  if (folderDescriptor >= 0)
    close(folderDescriptor);
  return error;
}
