// Models read, changed and written, without the importers' own readers.
#include "test/importers/ModelCopy.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

using namespace moec::test;
using nlohmann::json;

static std::string bytesOf(const std::filesystem::path &path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

static const char *configFile(bool isConsolidated) { return isConsolidated ? "params.json" : "config.json"; }
static const char *weightFile(bool isConsolidated) { return isConsolidated ? "consolidated.safetensors" : "model.safetensors"; }

ModelCopy::ModelCopy(const std::filesystem::path &folder)
    : isConsolidated(exists(folder / configFile(true))), config(json::parse(bytesOf(folder / configFile(isConsolidated)))) {
  std::filesystem::path index = folder / "model.safetensors.index.json";
  if (!exists(index)) {
    read(folder / weightFile(isConsolidated));
    return;
  }
  std::set<std::string> shards;
  const json map = json::parse(bytesOf(index))["weight_map"];
  for (const auto &[name, shard] : map.items())
    shards.insert(shard);
  for (const std::string &shard : shards)
    read(folder / shard);
}

void ModelCopy::read(const std::filesystem::path &path) {
  std::string file = bytesOf(path);
  uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  json header = json::parse(file.substr(sizeof length, length));
  header.erase("__metadata__");
  for (const auto &[name, entry] : header.items()) {
    std::vector<size_t> offsets = entry["data_offsets"];
    tensors[name] = {entry["dtype"], entry["shape"], file.substr(sizeof length + length + offsets[0], offsets[1] - offsets[0])};
  }
}

std::vector<std::string> ModelCopy::names() const {
  std::vector<std::string> all;
  for (const auto &[name, tensor] : tensors)
    all.push_back(name);
  return all;
}

static size_t elementsOf(const std::vector<int64_t> &shape) {
  size_t elements = 1;
  for (int64_t dim : shape)
    elements *= size_t(dim);
  return elements;
}

/// "a.b" as JSON has it: "/a/b".
static json::json_pointer pointer(std::string path) {
  std::replace(path.begin(), path.end(), '.', '/');
  return json::json_pointer("/" + path);
}

bool ModelCopy::change(const std::string &words) {
  std::istringstream stream(words);
  std::string verb, what, rest;
  stream >> verb >> what >> std::ws;
  std::getline(stream, rest);
  if (verb == "set") {
    config[pointer(what)] = json::parse(rest);
    return true;
  }
  if (verb == "drop") {
    json::json_pointer path = pointer(what);
    return config.contains(path) && config[path.parent_pointer()].erase(path.back());
  }
  if (verb == "add") {
    std::string type = "F32", shape = "[1]";
    std::istringstream(rest) >> type >> shape;
    size_t bytes = type.starts_with("F8") || type == "U8" ? 1 : type.ends_with("16") ? 2 : 4;
    Tensor &added = tensors[what] = {type, json::parse(shape), ""};
    added.bytes.resize(bytes * elementsOf(added.shape));
    return true;
  }
  auto found = tensors.find(what);
  if (found == tensors.end())
    return false;
  if (verb == "remove") {
    tensors.erase(found);
  } else if (verb == "copy") {
    tensors[rest] = found->second;
  } else if (verb == "rename") {
    tensors[rest] = found->second;
    tensors.erase(what);
  } else if (verb == "type") {
    found->second.type = rest;
  } else if (verb == "byte") {
    size_t index = 0;
    int value = 0;
    if (!(std::istringstream(rest) >> index >> value) || index >= found->second.bytes.size())
      return false;
    found->second.bytes[index] = char(value);
  } else if (verb == "shape") {
    Tensor &tensor = found->second;
    size_t before = elementsOf(tensor.shape);
    tensor.shape = json::parse(rest).get<std::vector<int64_t>>();
    tensor.bytes.resize(tensor.bytes.size() / before * elementsOf(tensor.shape));
  } else {
    return false;
  }
  return true;
}

void ModelCopy::write(const std::filesystem::path &folder) const {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::ofstream(folder / configFile(isConsolidated)) << config;
  json header;
  std::string data;
  for (const auto &[name, tensor] : tensors) {
    header[name] = {
        {"dtype", tensor.type}, {"shape", tensor.shape}, {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
    data += tensor.bytes;
  }
  std::string text = header.dump();
  uint64_t length = text.size();
  std::ofstream file(folder / weightFile(isConsolidated), std::ios::binary);
  file.write(reinterpret_cast<const char *>(&length), sizeof length);
  file << text << data;
}
