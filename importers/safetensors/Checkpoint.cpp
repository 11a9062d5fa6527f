// Gathers the tensors of a model's files, and holds an index to what it says.
#include "importers/safetensors/Checkpoint.h"
#include "importers/Refusal.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/Twine.h"

using namespace moec::importers;
using namespace moec::importers::safetensors;
using llvm::CachedHashStringRef;
using llvm::StringRef;

llvm::Expected<Checkpoint> Checkpoint::open(const ModelFolder &folder, const Form &form) {
  bool single = folder.has(form.file), sharded = folder.has(form.index);
  if (single && sharded)
    return refuse(folder.path() + ": expected " + form.file + " or " + form.index + ", got both; remove the one that is stale");
  if (!single && !sharded)
    return refuse(folder.path() + ": expected " + form.file + " or " + form.index + ", got neither");
  Checkpoint checkpoint(form, (folder.path() + "/" + (single ? form.file : form.index)).str());
  HeadersReader headers(folder);
  if (single) {
    headers.begin(form.file);
    if (llvm::Error error = checkpoint.addTensors(headers.finish()))
      return error;
    return checkpoint;
  }

  auto text = folder.readText(form.index);
  if (!text)
    return text.takeError();
  json::Reader json((*text)->getBuffer(), checkpoint.origin);
  auto index = readIndex(json, checkpoint.origin, [&](StringRef file) { headers.begin(file); });
  if (!index)
    return index.takeError();
  llvm::Error error = checkpoint.addTensors(headers.finish());
  if (!error)
    error = checkpoint.check(*index);
  if (error)
    return refuse(checkpoint.origin + ": weight_map: " + llvm::toString(std::move(error)));
  return checkpoint;
}

llvm::Error Checkpoint::addTensors(llvm::Expected<Headers> read) {
  if (!read)
    return read.takeError();
  headers = std::move(*read);
  size_t count = 0;
  for (const auto &[file, header] : headers)
    count += header.tensors.size();
  tensors.reserve(unsigned(count));
  for (const auto &[file, header] : headers)
    for (const Tensor &tensor : header.tensors) {
      auto [entry, isNew] = tensors.try_emplace(tensor.name, &tensor, false);
      if (!isNew)
        return refuse(file + ": tensor '" + tensor.name.val() + "' is also in " + entry->second.getPointer()->file);
    }
  return llvm::Error::success();
}

llvm::Error Checkpoint::check(llvm::ArrayRef<IndexEntry> index) const {
  for (const IndexEntry &entry : index) {
    auto found = tensors.find(CachedHashStringRef(entry.tensor));
    if (found == tensors.end())
      return refuse("tensor '" + entry.tensor + "': expected in " + entry.file + ", which lacks it");
    StringRef file = found->second.getPointer()->file;
    if (file != entry.file)
      return refuse("tensor '" + entry.tensor + "': expected in " + entry.file + ", got it in " + file);
  }
  if (index.size() == tensors.size()) // and so the same: an index names none twice
    return llvm::Error::success();
  llvm::DenseSet<StringRef> indexed;
  for (const IndexEntry &entry : index)
    indexed.insert(entry.tensor);
  for (const auto &[file, header] : headers)
    for (const Tensor &tensor : header.tensors)
      if (!indexed.contains(tensor.name.val()))
        return refuse(file + ": tensor '" + tensor.name.val() + "' is not in " + form.index);
  return llvm::Error::success();
}

const Tensor *Checkpoint::take(StringRef name) {
  std::string translated;
  if (form.tensorName)
    name = translated = form.tensorName(name);
  auto found = tensors.find(CachedHashStringRef(name));
  if (found == tensors.end())
    return nullptr;
  found->second.setInt(true);
  return found->second.getPointer();
}

llvm::Error Checkpoint::checkAllUsed(llvm::function_ref<bool(StringRef)> isLeftAside) const {
  // The first by name, so that the message does not depend on hashing.
  StringRef unread;
  size_t count = 0;
  for (const auto &[key, tensor] : tensors) {
    StringRef name = key.val();
    if (tensor.getInt() || isLeftAside(name))
      continue;
    ++count;
    if (unread.empty() || name < unread)
      unread = name;
  }
  if (!count)
    return llvm::Error::success();
  return refuse(origin + ": tensor '" + unread + "'" + (count > 1 ? " and " + std::to_string(count - 1) + " more are" : " is") +
                " not part of the model that " + form.config + " describes");
}
