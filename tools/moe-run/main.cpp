// moe-run: runs a compiled model.
#include "tools/CommandLine.h"
#include "tools/moe-run/Chat.h"
#include "tools/moe-run/FunctionRun.h"
#include "tools/moe-run/Generation.h"
#include "tools/moe-run/Input.h"
#include "tools/moe-run/Perplexity.h"
#include "tools/moe-run/TokenizeLines.h"

#include <cstdio>
#include <unistd.h>

using namespace moec;
using namespace moec::run;
using namespace moec::runtime;

namespace {
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

Status createSession(const Options &options, const Artifact &artifact, std::unique_ptr<Session> &session) {
  DeviceFactory createDevice = nullptr;
  MOEC_RETURN_IF_ERROR(take(createDevice, deviceNamed(options.device)));
  DeviceOptions device{.threads = options.threads, .isa = options.isa, .gpu = options.gpu};
  if (isatty(STDERR_FILENO))
    device.progress = showProgress;
  return take(session, Session::create(artifact, device, createDevice));
}

/// Null where the artifact has none.
Status createTokenizer(const Artifact &artifact, std::unique_ptr<Tokenizer> &tokenizer) {
  std::optional<std::span<const std::byte>> section = artifact.section("tokenizer");
  if (!section)
    return {};
  Status status = take(tokenizer, Tokenizer::create(*section));
  return status.ok() ? status : Status(status.code(), artifact.path() + ": " + status.message());
}

/// The exit code, or why there is none.
Result<int> runModel(const Options &options) {
  std::unique_ptr<Artifact> artifact;
  MOEC_RETURN_IF_ERROR(take(artifact, Artifact::open(options.artifact, {options.verify, options.weights})));
  if (artifact->manifest().functions() && artifact->manifest().functions()->size())
    return runFunction(options, *artifact);
  if (!options.inputs.empty() || !options.outputs.empty())
    return Status::invalidArgument("--input and --output are for models that are not language models; use --prompt or --ids");
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Session> session;
  MOEC_RETURN_IF_ERROR(createTokenizer(*artifact, tokenizer));
  if (!tokenizer && !options.givesIds())
    return Status::invalidArgument(options.artifact + " carries no tokenizer; give ids with --ids or --ids-file");
  if (!options.tokenize.empty()) {
    MOEC_RETURN_IF_ERROR(tokenizeLines(*tokenizer, options.tokenize));
    return 0;
  }

  MOEC_RETURN_IF_ERROR(createSession(options, *artifact, session));
  PrintCounted printCounted{*session, options.counters};
  if (!options.perplexity.empty()) {
    MOEC_RETURN_IF_ERROR(reportPerplexity(options, *session, *tokenizer));
    return 0;
  }
  if (options.chat)
    return chat(options, *artifact, *session, *tokenizer);
  std::vector<int32_t> ids;
  MOEC_RETURN_IF_ERROR(take(ids, givenIds(options, tokenizer.get())));
  return run::generate(options, *session, tokenizer.get(), std::move(ids));
}
} // namespace

int main(int argc, char **argv) {
  Options options;
  if (std::optional<int> code = parseOptions(argc, argv, options))
    return *code;
  Result<int> code = runModel(options);
  return tools::finishOutput(code.ok() ? *code : tools::complain(code.status()));
}
