// moe-bench: measures a compiled model against what the machine can do.
#include "runtime/ThreadPool.h"
#include "tools/CommandLine.h"
#include "tools/moe-bench/GpuMachine.h"
#include "tools/moe-bench/Report.h"

#include <iostream>

using namespace moec;
using namespace moec::bench;
using namespace moec::runtime;
using tools::complain, tools::oneOf, tools::wholeNumber;

int main(int argc, char **argv) {
  CLI::App app{"Measures a compiled model, each figure also as a share of this machine's limit, measured in the same run.",
               "moe-bench"};
  std::string path, weights, format = "md", device = "cpu";
  Workload workload;
  std::vector<int64_t> batches{1};
  std::vector<int> threads{hostThreads()};
  app.add_option("artifact", path, "compiled model (.moec)")->type_name("FILE")->required();
  app.add_option("--prefill", workload.prefill, "tokens of the prompt; 0 to leave out")
      ->type_name("N")
      ->check(wholeNumber(0, 1 << 24))
      ->capture_default_str();
  app.add_option("--decode", workload.decode, "tokens to decode; 0 to leave out")
      ->type_name("N")
      ->check(wholeNumber(0, 1 << 24))
      ->capture_default_str();
  app.add_option("--batch", batches, "sequences decoded together: 1,8")
      ->type_name("N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(wholeNumber(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--threads", threads, "numbers of threads: 1,2")
      ->type_name("N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(wholeNumber(1, 1024))
      ->capture_default_str();
  app.add_option("--repetitions", workload.repetitions, "runs after one to warm up")
      ->type_name("N")
      ->check(wholeNumber(1, 10000))
      ->capture_default_str();
  app.add_option("--device", device, "what runs the model")
      ->type_name("NAME")
      ->check(oneOf({"cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--isa", workload.isa, "code variant to run; by default the best for this processor")->type_name("NAME");
  app.add_option("--weights", weights, "where external weight files are")->type_name("FOLDER");
  app.add_option("--format", format, "of the report")
      ->type_name("NAME")
      ->check(oneOf({"md", "csv", "json"}))
      ->capture_default_str();
  if (std::optional<int> code = tools::parseCommandLine(app, argc, argv))
    return *code;

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
  return tools::finishOutput(0);
}
