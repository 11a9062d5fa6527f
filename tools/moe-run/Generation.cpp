// The main use: ids or a text go in, results are recorded, and the model goes on writing.
#include "tools/moe-run/Generation.h"

#include "runtime/Generation.h"
#include "tools/moe-run/Interrupt.h"
#include "tools/moe-run/Records.h"

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace moec;
using namespace moec::run;
using namespace moec::runtime;

namespace {
class Watch {
public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }

private:
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

/// What came of one run.
struct Outcome {
  std::vector<int32_t> ids; ///< given and generated
  size_t given;
  std::string text = {}; ///< generated
  double prefillSeconds = 0, firstSeconds = 0, decodeSeconds = 0;

  size_t generated() const { return ids.size() - given; }
  /// The first token comes of the prefill.
  double decodedPerSecond() const { return generated() > 1 ? double(generated() - 1) / decodeSeconds : 0; }
};

void printJson(const Outcome &outcome, bool hasText) {
  nlohmann::json result = {{"ids", outcome.ids}};
  if (hasText)
    result["text"] = outcome.text;
  result["timings"] = {{"prefill_tokens", outcome.given},
                       {"prefill_seconds", outcome.prefillSeconds},
                       {"generated_tokens", outcome.generated()},
                       {"decode_seconds", outcome.decodeSeconds},
                       {"first_token_seconds", outcome.firstSeconds},
                       {"decode_tokens_per_second", outcome.decodedPerSecond()}};
  std::printf("%s\n", result.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

void printIds(const std::vector<int32_t> &ids) {
  for (size_t i = 0; i < ids.size(); ++i)
    std::printf("%s%d", i ? "," : "", ids[i]);
  std::printf("\n");
}

void printSpeed(const Outcome &outcome, const Session &session) {
  std::fprintf(stderr, "moe-run: %zu tokens in %.3f s (%.1f/s), %zu generated in %.3f s (%.1f/s); %s\n", outcome.given,
               outcome.prefillSeconds, double(outcome.given) / outcome.prefillSeconds, outcome.generated(), outcome.decodeSeconds,
               outcome.decodedPerSecond(), session.description().c_str());
}

/// Writes on behind what `feed` holds, printing as it goes when `streams`.
Status write(const Options &options, Session &session, const Feed &feed, Draws &draws, StreamDecoder *decoder, bool streams,
             Outcome &outcome) {
  InterruptCatcher catcher;
  Watch watch;
  Status status = runtime::generate(session,
                                    {.sequences = feed.copies(),
                                     .tokens = options.generate,
                                     .ignoreEnd = options.ignoreEnd,
                                     .keepsLogits = feed.copies().size() > 1},
                                    draws, decoder, [&](int32_t id, const std::string &text) -> Result<bool> {
                                      MOEC_RETURN_IF_ERROR(feed.checkCopies());
                                      if (outcome.generated() == 0)
                                        outcome.firstSeconds = outcome.prefillSeconds + watch.seconds();
                                      outcome.ids.push_back(id);
                                      outcome.text += text;
                                      if (streams)
                                        printText(text);
                                      return !interrupted();
                                    });
  outcome.decodeSeconds = watch.seconds();
  return status;
}
} // namespace

void moec::run::printText(const std::string &text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

Result<int> moec::run::generate(const Options &options, Session &session, const Tokenizer *tokenizer, std::vector<int32_t> ids) {
  size_t given = ids.size();
  Outcome outcome{std::move(ids), given};
  Feed feed;
  MOEC_RETURN_IF_ERROR(take(feed, Feed::create(session, options.batch)));
  Records records;
  Draws draws({options.temperature, options.topK, options.topP, options.seed});
  const SamplingWords first = draws.next();
  MOEC_RETURN_IF_ERROR(records.open(options, session, int64_t(given), first));

  bool streams = tokenizer && !options.json;
  bool printsPrompt = streams && (!options.prompt.empty() || !options.promptFile.empty());
  if (printsPrompt)
    printText(tokenizer->decode(outcome.ids, /*skipSpecial=*/true));
  std::optional<StreamDecoder> decoder;
  if (tokenizer)
    decoder.emplace(*tokenizer, /*beginsText=*/!printsPrompt);

  Watch watch;
  FeedOptions feeding{.prefill = options.prefill.value_or(-1),
                      .chunk = options.prefillChunk,
                      .everyPosition = records.wantLogits(),
                      .last = options.batch > 1 ? Wanted::last : Wanted::sampled, // copies are compared
                      .sampling = first};
  Status status = feed.feed(outcome.ids, feeding, [&](const Feed &at) { return records.take(at, session); });
  if (status.ok())
    status = records.finish();
  outcome.prefillSeconds = watch.seconds();
  if (status.ok())
    status = write(options, session, feed, draws, decoder ? &*decoder : nullptr, streams, outcome);
  if (streams && (status.ok() || printsPrompt || !outcome.text.empty()))
    printText("\n");
  if (!status.ok())
    return status;

  if (options.json)
    printJson(outcome, tokenizer != nullptr);
  else if (!tokenizer)
    printIds(outcome.ids);
  if (!options.json)
    printSpeed(outcome, session);
  if (interrupted())
    return interruptedCode;
  if (!records.expected())
    return 0;
  if (!records.otherChoice().empty())
    std::fprintf(stderr, "moe-run: %s\n", records.otherChoice().c_str());
  std::fprintf(stderr, "moe-run: %s\n", records.expected()->report().c_str());
  return records.expected()->holds() && records.otherChoice().empty() ? 0 : 1;
}
