// Goes through an index in its order.
#include "importers/safetensors/Index.h"
#include "importers/Refusal.h"

using namespace moec::importers;
using namespace moec::importers::safetensors;
using llvm::StringRef;

llvm::Expected<std::vector<IndexEntry>> safetensors::readIndex(json::Reader &json, StringRef path,
                                                               llvm::function_ref<void(StringRef)> foundFile) {
  auto no = [&](const llvm::Twine &why) {
    json.skipRest();
    return json.failed() ? json.problem() : refuse(path + ": weight_map: " + why);
  };
  std::optional<std::vector<IndexEntry>> entries;
  bool isObject = json.beginObject();
  for (StringRef key; isObject && json.nextMember(key);) {
    if (key != "weight_map") {
      json.skip();
      continue;
    }
    if (!json.beginObject(json::Keys::LeftToCaller))
      return no("expected an object, got " + json.kind());
    entries.emplace();
    StringRef last;
    for (StringRef tensor; json.nextMember(tensor);) {
      std::optional<StringRef> file = json.string();
      if (!file)
        return no("tensor '" + tensor + "': expected the name of a file, got " + json.kind());
      if (!file->ends_with(".safetensors"))
        return no("tensor '" + tensor + "': expected a .safetensors file, got '" + *file + "'");
      if (*file != last) // neighbours are mostly in one file
        foundFile(last = *file);
      entries->push_back({tensor, *file});
    }
  }
  if (!json.failed() && !entries)
    return no("expected an object, got nothing");
  if (llvm::Error error = json.finish())
    return error;
  return std::move(*entries);
}
