// moe-run: runs a compiled model.
#include "runtime/sampling/Sampler.h"
#include "tools/moe-run/Expectation.h"
#include "tools/moe-run/Feed.h"
#include "tools/moe-run/Options.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace moec::run;
using namespace moec::runtime;

namespace {
constexpr int checkFailed = 1, unusable = 2;

int complain(const Status &status) {
  std::fprintf(stderr, "moe-run: error: %s\n", status.message().c_str());
  return unusable;
}

Result<std::vector<int32_t>> parseIds(const std::string &text) {
  std::vector<int32_t> ids;
  for (const char *at = text.c_str();; ++at) {
    char *end;
    long value = std::strtol(at, &end, 10);
    if (end == at || value < 0 || value > INT32_MAX || (*end && *end != ','))
      return Status::invalidArgument("--ids '" + text + "': expected numbers like 5,17,3");
    ids.push_back(int32_t(value));
    if (!*end)
      return ids;
    at = end;
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

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Writers and comparisons that take the given positions as they come.
struct Records {
  std::optional<NpyWriter> logits, routing;
  std::optional<Expectation> expectation;

  Status open(const Options &options, const Session &session, int64_t positions) {
    int64_t vocabulary = session.model().vocabulary(), layers = int64_t(session.routedLayers());
    if (!options.logits.empty()) {
      int64_t shape[] = {positions, vocabulary};
      Result<NpyWriter> writer = NpyWriter::create(options.logits, "<f4", shape);
      if (!writer.ok())
        return writer.status();
      logits.emplace(std::move(*writer));
    }
    if (!options.routing.empty()) {
      if (layers == 0)
        return Status::invalidArgument("--routing: the model routes no tokens");
      int64_t shape[] = {positions, layers, session.expertsPerToken(0)};
      Result<NpyWriter> writer = NpyWriter::create(options.routing, "<i4", shape);
      if (!writer.ok())
        return writer.status();
      routing.emplace(std::move(*writer));
    }
    if (!options.expect.empty()) {
      Result<Expectation> golden =
          Expectation::read(options.expect, positions, vocabulary, options.absoluteTolerance, options.relativeTolerance);
      if (!golden.ok())
        return golden.status();
      expectation.emplace(std::move(*golden));
    }
    return {};
  }

  Status take(const Feed &feed, const Session &session) {
    for (size_t row = 0; (logits || expectation) && row < feed.outputs(); ++row) {
      if (logits)
        MOEC_RETURN_IF_ERROR(logits->append(std::as_bytes(feed.logits(row))));
      if (expectation)
        expectation->compare(feed.logits(row));
    }
    for (size_t token = 0; routing && token < feed.tokens(); ++token)
      for (size_t layer = 0; layer < session.routedLayers(); ++layer) {
        size_t k = size_t(session.expertsPerToken(layer));
        MOEC_RETURN_IF_ERROR(routing->append(std::as_bytes(feed.routedExperts(layer).subspan(token * k, k))));
      }
    return {};
  }

  Status finish() {
    if (logits)
      MOEC_RETURN_IF_ERROR(logits->finish());
    if (routing)
      MOEC_RETURN_IF_ERROR(routing->finish());
    return {};
  }
};

int runIds(const Options &options, Session &session, std::vector<int32_t> ids) {
  Result<Feed> feed = Feed::create(session, options.batch);
  if (!feed.ok())
    return complain(feed.status());
  Records records;
  if (Status status = records.open(options, session, int64_t(ids.size())); !status.ok())
    return complain(status);

  auto start = std::chrono::steady_clock::now();
  FeedOptions feedOptions{options.prefill.value_or(-1), options.prefillChunk, !options.logits.empty() || !options.expect.empty()};
  Status fed = feed->feed(ids, feedOptions, [&](const Feed &at) { return records.take(at, session); });
  if (fed.ok())
    fed = records.finish();
  if (!fed.ok())
    return complain(fed);
  double given = secondsSince(start);

  Sampler sampler(session.model().vocabulary(), {options.temperature, options.topK, options.topP, options.seed});
  const auto *ends = session.model().eos_ids();
  start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < options.generate; ++i) {
    int32_t id = sampler.sample(feed->logits(feed->outputs() - 1));
    ids.push_back(id);
    bool isEnd = ends && std::find(ends->begin(), ends->end(), id) != ends->end();
    if ((isEnd && !options.ignoreEnd) || i + 1 == options.generate)
      break;
    if (Status status = feed->decode(id); !status.ok())
      return complain(status);
  }
  double generated = secondsSince(start);

  if (options.json) {
    nlohmann::json result = {{"ids", ids}, {"timings", {{"prefill_seconds", given}, {"decode_seconds", generated}}}};
    std::printf("%s\n", result.dump().c_str());
  } else {
    for (size_t i = 0; i < ids.size(); ++i)
      std::printf("%s%d", i ? "," : "", ids[i]);
    std::printf("\n");
  }
  if (records.expectation) {
    std::fprintf(stderr, "moe-run: %s\n", records.expectation->report().c_str());
    return records.expectation->holds() ? 0 : checkFailed;
  }
  return 0;
}

int run(const Options &options) {
  if (options.device != "cpu")
    return complain(Status::unavailable("--device " + options.device + ": expected cpu, the only device of this build"));
  Result<std::unique_ptr<Artifact>> artifact = Artifact::open(options.artifact, {options.verify, options.weights});
  if (!artifact.ok())
    return complain(artifact.status());
  Result<std::unique_ptr<Session>> session = Session::create(**artifact, {options.threads, options.isa});
  if (!session.ok())
    return complain(session.status());
  Result<std::vector<int32_t>> ids = options.ids.empty() ? readIds(options.idsFile) : parseIds(options.ids);
  if (!ids.ok())
    return complain(ids.status());
  return runIds(options, **session, std::move(*ids));
}
} // namespace

int main(int argc, char **argv) {
  Options options;
  if (std::optional<int> code = parseOptions(argc, argv, options))
    return *code;
  return run(options);
}
