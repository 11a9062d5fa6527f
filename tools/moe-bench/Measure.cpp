// Runs a model's phases and takes the time.
#include "tools/moe-bench/Measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>

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

/// FLOP of a step, and bytes of weights that a step of one token reads, as the compiler counted them per row.
struct Cost {
  double flops = 0, bytes = 0;
};

Cost costOf(const Artifact &artifact, const char *phase, double tokens, double outputs) {
  const artifact::Manifest &manifest = artifact.manifest();
  Cost cost;
  for (const artifact::Program *program : *manifest.programs()) {
    if (program->name()->string_view() != phase)
      continue;
    for (const artifact::Launch *launch : *program->launches()) {
      bool perOutput = std::ranges::any_of(*launch->buffers(), [&](uint32_t index) {
        const artifact::Buffer *buffer = manifest.buffers()->Get(index);
        return buffer->kind() == artifact::BufferKind::arena && buffer->extent() == artifact::Extent::outputs;
      });
      cost.flops += double(launch->flops_per_unit()) * (perOutput ? outputs : tokens);
      cost.bytes += double(launch->bytes_per_unit());
    }
  }
  return cost;
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
} // namespace

Status moec::bench::measure(const Artifact &artifact, const Workload &workload, int64_t batch, int threads, const Limits &limits,
                            std::vector<Row> &rows) {
  auto start = Clock::now();
  std::unique_ptr<Session> created;
  MOEC_RETURN_IF_ERROR(take(created, Session::create(artifact, {threads, workload.isa}, workload.createDevice)));
  Session &session = *created;
  double startSeconds = since(start);
  uint32_t vocabulary = session.model().vocabulary();
  bool bf16 = session.model().compute()->string_view() == "bf16" && limits.bf16Flops > 0;

  std::vector<double> prefillRates, decodeRates, firstSeconds;
  for (int run = -1; run < workload.repetitions; ++run) { // the first run warms up
    std::vector<int> sequences;
    for (int64_t i = 0; i < batch; ++i) {
      Result<int> sequence = session.addSequence();
      if (!sequence.ok())
        return sequence.status();
      sequences.push_back(*sequence);
    }
    // Decoding begins after a short prompt of each sequence, as llama.cpp's benchmark does.
    for (int sequence : sequences)
      MOEC_RETURN_IF_ERROR(
          session.prefill(sequence, someIds(1, vocabulary, uint64_t(sequence)), Wanted::last, 0, nullptr, nullptr));
    std::vector<int32_t> ids = someIds(size_t(batch * workload.decode), vocabulary, 17);
    std::vector<Piece> pieces(sequences.size());
    start = Clock::now();
    for (int64_t step = 0; step < workload.decode; ++step) {
      for (size_t i = 0; i < pieces.size(); ++i)
        pieces[i] = {sequences[i], {&ids[size_t(step) * pieces.size() + i], 1}, Wanted::last};
      MOEC_RETURN_IF_ERROR(session.step(Phase::decode, pieces));
    }
    if (workload.decode && run >= 0)
      decodeRates.push_back(double(batch * workload.decode) / since(start));
    for (int sequence : sequences)
      session.releaseSequence(sequence);

    if (batch == 1) {
      Result<int> sequence = session.addSequence();
      if (!sequence.ok())
        return sequence.status();
      std::vector<int32_t> prompt = someIds(size_t(workload.prefill), vocabulary, 5);
      start = Clock::now();
      if (workload.prefill)
        MOEC_RETURN_IF_ERROR(session.prefill(*sequence, prompt, Wanted::last, 0, nullptr, nullptr));
      if (workload.prefill && run >= 0)
        prefillRates.push_back(double(workload.prefill) / since(start));
      session.releaseSequence(*sequence);

      sequence = session.addSequence();
      start = Clock::now();
      MOEC_RETURN_IF_ERROR(session.prefill(*sequence, someIds(1, vocabulary, 3), Wanted::last, 0, nullptr, nullptr));
      if (run >= 0)
        firstSeconds.push_back(startSeconds + since(start));
      session.releaseSequence(*sequence);
    }
  }

  if (!prefillRates.empty()) {
    Row row{.test = "prefill " + std::to_string(workload.prefill), .threads = threads, .rate = statisticsOf(prefillRates)};
    double peak = bf16 ? limits.bf16Flops : limits.f32Flops;
    row.limit = bf16 ? "bf16" : "f32";
    row.limitRate = double(workload.prefill) * peak / costOf(artifact, "prefill", double(workload.prefill), 1).flops;
    row.share = row.rate.mean / row.limitRate;
    rows.push_back(std::move(row));
  }
  if (!decodeRates.empty()) {
    Row row{
        .test = "decode " + std::to_string(workload.decode), .batch = batch, .threads = threads, .rate = statisticsOf(decodeRates)};
    if (batch == 1) { // which experts a larger batch reads depends on its routing
      row.limit = "read";
      double bytes =
          costOf(artifact, "decode", 1, 1).bytes + double(cacheBytesPerPosition(artifact.manifest())) * double(workload.decode) / 2;
      row.limitRate = limits.readBytes / bytes;
      row.share = row.rate.mean / row.limitRate;
    }
    rows.push_back(std::move(row));
  }
  if (!firstSeconds.empty())
    rows.push_back({.test = "first token", .threads = threads, .rate = statisticsOf(firstSeconds)});
  return {};
}
