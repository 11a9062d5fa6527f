// Gathers the tensors of a model's files, and holds an index to what it says.
#include "importers/safetensors/Checkpoint.h"
#include "importers/Refusal.h"

#include "llvm/ADT/Twine.h"

#include <algorithm>

using namespace moec::importers;
using namespace moec::importers::safetensors;
using llvm::StringRef;

static constexpr StringRef singleFile = "model.safetensors";
static constexpr StringRef indexFile = "model.safetensors.index.json";
static constexpr size_t maxShards = 4096;

llvm::Expected<Checkpoint> Checkpoint::open(const ModelFolder &folder) {
  Checkpoint checkpoint;
  bool single = folder.has(singleFile), sharded = folder.has(indexFile);
  if (single && sharded)
    return refuse(folder.path() + ": expected " + singleFile + " or " + indexFile + ", got both; remove the one that is stale");
  if (!single && !sharded)
    return refuse(folder.path() + ": expected " + singleFile + " or " + indexFile + ", got neither");
  checkpoint.origin = (folder.path() + "/" + (single ? singleFile : indexFile)).str();
  if (llvm::Error error = single ? checkpoint.addFile(folder, singleFile) : checkpoint.addShards(folder))
    return error;
  return checkpoint;
}

llvm::Error Checkpoint::addFile(const ModelFolder &folder, StringRef name) {
  llvm::Expected<File> file = folder.open(name);
  if (!file)
    return file.takeError();
  llvm::Expected<Header> header = readHeader(*file);
  if (!header)
    return header.takeError();
  StringRef stored = files.try_emplace(name).first->getKey();
  for (Tensor &tensor : *header) {
    auto [entry, added] = tensors.try_emplace(tensor.name);
    if (!added)
      return refuse(file->path() + ": tensor '" + tensor.name + "' is also in " + entry->second.stored.file);
    if (tensors.size() > maxTensors)
      return refuse(file->path() + ": more than " + llvm::Twine(maxTensors) + " tensors in all");
    entry->second.stored = {std::move(tensor), stored};
  }
  return llvm::Error::success();
}

llvm::Error Checkpoint::addShards(const ModelFolder &folder) {
  llvm::Expected<json::Value> index = folder.readJson(indexFile);
  if (!index)
    return index.takeError();
  const json::Value *map = index->find("weight_map");
  if (!map || !map->object())
    return refuse(origin + ": weight_map: expected an object, got " + (map ? map->kind() : "nothing"));
  std::vector<StringRef> shards;
  for (const json::Member &member : *map->object()) {
    if (!member.value.string())
      return refuse(origin + ": weight_map: tensor '" + member.key + "': expected the name of a file, got " + member.value.kind());
    StringRef shard = *member.value.string();
    if (!shard.ends_with(".safetensors"))
      return refuse(origin + ": weight_map: tensor '" + member.key + "': expected a .safetensors file, got '" + shard + "'");
    shards.push_back(shard);
  }
  std::sort(shards.begin(), shards.end());
  shards.erase(std::unique(shards.begin(), shards.end()), shards.end());
  if (shards.size() > maxShards)
    return refuse(origin + ": weight_map: expected at most " + llvm::Twine(maxShards) + " files, got " +
                  llvm::Twine(shards.size()));
  for (StringRef shard : shards)
    if (llvm::Error error = addFile(folder, shard))
      return refuse(origin + ": weight_map: " + llvm::toString(std::move(error)));

  for (const json::Member &member : *map->object()) {
    auto found = tensors.find(member.key);
    if (found == tensors.end())
      return refuse(origin + ": weight_map: tensor '" + member.key + "': expected in " + *member.value.string() +
                    ", which lacks it");
    if (found->second.stored.file != *member.value.string())
      return refuse(origin + ": weight_map: tensor '" + member.key + "': expected in " + *member.value.string() + ", got it in " +
                    found->second.stored.file);
  }
  if (map->object()->size() != tensors.size()) {
    llvm::StringMap<std::monostate> indexed;
    for (const json::Member &member : *map->object())
      indexed.try_emplace(member.key);
    for (const auto &entry : tensors)
      if (!indexed.contains(entry.getKey()))
        return refuse(folder.path() + "/" + entry.second.stored.file + ": tensor '" + entry.getKey() + "' is not in " + indexFile);
  }
  return llvm::Error::success();
}

const StoredTensor *Checkpoint::take(StringRef name) {
  auto found = tensors.find(name);
  if (found == tensors.end())
    return nullptr;
  found->second.used = true;
  return &found->second.stored;
}

llvm::Error Checkpoint::checkAllUsed(llvm::function_ref<bool(StringRef)> isLeftAside) const {
  // The first by name, so that the message does not depend on hashing.
  StringRef unread;
  size_t count = 0;
  for (const auto &entry : tensors) {
    if (entry.second.used || isLeftAside(entry.getKey()))
      continue;
    ++count;
    if (unread.empty() || entry.getKey() < unread)
      unread = entry.getKey();
  }
  if (!count)
    return llvm::Error::success();
  return refuse(origin + ": tensor '" + unread + "'" + (count > 1 ? " and " + std::to_string(count - 1) + " more are" : " is") +
                " not part of the model that config.json describes");
}
