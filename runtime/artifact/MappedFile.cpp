// A file mapped into memory, read only.
#include "runtime/artifact/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace moec::runtime;

MappedFile::~MappedFile() {
  if (address)
    munmap(const_cast<std::byte *>(address), length);
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : address(std::exchange(other.address, nullptr)), length(std::exchange(other.length, 0)), name(std::move(other.name)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(address, other.address);
  std::swap(length, other.length);
  std::swap(name, other.name);
  return *this;
}

Result<MappedFile> MappedFile::open(const std::string &path) {
  auto refused = [&](const char *what) { return Status::ioError(path + ": cannot " + what + ": " + std::strerror(errno)); };
  // Without O_NONBLOCK a FIFO of that name would block here for ever.
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return refused("open");
  struct Closer {
    int descriptor;
    ~Closer() { close(descriptor); }
  } closer{descriptor};
  struct stat information;
  if (fstat(descriptor, &information) != 0)
    return refused("read the size");
  if (!S_ISREG(information.st_mode))
    return Status::ioError(path + ": expected a regular file");
  MappedFile file;
  file.name = path;
  if (information.st_size == 0)
    return file;
  void *address = mmap(nullptr, size_t(information.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (address == MAP_FAILED)
    return refused("map");
  file.address = static_cast<const std::byte *>(address);
  file.length = size_t(information.st_size);
  return file;
}
