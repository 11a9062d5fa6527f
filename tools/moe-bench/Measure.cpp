// Runs a model's phases and takes the time.
#include "tools/moe-bench/Measure.h"

#include "tools/moe-bench/Cost.h"
#include "tools/moe-bench/Runs.h"

#include <chrono>
#include <cmath>

using namespace moec;
using namespace moec::bench;
using namespace moec::runtime;

namespace {
Statistics statisticsOf(const std::vector<double> &values) {
  Statistics result;
  for (double value : values)
    result.mean += value / double(values.size());
  for (double value : values)
    result.deviation += (value - result.mean) * (value - result.mean);
  result.deviation = values.size() > 1 ? std::sqrt(result.deviation / double(values.size() - 1)) : 0;
  return result;
}

/// One run, and what the machine could do just before and after it.
struct Repetition {
  double seconds = 0;
  Limits limits = {};
};

/// Runs of one kind after another.
class Repetitions {
public:
  Repetitions(const Gauge &gauge, int count) : gauge(gauge), repetitions(size_t(count)) {}

  /// Runs once to warm up, then as often as asked for, and measures the machine between the runs; `once` takes a place for its
  /// seconds.
  template <typename Run> Status run(Run once) {
    double warmUp = 0;
    MOEC_RETURN_IF_ERROR(once(warmUp));
    MOEC_RETURN_IF_ERROR(measureMachine());
    for (Repetition &repetition : repetitions) {
      MOEC_RETURN_IF_ERROR(once(repetition.seconds));
      MOEC_RETURN_IF_ERROR(measureMachine());
      repetition.limits = meanOf(std::span(measured).last(2));
    }
    return {};
  }

  const std::vector<Repetition> &results() const { return repetitions; }
  /// The mean of what was measured between them.
  Limits limits() const { return meanOf(measured); }

private:
  Status measureMachine() { return take(measured.emplace_back(), gauge()); }

  const Gauge &gauge;
  std::vector<Repetition> repetitions;
  std::vector<Limits> measured;
};

/// Of runs of `tokens` tokens each.
Statistics ratesOf(const std::vector<Repetition> &repetitions, double tokens) {
  std::vector<double> rates;
  for (const Repetition &repetition : repetitions)
    rates.push_back(tokens / repetition.seconds);
  return statisticsOf(rates);
}

/// What `tokens` tokens cost at least.
struct Work {
  double tokens, flop, bytes;
  bool bf16; ///< the arithmetic

  double arithmeticRate(const Limits &limits) const { return tokens * (bf16 ? limits.bf16Flops : limits.f32Flops) / flop; }
  double memoryRate(const Limits &limits) const { return tokens * limits.readBytes / bytes; }
};

/// A row of which the limit is the lower of what arithmetic and memory allow.
Row limited(Row row, const Work &work, const Repetitions &repetitions) {
  row.rate = ratesOf(repetitions.results(), work.tokens);
  Limits limits = repetitions.limits();
  bool isMemory = work.memoryRate(limits) < work.arithmeticRate(limits);
  row.limit = isMemory ? "read" : work.bf16 ? "bf16" : "f32";
  for (const Repetition &each : repetitions.results()) {
    double limitRate = isMemory ? work.memoryRate(each.limits) : work.arithmeticRate(each.limits);
    row.limitRate += limitRate / double(repetitions.results().size());
    row.share += work.tokens / each.seconds / limitRate / double(repetitions.results().size());
  }
  return row;
}
} // namespace

Status moec::bench::measure(const Artifact &artifact, const Workload &workload, const Gauge &gauge, Limits &limits,
                            std::vector<Row> &rows) {
  auto start = std::chrono::steady_clock::now();
  std::unique_ptr<Session> session;
  MOEC_RETURN_IF_ERROR(take(session, Session::create(artifact, workload.device, workload.createDevice)));
  double startSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Runs runs(*session);
  const artifact::Manifest &manifest = artifact.manifest();
  DecodeBytes weights = decodeBytesOf(manifest);
  int threads = workload.device.threads;
  Limits first;
  MOEC_RETURN_IF_ERROR(take(first, gauge()));
  bool bf16 = session->model().compute()->string_view() == "bf16" && first.bf16Flops > 0;
  std::vector<Limits> measured;

  if (double tokens = double(workload.prefill); workload.prefill) {
    Repetitions repetitions(gauge, workload.repetitions);
    MOEC_RETURN_IF_ERROR(repetitions.run([&](double &seconds) { return runs.prefill(workload.prefill, seconds); }));
    // Each weight is read once at least; which experts' would depend on the routing, so none is counted.
    Work work{tokens, flopOf(manifest, "prefill", tokens, 1), weights.everyStep, bf16};
    rows.push_back(limited({.test = "prefill " + std::to_string(workload.prefill), .threads = threads}, work, repetitions));
    measured.push_back(repetitions.limits());
  }
  for (int64_t batch : workload.decodedBatches()) {
    double tokens = double(batch * workload.decode);
    // One run tells which experts are read, since each chooses the same.
    std::vector<double> chosen(session->routedLayers(), 0);
    double ignored = 0;
    MOEC_RETURN_IF_ERROR(runs.decode(batch, workload.decode, ignored, &chosen));
    Repetitions repetitions(gauge, workload.repetitions);
    MOEC_RETURN_IF_ERROR(repetitions.run([&](double &seconds) { return runs.decode(batch, workload.decode, seconds, nullptr); }));
    double bytes = weights.everyStep * double(workload.decode) + weights.everyToken * tokens;
    for (size_t layer = 0; layer < weights.experts.size() && layer < chosen.size(); ++layer)
      bytes += weights.experts[layer] / double(manifest.routing()->Get(uint32_t(layer))->experts()) * chosen[layer];
    bytes += tokens * double(cacheBytesPerPosition(manifest)) * double(workload.decode) / 2;
    Work work{tokens, flopOf(manifest, "decode", 1, 1) * tokens, bytes, bf16};
    rows.push_back(
        limited({.test = "decode " + std::to_string(workload.decode), .batch = batch, .threads = threads}, work, repetitions));
    measured.push_back(repetitions.limits());
  }
  limits = measured.empty() ? first : meanOf(measured);

  std::vector<double> seconds(size_t(workload.repetitions) + 1);
  for (double &value : seconds) {
    MOEC_RETURN_IF_ERROR(runs.prefill(1, value));
    value += startSeconds;
  }
  seconds.erase(seconds.begin()); // it warms up
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
  for (int64_t batch : workload.decodedBatches())
    MOEC_RETURN_IF_ERROR(runs.decode(batch, workload.decode, ignored, nullptr));
  return session->device().counted();
}
