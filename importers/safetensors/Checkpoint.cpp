// Gathers the tensors of a model's files, and holds an index to what it says.
#include "importers/safetensors/Checkpoint.h"
#include "importers/Refusal.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Parallel.h"

#include <atomic>
#include <set>

using namespace moec::importers;
using namespace moec::importers::safetensors;
using llvm::CachedHashStringRef;
using llvm::StringRef;

static constexpr size_t maxShards = 4096;

llvm::Expected<Checkpoint> Checkpoint::open(const ModelFolder &folder, const Form &form) {
  Checkpoint checkpoint;
  checkpoint.form = form;
  bool single = folder.has(form.file), sharded = folder.has(form.index);
  if (single && sharded)
    return refuse(folder.path() + ": expected " + form.file + " or " + form.index + ", got both; remove the one that is stale");
  if (!single && !sharded)
    return refuse(folder.path() + ": expected " + form.file + " or " + form.index + ", got neither");
  checkpoint.origin = (folder.path() + "/" + (single ? form.file : form.index)).str();
  if (llvm::Error error = single ? checkpoint.addFiles(folder, {form.file.str()}) : checkpoint.addShards(folder))
    return error;
  return checkpoint;
}

/// Headers are read side by side: there can be hundreds, with a tensor for every expert.
llvm::Error Checkpoint::addFiles(const ModelFolder &folder, std::vector<std::string> names) {
  files = std::move(names);
  headers.resize(files.size());
  std::vector<std::string> problems(files.size());
  std::atomic<size_t> count = 0;
  llvm::parallelFor(0, files.size(), [&](size_t i) {
    if (count > maxTensors)
      return;
    llvm::Expected<File> file = folder.open(files[i]);
    llvm::Expected<Header> header = file ? readHeader(*file) : file.takeError();
    if (!header) {
      problems[i] = llvm::toString(header.takeError());
      return;
    }
    count += header->size();
    headers[i] = std::move(*header);
  });

  tensors.reserve(unsigned(std::min<size_t>(count, maxTensors)));
  for (size_t i = 0; i < files.size(); ++i) {
    if (!problems[i].empty())
      return refuse(problems[i]);
    if (count > maxTensors)
      return refuse(origin + ": more than " + llvm::Twine(maxTensors) + " tensors in all");
    for (const Tensor &tensor : headers[i]) {
      auto [entry, added] = tensors.try_emplace(CachedHashStringRef(tensor.name), Entry{{&tensor, files[i]}});
      if (!added)
        return refuse(folder.path() + "/" + files[i] + ": tensor '" + tensor.name + "' is also in " + entry->second.stored.file);
    }
  }
  return llvm::Error::success();
}

namespace {
/// Which file an index says a tensor is in.
struct IndexEntry {
  StringRef tensor, file;
};

/// Reads an index's weight_map. Its strings live as long as the reader.
llvm::Expected<std::vector<IndexEntry>> readWeightMap(json::Reader &json, StringRef origin) {
  auto no = [&](const llvm::Twine &why) {
    json.skipRest();
    return json.failed() ? json.problem() : refuse(origin + ": weight_map: " + why);
  };
  std::optional<std::vector<IndexEntry>> entries;
  bool isObject = json.beginObject();
  for (StringRef key; isObject && json.nextMember(key);) {
    if (key != "weight_map") {
      json.skip();
      continue;
    }
    if (!json.beginObject())
      return no("expected an object, got " + json.kind());
    entries.emplace();
    for (StringRef tensor; json.nextMember(tensor);) {
      std::optional<StringRef> file = json.string();
      if (!file)
        return no("tensor '" + tensor + "': expected the name of a file, got " + json.kind());
      if (!file->ends_with(".safetensors"))
        return no("tensor '" + tensor + "': expected a .safetensors file, got '" + *file + "'");
      entries->push_back({tensor, *file});
    }
  }
  if (!json.failed() && !entries)
    return no("expected an object, got nothing");
  if (llvm::Error error = json.finish())
    return error;
  return std::move(*entries);
}
} // namespace

llvm::Error Checkpoint::addShards(const ModelFolder &folder) {
  llvm::Expected<std::string> text = folder.readText(form.index);
  if (!text)
    return text.takeError();
  json::Reader json(*text, origin);
  llvm::Expected<std::vector<IndexEntry>> index = readWeightMap(json, origin);
  if (!index)
    return index.takeError();

  std::set<StringRef> shards;
  for (StringRef last; const IndexEntry &entry : *index)
    if (entry.file != last) // mostly, neighbours are in one file
      shards.insert(last = entry.file);
  if (shards.size() > maxShards)
    return refuse(origin + ": weight_map: expected at most " + llvm::Twine(maxShards) + " files, got " +
                  llvm::Twine(shards.size()));
  if (llvm::Error error = addFiles(folder, {shards.begin(), shards.end()}))
    return refuse(origin + ": weight_map: " + llvm::toString(std::move(error)));

  for (const IndexEntry &entry : *index) {
    auto found = tensors.find(CachedHashStringRef(entry.tensor));
    if (found == tensors.end())
      return refuse(origin + ": weight_map: tensor '" + entry.tensor + "': expected in " + entry.file + ", which lacks it");
    if (found->second.stored.file != entry.file)
      return refuse(origin + ": weight_map: tensor '" + entry.tensor + "': expected in " + entry.file + ", got it in " +
                    found->second.stored.file);
  }
  if (index->size() == tensors.size())
    return llvm::Error::success();
  llvm::DenseSet<StringRef> indexed;
  for (const IndexEntry &entry : *index)
    indexed.insert(entry.tensor);
  for (size_t i = 0; i < files.size(); ++i)
    for (const Tensor &tensor : headers[i])
      if (!indexed.contains(tensor.name))
        return refuse(folder.path() + "/" + files[i] + ": tensor '" + tensor.name + "' is not in " + form.index);
  return llvm::Error::success();
}

const StoredTensor *Checkpoint::take(StringRef name) {
  auto found = tensors.find(CachedHashStringRef(form.tensorName ? form.tensorName(name) : name));
  if (found == tensors.end())
    return nullptr;
  found->second.used = true;
  return &found->second.stored;
}

llvm::Error Checkpoint::checkAllUsed(llvm::function_ref<bool(StringRef)> isLeftAside) const {
  // The first by name, so that the message does not depend on hashing.
  StringRef unread;
  size_t count = 0;
  for (const auto &[key, entry] : tensors) {
    StringRef name = key.val();
    if (entry.used || isLeftAside(name))
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
