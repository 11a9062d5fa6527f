// Takes the time of every kernel.
#include "tools/moe-bench/KernelTimes.h"

#include "tools/moe-bench/Cost.h"
#include "tools/moe-bench/Runs.h"

#include <algorithm>
#include <map>

using namespace moec;
using namespace moec::bench;
using namespace moec::runtime;
using moec::artifact::Launch;
using moec::artifact::Manifest;
using moec::artifact::Program;

namespace {
/// Rows of one test on one session.
class KernelTimer {
public:
  KernelTimer(const Session &session, const Manifest &manifest, const Workload &workload)
      : session(session), manifest(manifest), workload(workload) {}

  /// `once` does the test's work, a prompt or so many steps, of one token for each sequence.
  template <typename Once> Status time(KernelRow common, std::string_view phase, int64_t tokens, int64_t steps, Once once) {
    size_t place = programOf(phase);
    double ignored = 0;
    MOEC_RETURN_IF_ERROR(once(ignored)); // it warms up
    std::vector<LaunchTime> before(session.device().launchTimes(place).begin(), session.device().launchTimes(place).end());
    for (int i = 0; i < workload.repetitions; ++i)
      MOEC_RETURN_IF_ERROR(once(ignored));

    std::map<std::string, KernelRow> byKernel;
    double all = 0;
    for (size_t i = 0; i < before.size(); ++i) {
      const LaunchTime &launch = session.device().launchTimes(place)[i];
      double seconds = (launch.seconds - before[i].seconds) / double(workload.repetitions * steps);
      all += seconds;
      add(byKernel, common, *manifest.programs()->Get(uint32_t(place)), launch, seconds, double(tokens));
    }
    size_t first = rows.size();
    for (auto &[kernel, row] : byKernel) {
      const double seconds = row.seconds;
      auto perSecond = [&](double amount) { return seconds > 0 ? amount / seconds : 0; }; // a launch with nothing to do takes none
      row.share = all > 0 ? seconds / all : 0;
      row.flops = perSecond(row.flops);
      row.readBytes = phase == "decode" && tokens == 1 ? perSecond(row.readBytes) : 0;
      rows.push_back(row);
    }
    std::ranges::sort(std::span(rows).subspan(first), std::greater(), &KernelRow::seconds);
    return {};
  }

  std::vector<KernelRow> rows;

private:
  size_t programOf(std::string_view phase) const {
    auto programs = manifest.programs();
    return size_t(std::ranges::find_if(*programs, [&](const Program *program) { return program->name()->string_view() == phase; }) -
                  programs->begin());
  }

  void add(std::map<std::string, KernelRow> &byKernel, const KernelRow &common, const Program &program, const LaunchTime &time,
           double seconds, double tokens) const {
    std::string kernel;
    double flop = 0, bytes = 0;
    for (size_t i = time.first; i < time.first + time.count; ++i) {
      const Launch &launch = *program.launches()->Get(uint32_t(i));
      kernel += (kernel.empty() ? "" : "+") + manifest.kernels()->Get(launch.kernel())->symbol()->str();
      flop += flopOf(manifest, launch, tokens, double(common.batch));
      bytes += double(launch.bytes_per_unit());
    }
    KernelRow &row = byKernel.try_emplace(kernel, common).first->second;
    row.kernel = kernel;
    ++row.launches;
    row.seconds += seconds;
    row.flops += flop;
    row.readBytes += bytes;
  }

  const Session &session;
  const Manifest &manifest;
  const Workload &workload;
};
} // namespace

Status moec::bench::timeKernels(const Artifact &artifact, Workload workload, std::vector<KernelRow> &rows) {
  workload.device.timesLaunches = true;
  std::unique_ptr<Session> session;
  MOEC_RETURN_IF_ERROR(take(session, Session::create(artifact, workload.device, workload.createDevice)));
  Runs runs(*session);
  KernelTimer timer(*session, artifact.manifest(), workload);
  KernelRow row{};
  row.batch = 1;
  row.threads = workload.device.threads;
  if (workload.prefill) {
    row.test = "prefill " + std::to_string(workload.prefill);
    MOEC_RETURN_IF_ERROR(
        timer.time(row, "prefill", workload.prefill, 1, [&](double &seconds) { return runs.prefill(workload.prefill, seconds); }));
  }
  for (int64_t batch : workload.decodedBatches()) {
    row.test = "decode " + std::to_string(workload.decode);
    row.batch = batch;
    MOEC_RETURN_IF_ERROR(timer.time(row, "decode", batch, workload.decode,
                                    [&](double &seconds) { return runs.decode(batch, workload.decode, seconds, nullptr); }));
  }
  rows.insert(rows.end(), timer.rows.begin(), timer.rows.end());
  return {};
}
