// moe-run: runs a compiled model.
#include "runtime/npy/Npy.h"
#include "tools/CommandLine.h"
#include "tools/moe-run/Chat.h"
#include "tools/moe-run/Generation.h"
#include "tools/moe-run/Perplexity.h"
#include "tools/moe-run/TokenizeLines.h"

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace moec::run;
using namespace moec::runtime;
using moec::tools::complain;

namespace {
Result<std::vector<int32_t>> parseIds(const std::string &text) {
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

Result<std::vector<int32_t>> readIds(const std::string &path) {
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

Result<std::string> readText(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file.ok())
    return file.status();
  return std::string(reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size());
}

int reportPerplexity(const Options &options, Session &session, const Tokenizer &tokenizer) {
  Result<std::string> text = readText(options.perplexity);
  if (!text.ok())
    return complain(text.status());
  Result<Perplexity> result = measurePerplexity(session, tokenizer, *text, options.window);
  if (!result.ok())
    return complain(result.status());
  if (options.json)
    std::printf(
        "%s\n",
        nlohmann::json{{"nll", result->meanLoss}, {"perplexity", result->perplexity()}, {"ids", result->ids}}.dump().c_str());
  else
    std::printf("perplexity %.4f (nll %.6f over %zu ids)\n", result->perplexity(), result->meanLoss, result->ids);
  return 0;
}

/// The ids of what was given, as text or as ids.
Result<std::vector<int32_t>> givenIds(const Options &options, const Tokenizer *tokenizer) {
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

/// Prints at the end what the device has counted.
struct PrintCounted {
  const Session &session;
  bool wanted;
  ~PrintCounted() {
    if (wanted)
      std::fputs(session.device().counted().c_str(), stderr);
  }
};

/// Shows how far weights are uploaded to a device of its own memory.
void showProgress(uint64_t done, uint64_t total) {
  std::fprintf(stderr, "\rmoe-run: %.2f of %.2f GB uploaded%s", double(done) * 1e-9, double(total) * 1e-9,
               done < total ? "" : "\n");
}

Result<std::unique_ptr<Session>> createSession(const Options &options, const Artifact &artifact) {
  Result<DeviceFactory> createDevice = deviceNamed(options.device);
  if (!createDevice.ok())
    return createDevice.status();
  DeviceOptions device{.threads = options.threads, .isa = options.isa, .gpu = options.gpu};
  if (isatty(STDERR_FILENO))
    device.progress = showProgress;
  return Session::create(artifact, device, *createDevice);
}

int run(const Options &options) {
  if (!options.inputs.empty() || !options.outputs.empty())
    return complain(
        Status::invalidArgument("--input and --output are for models that are not language models; use --prompt or --ids"));
  Result<std::unique_ptr<Artifact>> artifact = Artifact::open(options.artifact, {options.verify, options.weights});
  if (!artifact.ok())
    return complain(artifact.status());

  std::unique_ptr<Tokenizer> tokenizer;
  if (auto section = (*artifact)->section("tokenizer")) {
    Result<std::unique_ptr<Tokenizer>> made = Tokenizer::create(*section);
    if (!made.ok())
      return complain(Status(made.status().code(), options.artifact + ": " + made.status().message()));
    tokenizer = std::move(*made);
  }
  bool fromIds = !options.ids.empty() || !options.idsFile.empty();
  if (!tokenizer && !fromIds)
    return complain(Status::invalidArgument(options.artifact + " carries no tokenizer; give ids with --ids or --ids-file"));
  if (!options.tokenize.empty()) {
    Status status = tokenizeLines(*tokenizer, options.tokenize);
    return status.ok() ? 0 : complain(status);
  }

  Result<std::unique_ptr<Session>> session = createSession(options, **artifact);
  if (!session.ok())
    return complain(session.status());
  PrintCounted printCounted{**session, options.counters};
  if (!options.perplexity.empty())
    return reportPerplexity(options, **session, *tokenizer);
  if (options.chat)
    return chat(options, **artifact, **session, *tokenizer);
  Result<std::vector<int32_t>> ids = givenIds(options, tokenizer.get());
  if (!ids.ok())
    return complain(ids.status());
  return generate(options, **session, tokenizer.get(), std::move(*ids));
}
} // namespace

int main(int argc, char **argv) {
  Options options;
  if (std::optional<int> code = parseOptions(argc, argv, options))
    return *code;
  return moec::tools::finishOutput(run(options));
}
