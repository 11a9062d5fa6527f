// The command line of moe-run.
#include "tools/moe-run/Options.h"

#include "runtime/devices/Device.h"
#include "tools/CommandLine.h"

using namespace moec;
using namespace moec::run;
using tools::notEmpty, tools::number, tools::oneOf, tools::wholeNumber;

namespace {
void addPlace(CLI::App &app, Options &options) {
  const char *group = "Where it runs";
  app.add_option("--device", options.device, "what runs the model")
      ->type_name("NAME")
      ->check(oneOf(runtime::deviceNames()))
      ->capture_default_str()
      ->group(group);
  app.add_option("--threads", options.threads, "threads of the host; 0 for one per processor")
      ->type_name("N")
      ->check(wholeNumber(0, 1024))
      ->group(group);
  app.add_option("--gpu", options.gpu, "which GPU of several, from 0, with --device cuda")
      ->type_name("N")
      ->check(wholeNumber(0, 1023))
      ->group(group);
  app.add_option("--isa", options.isa, "code variant or GPU target (moe-dump lists them); by default the best that runs here")
      ->type_name("NAME")
      ->group(group);
  app.add_option("--weights", options.weights, "where external weight files are")->type_name("FOLDER")->group(group);
  app.add_flag("--counters", options.counters, "at the end, what --device emulator counted, to stderr")->group(group);
  app.add_flag("--verify", options.verify, "check the hash of every section first, however large")->group(group);
}

void addInput(CLI::App &app, Options &options) {
  const char *group = "What goes in (one of these)";
  app.add_option("--prompt", options.prompt, "text; the tokenizer's own tokens are added")->type_name("TEXT")->group(group);
  app.add_option("--prompt-file", options.promptFile, "text in a file, likewise")->type_name("FILE")->group(group);
  app.add_flag("--chat", options.chat, "talk: lines from standard input, through the model's chat template")->group(group);
  app.add_option("--ids", options.ids, "token ids: 5,17,3; none is added")->type_name("IDS")->group(group);
  app.add_option("--ids-file", options.idsFile, "token ids in an array")->type_name("FILE.npy")->group(group);
  app.add_option("--tokenize", options.tokenize, "lines {\"text\": ...} or {\"ids\": ...}; prints ids and decoded text of each")
      ->type_name("FILE.jsonl")
      ->group(group);
  app.add_option("--perplexity", options.perplexity, "text to measure")->type_name("FILE")->group(group);
  for (auto [name, files] : {std::pair("--input", &options.inputs), std::pair("--output", &options.outputs)})
    app.add_option(name, *files, "of models that are not language models")
        ->type_name("NAME=@FILE.npy")
        ->allow_extra_args(false)
        ->group(group);
}

void addGeneration(CLI::App &app, Options &options) {
  const char *group = "Generation (greedy unless there is a temperature)";
  app.add_option("-n", options.generate, "tokens to generate")->type_name("N")->check(wholeNumber(0))->group(group);
  app.add_option("--temperature", options.temperature, "softmax temperature; 0 is greedy")
      ->type_name("T")
      ->check(number(0, 1e6))
      ->group(group);
  app.add_option("--top-k", options.topK, "keep the k likeliest tokens; 0 for all")
      ->type_name("K")
      ->check(wholeNumber(0))
      ->group(group);
  app.add_option("--top-p", options.topP, "keep the likeliest tokens of this much probability")
      ->type_name("P")
      ->check(number(0, 1))
      ->group(group);
  app.add_option("--seed", options.seed, "seed of the sampling")->type_name("S")->check(wholeNumber(0))->group(group);
  app.add_flag("--ignore-eos", options.ignoreEnd, "go on after an end-of-sequence token")->group(group);
  app.add_option("--batch", options.batch, "run so many copies of the input in one batch; all must agree")
      ->type_name("N")
      ->check(wholeNumber(1, 1 << 20))
      ->group(group);
}

void addFeeding(CLI::App &app, Options &options) {
  const char *group = "How the input is fed";
  app.add_option("--prefill", options.prefill, "first N ids through prefill, the rest one at a time through decode")
      ->type_name("N")
      ->check(wholeNumber(0))
      ->group(group);
  app.add_option("--prefill-chunk", options.prefillChunk, "prefill in pieces of N ids")
      ->type_name("N")
      ->check(wholeNumber(1))
      ->group(group);
  app.add_option("--window", options.window, "ids in a window of --perplexity")
      ->type_name("N")
      ->check(wholeNumber(1))
      ->capture_default_str()
      ->group(group);
}

void addResults(CLI::App &app, Options &options) {
  const char *group = "Results";
  app.add_option("--logits", options.logits, "write logits of every given position: f32 [positions, vocabulary]")
      ->type_name("FILE.npy")
      ->group(group);
  app.add_option("--routing", options.routing, "write expert ids of every given position: i32 [positions, layers, k]")
      ->type_name("FILE.npy")
      ->group(group);
  CLI::Option *expect =
      app.add_option("--expect", options.expect,
                     "compare the logits (and tokens chosen with what logits say), or an output, with these; exit code 1 "
                     "when they differ")
          ->type_name("[NAME=@]FILE.npy")
          ->allow_extra_args(false)
          ->group(group);
  app.add_option("--atol", options.absoluteTolerance, "absolute tolerance of --expect")
      ->type_name("A")
      ->check(number(0))
      ->needs(expect)
      ->group(group);
  app.add_option("--rtol", options.relativeTolerance, "relative tolerance of --expect")
      ->type_name("R")
      ->check(number(0))
      ->needs(expect)
      ->group(group);
  app.add_flag("--json", options.json, "print results as JSON")->group(group);
}

/// Refuses options that do not go together.
void checkTogether(const CLI::App &app) {
  const char *input = nullptr;
  for (const char *name : {"--prompt", "--prompt-file", "--chat", "--ids", "--ids-file", "--tokenize", "--perplexity"}) {
    if (input && app.count(name))
      throw CLI::ValidationError(name, std::string("does not go with ") + input + ": expected one input");
    input = app.count(name) ? name : input;
  }
  for (const char *other : {"--chat", "--tokenize", "--perplexity"})
    for (const char *name : {"--logits", "--routing", "--expect", "--prefill"})
      if (app.count(name) && app.count(other))
        throw CLI::ValidationError(name, std::string("does not go with ") + other + ": expected a prompt or ids");
}
} // namespace

std::optional<int> moec::run::parseOptions(int argc, char **argv, Options &options) {
  CLI::App app{"Runs a compiled model: text or token ids in, text, logits or routing out.", "moe-run"};
  app.footer(
      "Exit codes: 0 done; 1 what --expect gives differs; 2 unusable input or arguments; 130 an interrupt ended the text, which\n"
      "is there as far as it came.");
  app.add_option("artifact", options.artifact, "compiled model (.moec)")->type_name("FILE")->required();
  addPlace(app, options);
  addInput(app, options);
  addGeneration(app, options);
  addFeeding(app, options);
  addResults(app, options);
  for (const char *name :
       {"--prompt-file", "--ids", "--ids-file", "--tokenize", "--perplexity", "--logits", "--routing", "--expect"})
    app.get_option(name)->check(notEmpty());
  app.final_callback([&app] { checkTogether(app); });
  return tools::parseCommandLine(app, argc, argv);
}
