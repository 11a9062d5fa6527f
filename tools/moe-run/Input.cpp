// What goes in: ids or text, from the command line or files.
#include "tools/moe-run/Input.h"

#include "runtime/artifact/MappedFile.h"
#include "runtime/npy/Npy.h"

#include <charconv>

using namespace moec::run;
using namespace moec::runtime;

static Result<std::vector<int32_t>> parseIds(const std::string &text) {
  std::vector<int32_t> ids;
  const char *at = text.data(), *end = at + text.size();
  while (true) {
    int32_t id = -1;
    auto [next, error] = std::from_chars(at, end, id);
    if (error != std::errc() || id < 0 || (next != end && *next != ','))
      return Status::invalidArgument("--ids '" + text + "': expected numbers like 5,17,3");
    ids.push_back(id);
    if (next == end)
      return ids;
    at = next + 1;
  }
}

static Result<std::vector<int32_t>> readIds(const std::string &path) {
  Result<NpyArray> array = readNpy(path);
  if (!array.ok())
    return array.status();
  if (array->shape.size() != 1 || array->integers.empty())
    return Status::invalidData(path + ": expected a row of integers");
  std::vector<int32_t> ids;
  for (int64_t id : array->integers) {
    if (id < 0 || id > INT32_MAX)
      return Status::invalidData(path + ": expected token ids, got " + std::to_string(id));
    ids.push_back(int32_t(id));
  }
  return ids;
}

Result<std::string> moec::run::readText(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file.ok())
    return file.status();
  return std::string(reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size());
}

Result<std::vector<int32_t>> moec::run::givenIds(const Options &options, const Tokenizer *tokenizer) {
  if (!options.ids.empty())
    return parseIds(options.ids);
  if (!options.idsFile.empty())
    return readIds(options.idsFile);
  Result<std::string> text = options.promptFile.empty() ? Result<std::string>(options.prompt) : readText(options.promptFile);
  if (!text.ok())
    return text.status();
  Result<std::vector<int32_t>> ids = tokenizer->encode(*text, /*special=*/true);
  if (ids.ok() && ids->empty())
    return Status::invalidArgument("the prompt has no tokens; give some text with --prompt, or ids with --ids");
  return ids;
}
