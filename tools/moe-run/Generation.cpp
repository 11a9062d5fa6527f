// The main use: ids or a text go in, results are recorded, and the model goes on writing.
#include "tools/moe-run/Generation.h"

#include "runtime/sampling/Sampler.h"
#include "tools/moe-run/Records.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace moec::run;
using namespace moec::runtime;

namespace {
/// Set by the first interrupt, which ends the generation; the second ends the program.
volatile std::sig_atomic_t interrupted = 0;

void interrupt(int signal) {
  interrupted = 1;
  std::signal(signal, SIG_DFL);
}

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void printText(const std::string &text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}
} // namespace

int moec::run::complain(const Status &status) {
  std::fprintf(stderr, "moe-run: error: %s\n", status.message().c_str());
  return 2;
}

int moec::run::generate(const Options &options, Session &session, const Tokenizer *tokenizer, std::vector<int32_t> ids) {
  size_t given = ids.size();
  Result<Feed> feed = Feed::create(session, options.batch);
  if (!feed.ok())
    return complain(feed.status());
  Records records;
  if (Status status = records.open(options, session, int64_t(given)); !status.ok())
    return complain(status);

  bool streams = tokenizer && !options.json;
  bool printsPrompt = streams && (!options.prompt.empty() || !options.promptFile.empty());
  if (printsPrompt)
    printText(tokenizer->decode(ids, /*skipSpecial=*/true));

  auto start = std::chrono::steady_clock::now();
  Status fed = feed->feed(ids, {options.prefill.value_or(-1), options.prefillChunk, records.wantLogits()},
                          [&](const Feed &at) { return records.take(at, session); });
  if (fed.ok())
    fed = records.finish();
  if (!fed.ok())
    return complain(fed);
  double prefillSeconds = secondsSince(start), firstSeconds = 0;

  std::signal(SIGINT, interrupt);
  Sampler sampler(session.model().vocabulary(), {options.temperature, options.topK, options.topP, options.seed});
  std::optional<StreamDecoder> stream;
  if (tokenizer)
    stream.emplace(*tokenizer, /*beginsText=*/!printsPrompt);
  std::string text;
  start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < options.generate && !interrupted; ++i) {
    int32_t id = sampler.sample(feed->logits(feed->outputs() - 1));
    ids.push_back(id);
    if (stream) {
      std::string piece = stream->next(id);
      text += piece;
      if (streams)
        printText(piece);
    }
    if (i == 0)
      firstSeconds = prefillSeconds + secondsSince(start);
    if ((endsSequence(session.model(), id) && !options.ignoreEnd) || i + 1 == options.generate)
      break;
    if (Status status = feed->decode(id); !status.ok()) {
      if (streams)
        printText("\n");
      return complain(status);
    }
  }
  double decodeSeconds = secondsSince(start);
  if (stream) {
    std::string rest = stream->finish();
    text += rest;
    if (streams)
      printText(rest + "\n");
  }

  size_t generated = ids.size() - given;
  double decoded = generated > 1 ? double(generated - 1) / decodeSeconds : 0;
  if (options.json) {
    nlohmann::json result = {{"ids", ids}};
    if (tokenizer)
      result["text"] = text;
    result["timings"] = {
        {"prefill_tokens", given},         {"prefill_seconds", prefillSeconds},   {"generated_tokens", generated},
        {"decode_seconds", decodeSeconds}, {"first_token_seconds", firstSeconds}, {"decode_tokens_per_second", decoded}};
    std::printf("%s\n", result.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    if (!tokenizer) {
      for (size_t i = 0; i < ids.size(); ++i)
        std::printf("%s%d", i ? "," : "", ids[i]);
      std::printf("\n");
    }
    std::fprintf(stderr, "moe-run: %zu tokens in %.3f s (%.1f/s), %zu generated in %.3f s (%.1f/s); %s\n", given, prefillSeconds,
                 double(given) / prefillSeconds, generated, decodeSeconds, decoded, session.description().c_str());
  }
  if (records.expected()) {
    std::fprintf(stderr, "moe-run: %s\n", records.expected()->report().c_str());
    return records.expected()->holds() ? 0 : 1;
  }
  return interrupted ? 130 : 0;
}
