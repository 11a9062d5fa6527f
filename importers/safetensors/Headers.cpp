// A task for each file; what the tasks found is put in order at the end.
#include "importers/safetensors/Headers.h"
#include "importers/Refusal.h"

using namespace moec::importers;
using namespace moec::importers::safetensors;
using llvm::StringRef;

static constexpr size_t maxFiles = 4096;

void HeadersReader::begin(StringRef file) {
  auto [entry, isNew] = outcomes.try_emplace(file.str());
  if (isNew && outcomes.size() <= maxFiles)
    threads.spawn([this, entry] { read(entry->first, entry->second); });
}

void HeadersReader::read(const std::string &name, Outcome &outcome) {
  if (tensors > maxTensors)
    return;
  llvm::Expected<File> file = folder.open(name);
  llvm::Expected<Header> header = file ? readHeader(*file) : file.takeError();
  if (!header) {
    outcome.problem = llvm::toString(header.takeError());
    return;
  }
  tensors += header->tensors.size();
  outcome.header = std::move(*header);
}

llvm::Expected<Headers> HeadersReader::finish() {
  threads.sync();
  if (outcomes.size() > maxFiles)
    return refuse("expected at most " + llvm::Twine(maxFiles) + " files, got " + llvm::Twine(outcomes.size()));
  Headers headers;
  for (auto &[name, outcome] : outcomes) {
    if (!outcome.problem.empty())
      return refuse(outcome.problem);
    headers.emplace(name, std::move(outcome.header));
  }
  if (tensors > maxTensors)
    return refuse("more than " + llvm::Twine(maxTensors) + " tensors in all");
  return headers;
}
