// The command line of moe-run.
#include "tools/moe-run/Options.h"

#include <CLI/CLI.hpp>
#include <iostream>

using namespace moec::run;

std::optional<int> moec::run::parseOptions(int argc, char **argv, Options &options) {
  CLI::App app{"Runs a compiled model: text or token ids in, text, logits or routing out."};
  app.set_version_flag("--version", "moe-run " MOEC_VERSION);
  app.add_option("artifact", options.artifact, "compiled model (.moec)")->required();

  const char *where = "Where it runs";
  app.add_option("--device", options.device, "cpu, cuda or emulator")->capture_default_str()->group(where);
  app.add_option("--threads", options.threads, "threads; 0 for one per processor")->check(CLI::Range(0, 1024))->group(where);
  app.add_option("--isa", options.isa, "code variant to run (moe-dump lists them); by default the best for this processor")
      ->group(where);
  app.add_option("--weights", options.weights, "folder of external weight files")->group(where);
  app.add_flag("--counters", options.counters, "at the end, what --device emulator counted, to stderr")->group(where);
  app.add_flag("--verify", options.verify, "check the hash of every section first, however large")->group(where);

  const char *what = "What goes in (one of these)";
  CLI::Option_group *input = app.add_option_group(what);
  input->add_option("--prompt", options.prompt, "text");
  input->add_option("--prompt-file", options.promptFile, "file of text");
  input->add_flag("--chat", options.chat, "talk: lines from standard input, through the model's chat template");
  input->add_option("--ids", options.ids, "token ids: 5,17,3");
  input->add_option("--ids-file", options.idsFile, ".npy file of token ids");
  input->add_option("--tokenize", options.tokenize,
                    "file of lines {\"text\": ...} or {\"ids\": ...}; prints ids and decoded text of each");
  input->add_option("--perplexity", options.perplexity, "file of text to measure");
  input->require_option(0, 1);
  app.add_option("--input", options.inputs, "NAME=@FILE.npy, for models that are not language models")->group(what);
  app.add_option("--output", options.outputs, "NAME=@FILE.npy, for models that are not language models")->group(what);

  const char *how = "Generation (greedy unless there is a temperature)";
  app.add_option("-n", options.generate, "tokens to generate")->check(CLI::NonNegativeNumber)->group(how);
  app.add_option("--temperature", options.temperature, "softmax temperature; 0 is greedy")->check(CLI::Range(0.0, 1e6))->group(how);
  app.add_option("--top-k", options.topK, "keep the k likeliest tokens; 0 for all")->check(CLI::NonNegativeNumber)->group(how);
  app.add_option("--top-p", options.topP, "keep the likeliest tokens of this much probability")
      ->check(CLI::Range(0.0, 1.0))
      ->group(how);
  app.add_option("--seed", options.seed, "seed of the sampling")->group(how);
  app.add_flag("--ignore-eos", options.ignoreEnd, "go on after an end-of-sequence token")->group(how);
  app.add_option("--batch", options.batch, "run so many copies of the input in one batch; all must agree")
      ->check(CLI::Range(1, 1 << 20))
      ->group(how);

  const char *feeding = "How the input is fed";
  app.add_option("--prefill", options.prefill, "first N ids through prefill, the rest one at a time through decode")
      ->check(CLI::NonNegativeNumber)
      ->group(feeding);
  app.add_option("--prefill-chunk", options.prefillChunk, "prefill in pieces of N ids")
      ->check(CLI::NonNegativeNumber)
      ->group(feeding);
  app.add_option("--window", options.window, "ids in a window of --perplexity")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(feeding);

  const char *results = "Results";
  app.add_option("--logits", options.logits, "write logits of every given position: f32 [positions, vocabulary] .npy")
      ->group(results);
  app.add_option("--routing", options.routing, "write expert ids of every given position: i32 [positions, layers, k] .npy")
      ->group(results);
  app.add_option("--expect", options.expect, "compare the logits with this .npy; exit code 1 when they differ")->group(results);
  app.add_option("--atol", options.absoluteTolerance, "absolute tolerance of --expect")
      ->check(CLI::NonNegativeNumber)
      ->group(results);
  app.add_option("--rtol", options.relativeTolerance, "relative tolerance of --expect")
      ->check(CLI::NonNegativeNumber)
      ->group(results);
  app.add_flag("--json", options.json, "print results as JSON")->group(results);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error, std::cout, std::cerr) == 0 ? 0 : 2;
  }
  return std::nullopt;
}
