// Runs a model's phases and takes the time.
#include "tools/moe-bench/Measure.h"

#include "tools/moe-bench/Cost.h"

#include <chrono>
#include <cmath>
#include <set>

using namespace moec;
using namespace moec::bench;
using namespace moec::runtime;

namespace {
using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Statistics statisticsOf(const std::vector<double> &values) {
  Statistics result;
  for (double value : values)
    result.mean += value / double(values.size());
  for (double value : values)
    result.deviation += (value - result.mean) * (value - result.mean);
  result.deviation = values.size() > 1 ? std::sqrt(result.deviation / double(values.size() - 1)) : 0;
  return result;
}

/// Ids that wander over the vocabulary, the same every time.
std::vector<int32_t> someIds(size_t count, uint32_t vocabulary, uint64_t seed) {
  std::vector<int32_t> ids(count);
  for (int32_t &id : ids) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    id = int32_t((seed >> 33) % vocabulary);
  }
  return ids;
}

/// A session at work; each run takes its seconds, without what comes before and after.
class Runs {
public:
  explicit Runs(Session &session) : session(session), vocabulary(session.model().vocabulary()) {}

  Status prefill(int64_t tokens, double &seconds) {
    int sequence = 0;
    MOEC_RETURN_IF_ERROR(take(sequence, session.addSequence()));
    std::vector<int32_t> prompt = someIds(size_t(tokens), vocabulary, 5);
    auto start = Clock::now();
    MOEC_RETURN_IF_ERROR(session.prefill(sequence, prompt, Wanted::last, 0, nullptr, nullptr));
    seconds = since(start);
    session.releaseSequence(sequence);
    return {};
  }

  /// Decoding begins after a short prompt of each sequence, as llama.cpp's benchmark does. With `chosen`, adds to it for each
  /// routed layer how many different experts each step chose.
  Status decode(int64_t batch, int64_t tokens, double &seconds, std::vector<double> *chosen) {
    std::vector<int> sequences(size_t(batch), 0);
    for (int &sequence : sequences) {
      MOEC_RETURN_IF_ERROR(take(sequence, session.addSequence()));
      MOEC_RETURN_IF_ERROR(
          session.prefill(sequence, someIds(1, vocabulary, uint64_t(sequence)), Wanted::last, 0, nullptr, nullptr));
    }
    std::vector<int32_t> ids = someIds(size_t(batch * tokens), vocabulary, 17);
    std::vector<Piece> pieces(sequences.size());
    auto start = Clock::now();
    for (size_t step = 0; step < size_t(tokens); ++step) {
      for (size_t i = 0; i < pieces.size(); ++i)
        pieces[i] = {sequences[i], {&ids[step * pieces.size() + i], 1}, Wanted::last};
      MOEC_RETURN_IF_ERROR(session.step(Phase::decode, pieces));
      for (size_t layer = 0; chosen && layer < chosen->size(); ++layer) {
        std::span<const int32_t> experts = session.routedExperts(layer);
        (*chosen)[layer] += double(std::set(experts.begin(), experts.end()).size());
      }
    }
    seconds = since(start);
    for (int sequence : sequences)
      session.releaseSequence(sequence);
    return {};
  }

private:
  Session &session;
  uint32_t vocabulary;
};

/// Runs once to warm up, then as often as asked for; `run` takes a place for its seconds.
template <typename Run> Status repeat(int repetitions, std::vector<double> &seconds, Run run) {
  double warmUp = 0;
  MOEC_RETURN_IF_ERROR(run(warmUp));
  seconds.assign(size_t(repetitions), 0);
  for (double &value : seconds)
    MOEC_RETURN_IF_ERROR(run(value));
  return {};
}

std::vector<double> ratesOf(double tokens, std::vector<double> seconds) {
  for (double &value : seconds)
    value = tokens / value;
  return seconds;
}

/// A row whose limit is the lower of what arithmetic and memory allow for `tokens` tokens of so many FLOP and bytes.
Row limited(Row row, double tokens, double flop, double bytes, const Limits &limits, bool bf16) {
  double arithmetic = tokens * (bf16 ? limits.bf16Flops : limits.f32Flops) / flop, memory = tokens * limits.readBytes / bytes;
  row.limit = memory < arithmetic ? "read" : bf16 ? "bf16" : "f32";
  row.limitRate = std::min(memory, arithmetic);
  row.share = row.rate.mean / row.limitRate;
  return row;
}
} // namespace

Status moec::bench::measure(const Artifact &artifact, const Workload &workload, const Limits &limits, std::vector<Row> &rows) {
  auto start = Clock::now();
  std::unique_ptr<Session> session;
  MOEC_RETURN_IF_ERROR(take(session, Session::create(artifact, workload.device, workload.createDevice)));
  double startSeconds = since(start);
  Runs runs(*session);
  const artifact::Manifest &manifest = artifact.manifest();
  bool bf16 = session->model().compute()->string_view() == "bf16" && limits.bf16Flops > 0;
  DecodeBytes weights = decodeBytesOf(manifest);
  int threads = workload.device.threads;
  std::vector<double> seconds;

  if (double tokens = double(workload.prefill); workload.prefill) {
    MOEC_RETURN_IF_ERROR(
        repeat(workload.repetitions, seconds, [&](double &value) { return runs.prefill(workload.prefill, value); }));
    Row row{
        .test = "prefill " + std::to_string(workload.prefill), .threads = threads, .rate = statisticsOf(ratesOf(tokens, seconds))};
    // Each weight is read once at least; which experts' would depend on the routing, so none is counted.
    rows.push_back(limited(row, tokens, flopOf(manifest, "prefill", tokens, 1), weights.everyStep, limits, bf16));
  }
  for (int64_t batch : workload.decode ? workload.batches : std::vector<int64_t>{}) {
    double tokens = double(batch * workload.decode);
    // One run tells which experts are read, since each chooses the same.
    std::vector<double> chosen(session->routedLayers(), 0);
    double ignored = 0;
    MOEC_RETURN_IF_ERROR(runs.decode(batch, workload.decode, ignored, &chosen));
    MOEC_RETURN_IF_ERROR(
        repeat(workload.repetitions, seconds, [&](double &value) { return runs.decode(batch, workload.decode, value, nullptr); }));
    Row row{.test = "decode " + std::to_string(workload.decode),
            .batch = batch,
            .threads = threads,
            .rate = statisticsOf(ratesOf(tokens, seconds))};
    double bytes = weights.everyStep * double(workload.decode) + weights.everyToken * tokens;
    for (size_t layer = 0; layer < weights.experts.size() && layer < chosen.size(); ++layer)
      bytes += weights.experts[layer] / double(manifest.routing()->Get(uint32_t(layer))->experts()) * chosen[layer];
    bytes += tokens * double(cacheBytesPerPosition(manifest)) * double(workload.decode) / 2;
    rows.push_back(limited(row, tokens, flopOf(manifest, "decode", 1, 1) * tokens, bytes, limits, bf16));
  }
  MOEC_RETURN_IF_ERROR(repeat(workload.repetitions, seconds, [&](double &value) { return runs.prefill(1, value); }));
  for (double &value : seconds)
    value += startSeconds;
  rows.push_back({.test = "first token", .threads = threads, .rate = statisticsOf(seconds)});
  return {};
}

Result<std::string> moec::bench::count(const Artifact &artifact, const Workload &workload) {
  std::unique_ptr<Session> session;
  MOEC_RETURN_IF_ERROR(take(session, Session::create(artifact, workload.device, workload.createDevice)));
  Runs runs(*session);
  double ignored = 0;
  if (workload.prefill)
    MOEC_RETURN_IF_ERROR(runs.prefill(workload.prefill, ignored));
  for (int64_t batch : workload.decode ? workload.batches : std::vector<int64_t>{})
    MOEC_RETURN_IF_ERROR(runs.decode(batch, workload.decode, ignored, nullptr));
  return session->device().counted();
}
