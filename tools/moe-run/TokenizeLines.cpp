// --tokenize: ids and text of every line of a file.
#include "tools/moe-run/TokenizeLines.h"

#include "runtime/artifact/MappedFile.h"

#include <cstdio>
#include <nlohmann/json.hpp>

using namespace moec::run;
using namespace moec::runtime;

/// The row for one line.
static Result<nlohmann::json> tokenizeLine(const Tokenizer &tokenizer, std::string_view line) {
  nlohmann::json row = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!row.is_object())
    return Status::invalidData("expected {\"text\": ...} or {\"ids\": [...]}");
  nlohmann::json result;
  std::vector<int32_t> ids;
  if (auto text = row.find("text"); text != row.end() && text->is_string()) {
    Result<std::vector<int32_t>> plain = tokenizer.encode(text->get_ref<const std::string &>(), false);
    Result<std::vector<int32_t>> special = tokenizer.encode(text->get_ref<const std::string &>(), true);
    if (!plain.ok() || !special.ok())
      return plain.ok() ? special.status() : plain.status();
    ids = *plain;
    result["ids_special"] = *special;
  } else {
    auto given = row.find("ids");
    if (given == row.end() || !given->is_array())
      return Status::invalidData("expected {\"text\": ...} or {\"ids\": [...]}");
    for (const nlohmann::json &id : *given) {
      if (!id.is_number_unsigned() || id.get<uint64_t>() >= tokenizer.size())
        return Status::invalidData("expected ids below " + std::to_string(tokenizer.size()) + ", got " + id.dump());
      ids.push_back(id.get<int32_t>());
    }
  }
  result["ids"] = ids;
  result["decoded"] = tokenizer.decode(ids, /*skipSpecial=*/false);
  return result;
}

Status moec::run::tokenizeLines(const Tokenizer &tokenizer, const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file.ok())
    return file.status();
  std::string_view rest(reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size());
  for (size_t number = 1; !rest.empty(); ++number) {
    size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    Result<nlohmann::json> row = tokenizeLine(tokenizer, line);
    if (!row.ok())
      return Status(row.status().code(), path + ":" + std::to_string(number) + ": " + row.status().message());
    std::printf("%s\n", row->dump().c_str());
  }
  return {};
}
