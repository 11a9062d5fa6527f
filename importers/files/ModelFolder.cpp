// Opens files beneath a model's folder, and nothing else.
#include "importers/files/ModelFolder.h"
#include "importers/Refusal.h"

#include "llvm/Support/Path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace moec::importers;
using llvm::StringRef;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

/// How repositories of several forms of a model call the folder of its graphs.
static constexpr StringRef graphs = "onnx";

File::~File() {
  if (descriptor >= 0)
    ::close(descriptor);
}

llvm::Error File::read(uint64_t offset, llvm::MutableArrayRef<char> into) const {
  while (!into.empty()) {
    ssize_t got = ::pread(descriptor, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return refuse(location + ": " + std::strerror(errno));
    if (got == 0)
      return refuse(location + ": the file became shorter while it was read");
    into = into.drop_front(got);
    offset += got;
  }
  return llvm::Error::success();
}

llvm::Expected<fs::mapped_file_region> File::map() const {
  std::error_code error;
  fs::mapped_file_region region(descriptor, fs::mapped_file_region::readonly, bytes, 0, error);
  if (error)
    return refuse(location + ": " + error.message());
  return region;
}

llvm::Expected<ModelFolder> ModelFolder::at(StringRef folder) {
  llvm::SmallString<256> root;
  if (std::error_code error = fs::real_path(folder, root))
    return refuse(folder + ": " + error.message());
  if (!fs::is_directory(root))
    return refuse(folder + ": expected a folder that holds a model");
  StringRef revision = path::filename(root) == graphs ? path::parent_path(root) : StringRef(root);
  StringRef parent = path::parent_path(revision);
  StringRef repository = path::filename(parent) == "snapshots" ? path::parent_path(parent) : StringRef(root);
  return ModelFolder(root.str().str(), repository.str());
}

static std::optional<ModelFolder> ifFolder(const llvm::Twine &path) {
  fs::file_status status;
  if (fs::status(path, status, /*follow=*/false) || !fs::is_directory(status))
    return std::nullopt;
  return llvm::expectedToOptional(ModelFolder::at(path.str()));
}

std::optional<ModelFolder> ModelFolder::ofGraphs() const { return ifFolder(root + "/" + graphs); }

std::optional<ModelFolder> ModelFolder::around() const {
  return path::filename(root) == graphs ? ifFolder(path::parent_path(root)) : std::nullopt;
}

bool ModelFolder::has(StringRef name) const {
  fs::file_status status;
  return !fs::status(root + "/" + name, status, /*follow=*/false);
}

static bool isPlainName(StringRef name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= 255 && !name.contains('/') && !name.contains('\\') &&
         !name.contains('\0');
}

llvm::Expected<File> ModelFolder::open(StringRef name) const {
  if (!isPlainName(name))
    return refuse(root + ": expected the plain name of a file in this folder, got '" + name + "'");
  std::string asked = root + "/" + name.str();
  // A pipe must not block before it is refused.
  constexpr int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  int descriptor = ::open(asked.c_str(), flags);
  if (descriptor < 0 && errno == ELOOP) { // a link
    llvm::SmallString<256> target;
    if (std::error_code error = fs::real_path(asked, target))
      return refuse(asked + ": " + error.message());
    if (!target.str().starts_with(repository + "/"))
      return refuse(asked + ": expected a file within " + repository + ", got a link to " + target);
    // The target has no links left: should one appear meanwhile, it is not followed.
    descriptor = ::open(target.c_str(), flags);
  }
  if (descriptor < 0)
    return refuse(asked + ": " + std::strerror(errno));
  struct stat status;
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return refuse(asked + ": expected a regular file");
  }
  return File(descriptor, status.st_size, asked);
}

llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> ModelFolder::readText(StringRef name, size_t maxBytes) const {
  llvm::Expected<File> file = open(name);
  if (!file)
    return file.takeError();
  if (file->size() > maxBytes)
    return refuse(file->path() + ": expected at most " + llvm::Twine(maxBytes) + " bytes, got " + llvm::Twine(file->size()));
  std::unique_ptr<llvm::WritableMemoryBuffer> text = llvm::WritableMemoryBuffer::getNewUninitMemBuffer(file->size(), name);
  if (!text)
    return refuse(file->path() + ": expected memory for " + llvm::Twine(file->size()) + " bytes");
  if (llvm::Error error = file->read(0, text->getBuffer()))
    return error;
  return text;
}

llvm::Expected<json::Value> ModelFolder::readJson(StringRef name, const json::Limits &limits) const {
  auto text = readText(name, limits.bytes);
  return text ? json::parse((*text)->getBuffer(), root + "/" + name.str(), limits) : text.takeError();
}

llvm::Expected<json::Value> ModelFolder::readObject(StringRef name) const {
  llvm::Expected<json::Value> value = readJson(name);
  if (value && !value->object())
    return refuse(root + "/" + name + ": expected an object, got " + value->kind());
  return value;
}
