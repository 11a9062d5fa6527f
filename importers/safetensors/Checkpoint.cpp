// Gathers the tensors of a model's files, and holds an index to what it says.
#include "importers/safetensors/Checkpoint.h"
#include "importers/Refusal.h"

#include "llvm/ADT/STLExtras.h"
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
  Checkpoint checkpoint(folder, form, (folder.path() + "/" + (single ? form.file : form.index)).str());
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
  for (const auto &[file, header] : headers)
    for (const Tensor &tensor : header.tensors)
      tensors.push_back(&tensor);
  taken.resize(tensors.size());
  numbers.reserve(unsigned(tensors.size()));
  for (auto [number, tensor] : llvm::enumerate(tensors))
    if (auto [other, isNew] = numbers.try_emplace(tensor->name, unsigned(number)); !isNew)
      return refuse(tensor->file + ": tensor '" + tensor->name.val() + "' is also in " + tensors[other->second]->file);
  return llvm::Error::success();
}

llvm::Error Checkpoint::check(llvm::ArrayRef<IndexEntry> index) {
  std::vector<bool> indexed(tensors.size());
  for (const IndexEntry &entry : index) {
    std::optional<size_t> number = find(entry.tensor);
    if (!number)
      return refuse("tensor '" + entry.tensor + "': expected in " + entry.file + ", which lacks it");
    if (tensors[*number]->file != entry.file)
      return refuse("tensor '" + entry.tensor + "': expected in " + entry.file + ", got it in " + tensors[*number]->file);
    if (indexed[*number])
      return refuse("key '" + entry.tensor + "' is given twice");
    indexed[*number] = true;
  }
  auto missing = llvm::find(indexed, false);
  if (missing == indexed.end())
    return llvm::Error::success();
  const Tensor &tensor = *tensors[size_t(missing - indexed.begin())];
  return refuse(tensor.file + ": tensor '" + tensor.name.val() + "' is not in " + form.index);
}

std::optional<size_t> Checkpoint::find(StringRef name) {
  // Neighbours in a model mostly are as far apart in its files as the neighbours before. A comparison then saves the way through a
  // table of megabytes.
  if (size_t guess = last + step; guess < tensors.size() && tensors[guess]->name.val() == name)
    return last = guess;
  auto found = numbers.find(CachedHashStringRef(name));
  if (found == numbers.end())
    return std::nullopt;
  step = found->second - last; // which may be backwards
  return last = found->second;
}

const Tensor *Checkpoint::take(StringRef name) {
  std::optional<size_t> number = form.tensorName ? find(form.tensorName(name)) : find(name);
  if (!number)
    return nullptr;
  taken[*number] = true;
  return tensors[*number];
}

llvm::Expected<std::vector<char>> Checkpoint::read(const Tensor &tensor) const {
  constexpr int64_t maxBytes = int64_t(64) << 20;
  if (tensor.bytes > maxBytes)
    return refuse(tensor.file + ": tensor '" + tensor.name.val() + "': expected at most " + llvm::Twine(maxBytes) + " bytes, got " +
                  llvm::Twine(tensor.bytes));
  llvm::Expected<File> file = folder.open(tensor.file);
  if (!file)
    return file.takeError();
  std::vector<char> bytes(size_t(tensor.bytes));
  if (llvm::Error error = file->read(uint64_t(tensor.offset), bytes))
    return std::move(error);
  return bytes;
}

bool Checkpoint::isIdleBias(const Tensor &tensor) const {
  StringRef stem = tensor.name.val();
  bool isFloat = tensor.type == "F16" || tensor.type == "BF16" || tensor.type == "F32";
  if (!isFloat || tensor.shape.size() != 1 || !stem.consume_back(".bias"))
    return false;
  auto words = numbers.find(CachedHashStringRef((stem + ".qweight").str()));
  return words != numbers.end() && taken[words->second];
}

llvm::Error Checkpoint::checkIdleBias(const Tensor &bias) const {
  llvm::Expected<std::vector<char>> bytes = read(bias);
  if (!bytes)
    return bytes.takeError();
  // Little-endian: the last byte of a number has its sign.
  size_t width = size_t(bias.bytes / bias.shape[0]);
  for (size_t at = 0; at < bytes->size(); ++at)
    if ((*bytes)[at] & (at % width == width - 1 ? 0x7f : 0xff))
      return refuse(bias.file + ": tensor '" + bias.name.val() + "': expected zeros, as the model that " + form.config +
                    " describes has no such bias, got others at " + llvm::Twine(at / width));
  return llvm::Error::success();
}

llvm::Error Checkpoint::checkAllUsed(llvm::function_ref<bool(const Tensor &)> isLeftAside) const {
  StringRef unread; // the first by name
  size_t count = 0;
  for (auto [tensor, isTaken] : llvm::zip_equal(tensors, taken)) {
    StringRef name = tensor->name.val();
    if (isTaken || isLeftAside(*tensor))
      continue;
    if (isIdleBias(*tensor)) {
      if (llvm::Error error = checkIdleBias(*tensor))
        return error;
      continue;
    }
    ++count;
    if (unread.empty() || name < unread)
      unread = name;
  }
  if (!count)
    return llvm::Error::success();
  return refuse(origin + ": tensor '" + unread + "'" + (count > 1 ? " and " + std::to_string(count - 1) + " more are" : " is") +
                " not part of the model that " + form.config + " describes");
}
