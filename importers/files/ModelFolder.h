// The one place where files of a model are opened.
#ifndef MOEC_IMPORTERS_FILES_MODELFOLDER_H
#define MOEC_IMPORTERS_FILES_MODELFOLDER_H

#include "importers/json/StrictJson.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <optional>

namespace moec::importers {

/// An open regular file.
class File {
public:
  File(int descriptor, uint64_t size, std::string path) : descriptor(descriptor), bytes(size), location(std::move(path)) {}
  File(File &&other) : descriptor(other.descriptor), bytes(other.bytes), location(std::move(other.location)) {
    other.descriptor = -1;
  }
  ~File();

  uint64_t size() const { return bytes; }
  /// Where it was found, for messages.
  llvm::StringRef path() const { return location; }
  /// Fills `into` from byte `offset` on.
  llvm::Error read(uint64_t offset, llvm::MutableArrayRef<char> into) const;
  /// All of a file that is not empty, mapped for reading.
  llvm::Expected<llvm::sys::fs::mapped_file_region> map() const;

private:
  int descriptor;
  uint64_t bytes;
  std::string location;
};

/// A folder that holds a model. Its files may have been written by anybody, so a name that one of them gives is one plain name in
/// the folder itself. Symbolic links are followed only within the repository: the folder, or, where it is a snapshot in a Hugging
/// Face cache (REPOSITORY/snapshots/REVISION) or the folder `onnx` of one, that REPOSITORY, whose `blobs` the snapshot's files link
/// to.
class ModelFolder {
public:
  static llvm::Expected<ModelFolder> at(llvm::StringRef path);
  /// The folder `onnx` in this one, where repositories of several forms of a model keep its graphs; nothing for a link.
  std::optional<ModelFolder> ofGraphs() const;
  /// Of such a folder, the one that it is in, where they keep what all forms have in common.
  std::optional<ModelFolder> around() const;

  /// Absolute, without symbolic links.
  llvm::StringRef path() const { return root; }
  /// Whether there is anything of that name.
  bool has(llvm::StringRef name) const;
  llvm::Expected<File> open(llvm::StringRef name) const;
  /// All of a file that is small enough to be held.
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> readText(llvm::StringRef name, size_t maxBytes = json::Limits().bytes) const;
  llvm::Expected<json::Value> readJson(llvm::StringRef name, const json::Limits &limits = {}) const;
  /// The same of a file that must hold an object.
  llvm::Expected<json::Value> readObject(llvm::StringRef name) const;

private:
  ModelFolder(std::string root, std::string repository) : root(std::move(root)), repository(std::move(repository)) {}
  std::string root, repository;
};

} // namespace moec::importers

#endif // MOEC_IMPORTERS_FILES_MODELFOLDER_H
