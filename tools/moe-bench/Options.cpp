// The command line of moe-bench.
#include "tools/moe-bench/Options.h"

#include "runtime/ThreadPool.h"
#include "tools/CommandLine.h"

using namespace moec;
using namespace moec::bench;
using namespace moec::runtime;
using tools::oneOf, tools::wholeNumber;

std::optional<int> moec::bench::parseOptions(int argc, char **argv, Options &options) {
  CLI::App app{
      "Measures a compiled model, each figure also as a share of this machine's limit, measured in the same run. The emulator "
      "counts instead of taking the time.",
      "moe-bench"};
  app.add_option("artifact", options.artifact, "compiled model (.moec)")->type_name("FILE")->required();
  app.add_option("--prefill", options.prefill, "tokens of the prompt; 0 to leave out; by default 512, or what the model takes")
      ->type_name("N")
      ->check(wholeNumber(0, 1 << 24));
  app.add_option("--decode", options.decode, "tokens to decode; 0 to leave out; by default 128, or what the model takes")
      ->type_name("N")
      ->check(wholeNumber(0, 1 << 24));
  app.add_option("--batch", options.batches, "sequences decoded together; by default 1,8, or what the model takes")
      ->type_name("N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(wholeNumber(1, 1 << 20));
  app.add_option("--threads", options.threads, "threads of the host; by default 1,2, or what the machine has")
      ->type_name("N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(wholeNumber(1, 1024));
  app.add_option("--repetitions", options.repetitions, "runs after one to warm up")
      ->type_name("N")
      ->check(wholeNumber(1, 10000))
      ->capture_default_str();
  app.add_option("--device", options.device, "what runs the model")
      ->type_name("NAME")
      ->check(oneOf(deviceNames()))
      ->capture_default_str();
  app.add_option("--gpu", options.gpu, "which GPU of several, from 0, with --device cuda")
      ->type_name("N")
      ->check(wholeNumber(0, 1023));
  app.add_option("--isa", options.isa, "code variant or GPU target (moe-dump lists them); by default the best that runs here")
      ->type_name("NAME");
  app.add_option("--weights", options.weights, "where external weight files are")->type_name("FOLDER");
  app.add_flag("--kernels", options.kernels, "take the time of each kernel instead");
  app.add_option("--format", options.format, "of the report")
      ->type_name("NAME")
      ->check(oneOf({"md", "csv", "json"}))
      ->capture_default_str();
  app.final_callback([&] {
    if (options.device == "emulator" && options.kernels)
      throw CLI::ValidationError("--kernels",
                                 "expected a device that takes time; --device emulator counts for each kernel without it");
    if (options.device == "emulator" && options.format != "md")
      throw CLI::ValidationError("--format",
                                 "expected md, the form of what --device emulator counts, got '" + options.format + "'");
  });
  return tools::parseCommandLine(app, argc, argv);
}

Status Options::fitTo(const artifact::Model &model) {
  int64_t positions = model.max_sequence(), sequences = model.max_batch();
  if (prefill.value_or(0) > positions || decode.value_or(0) >= positions)
    return Status::invalidArgument("expected at most " + std::to_string(positions) +
                                   " tokens for --prefill and one less for --decode, "
                                   "which begins behind one; compile with a larger --max-sequence if the model has more positions");
  prefill = prefill.value_or(std::min<int64_t>(512, positions));
  decode = decode.value_or(std::min<int64_t>(128, positions - 1));
  for (int64_t batch : batches)
    if (batch > sequences)
      return Status::invalidArgument("--batch " + std::to_string(batch) + ": expected at most " + std::to_string(sequences) +
                                     " sequences; compile with a larger --max-batch");
  if (batches.empty())
    batches = sequences >= 8 ? std::vector<int64_t>{1, 8} : std::vector<int64_t>{1};
  if (threads.empty())
    threads = hostThreads() >= 2 && device == "cpu" ? std::vector{1, 2} : std::vector{1};
  return {};
}

Workload Options::workload() const {
  Workload workload{.prefill = *prefill, .decode = *decode, .batches = batches, .repetitions = repetitions};
  workload.device.isa = isa;
  workload.device.gpu = gpu;
  return workload;
}
