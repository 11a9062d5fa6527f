// moe-bench: measures a compiled model against what the machine can do.
#include "runtime/ThreadPool.h"
#include "tools/moe-bench/GpuMachine.h"
#include "tools/moe-bench/Report.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <thread>

using namespace moec::bench;
using namespace moec::runtime;

static int complain(const Status &status) {
  std::cerr << "moe-bench: error: " << status.message() << "\n";
  return 2;
}

int main(int argc, char **argv) {
  CLI::App app{"Measures a compiled model, each figure also as a share of this machine's limit, measured in the same run."};
  app.set_version_flag("--version", "moe-bench " MOEC_VERSION);
  std::string path, weights, format = "md", device = "cpu";
  Workload workload;
  std::vector<int64_t> batches{1};
  std::vector<int> threads{hostThreads()};
  app.add_option("artifact", path, "compiled model (.moec)")->required();
  app.add_option("--prefill", workload.prefill, "tokens of the prompt; 0 to leave out")
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  app.add_option("--decode", workload.decode, "tokens to decode; 0 to leave out")
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  app.add_option("--batch", batches, "sequences decoded together: 1,8")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--threads", threads, "numbers of threads: 1,2")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--repetitions", workload.repetitions, "runs after one to warm up")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--device", device, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}))->capture_default_str();
  app.add_option("--isa", workload.isa, "code variant to run; by default the best for this processor");
  app.add_option("--weights", weights, "folder of external weight files");
  app.add_option("--format", format, "md, csv or json")->check(CLI::IsMember({"md", "csv", "json"}))->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? 0 : 2;
  }

  Result<std::unique_ptr<Artifact>> artifact = Artifact::open(path, {false, weights});
  if (!artifact.ok())
    return complain(artifact.status());
  bool onGpu = device == "cuda";
  if (onGpu) {
    workload.createDevice = createCudaDevice;
    threads = {1};
  }
  std::map<int, Limits> limits;
  std::vector<Row> rows;
  for (int count : threads) {
    Result<Limits> measured = onGpu ? measureGpuLimits() : measureLimits(count);
    if (!measured.ok())
      return complain(measured.status());
    limits[count] = *measured;
    for (int64_t batch : batches)
      if (Status status = measure(**artifact, workload, batch, count, limits[count], rows); !status.ok())
        return complain(status);
  }
  std::cout << report(format, path, limits, rows);
  return 0;
}
